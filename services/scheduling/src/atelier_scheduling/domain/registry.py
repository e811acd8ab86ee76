"""The event types of the scheduling service."""

from atelier_common.events import EventRegistry

REGISTRY = EventRegistry()
