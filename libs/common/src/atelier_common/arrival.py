"""A message of a neighbour as it arrives: read as far as it can be, kept if this release can keep it."""

from dataclasses import dataclass, field
from typing import NamedTuple

from google.protobuf.message import DecodeError

from atelier_common.bus.envelope import Envelope, NotAnEnvelope, decode
from atelier_common.bus.port import Message
from atelier_common.commit import MAX_BYTES
from atelier_common.documents.port import SYSTEM
from atelier_common.errors import UnknownEventType
from atelier_common.events import EventRegistry, StoredEvent

UNKNOWN_TYPE = "unknown-type"
OWNER_AWAY = "owner-away"
MALFORMED = "malformed"
TOO_LARGE = "too-large"
GAP = "gap"

Slot = tuple[str, str]
"""(tenant, stream as its owner calls it): the key that order is kept for, and that is parked whole."""


class Arrival(NamedTuple):
    """A message, read as far as it can be: without ``envelope``, ``fault`` says why."""

    slot: Slot
    message: Message
    envelope: Envelope | None
    fault: str = ""


@dataclass(slots=True)
class Stopped:
    """Why a key cannot go on, ``code: detail``, and its messages from there on."""

    reason: str
    messages: list[Message] = field(default_factory=list)


class CannotKeep(Exception):
    """This release cannot keep the event; the text is a reason as in :class:`Stopped`."""


class ArrivalReader:
    """Reads what comes from one neighbour, ``source``."""

    def __init__(self, source: str, unsubscribed: frozenset[str], registry: EventRegistry) -> None:
        self.source = source
        self._unsubscribed = unsubscribed
        self._registry = registry

    def read(self, message: Message) -> Arrival:
        """Parse a message; one that cannot be parsed still has a key to be parked under."""
        try:
            envelope = decode(message)
            if envelope.service != self.source:
                raise NotAnEnvelope(f"an event of {envelope.service} in a topic of {self.source}")
        except NotAnEnvelope as fault:
            tenant, _, stream = message.key.partition("/")
            slot = (tenant, stream) if tenant and stream else (SYSTEM, message.key)
            return Arrival(slot, message, None, f"{MALFORMED}: {fault.detail}")
        return Arrival((envelope.tenant, envelope.stream), message, envelope)

    def wants(self, ce_type: str) -> bool:
        return ce_type not in self._unsubscribed

    def knows(self, ce_type: str) -> bool:
        return not self.wants(ce_type) or self._registry.knows(ce_type)

    def stored(self, envelope: Envelope) -> StoredEvent:
        """The stored form of an event, not checked."""
        return self._registry.encode_contract(envelope.type, envelope.payload)

    def event(self, arrival: Arrival) -> StoredEvent | None:
        """The stored form of an event; None for a type that is declared unsubscribed. Raises :class:`CannotKeep`."""
        envelope = arrival.envelope
        if envelope is None:
            raise CannotKeep(arrival.fault)
        if not self.wants(envelope.type):
            return None
        if len(envelope.payload) > MAX_BYTES * 7 // 10:
            raise CannotKeep(f"{TOO_LARGE}: {len(envelope.payload)} bytes")
        try:
            return self._registry.read_contract(envelope.type, envelope.payload)
        except UnknownEventType as unknown:
            raise CannotKeep(f"{UNKNOWN_TYPE}: {envelope.type}") from unknown
        except DecodeError as fault:
            raise CannotKeep(f"{MALFORMED}: the payload is not a {envelope.type}") from fault
