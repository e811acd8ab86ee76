"""The names under which the profile service stores its events."""

from atelier_common.events import EventRegistry

registry = EventRegistry()
