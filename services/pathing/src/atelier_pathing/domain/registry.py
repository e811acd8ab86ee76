"""The event types of pathing's own log."""

from atelier_common.events import EventRegistry

REGISTRY = EventRegistry()
