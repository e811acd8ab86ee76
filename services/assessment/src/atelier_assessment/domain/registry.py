"""The names under which this service's events are stored."""

from atelier_common.events import EventRegistry

registry = EventRegistry()
