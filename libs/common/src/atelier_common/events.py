"""Stored events: a registered name and an integer schema version, never a class path.

A service keeps one :class:`EventRegistry`. Its own events are frozen dataclasses registered under a name; a neighbour's facts
are contract messages registered under their CloudEvents type. Old schema versions climb to the present one by one-step
functions on plain dicts before the class sees them.
"""

from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson
from google.protobuf.message import Message
from orjson import Fragment
from pydantic import TypeAdapter, ValidationError

from atelier_common.errors import UnknownEventType

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
EventClass = TypeVar("EventClass", bound=type)


@dataclass(slots=True, eq=False)
class StoredEvent:
    """One event as a log holds it: plain JSON ``data``, or that data as the ``Fragment`` of JSON that an encoder made.

    ``value`` memoises the decoded event; it is never part of equality and never stored.
    """

    type: str
    version: int
    content: Any
    value: Any = field(default=None, repr=False)

    @property
    def data(self) -> Any:
        """The plain JSON data; read anew at each call where this release has just encoded the event."""
        return orjson.loads(orjson.dumps(self.content)) if isinstance(self.content, Fragment) else self.content

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StoredEvent) and (self.type, self.version, self.data) == (
            other.type,
            other.version,
            other.data,
        )


@dataclass(frozen=True, slots=True)
class _Registered:
    name: str
    version: int
    upcasters: tuple[Upcaster, ...]
    adapter: TypeAdapter[Any] | None
    message: type[Message] | None


class EventRegistry:
    """The event types one service knows: its own and the contract events it consumes.

    Raises :class:`UnknownEventType` on a name or version it does not know; it never guesses.
    """

    def __init__(self) -> None:
        self._by_name: dict[str, _Registered] = {}
        self._by_class: dict[type, _Registered] = {}

    def event(
        self, name: str, *, version: int = 1, upcasters: Sequence[Upcaster] = ()
    ) -> Callable[[EventClass], EventClass]:
        """Class decorator: register a frozen dataclass as ``name`` at schema ``version``.

        ``upcasters[k]`` turns the plain data of version k+1 into version k+2, so there is one fewer than ``version``.
        """
        if len(upcasters) != version - 1:
            raise ValueError(f"{name} at version {version} needs {version - 1} upcasters, not {len(upcasters)}")

        def register(cls: EventClass) -> EventClass:
            self._add(cls, _Registered(name, version, tuple(upcasters), TypeAdapter(cls), None))
            return cls

        return register

    def contract(self, ce_type: str, message: type[Message]) -> None:
        """Register a neighbour's contract event, kept in this log as it came."""
        self._add(message, _Registered(ce_type, 1, (), None, message))

    def _add(self, cls: type, registered: _Registered) -> None:
        if registered.name in self._by_name:
            raise ValueError(f"event type {registered.name} is registered twice")
        self._by_name[registered.name] = registered
        self._by_class.setdefault(cls, registered)

    @property
    def names(self) -> Mapping[str, int]:
        """Every known name with its present schema version."""
        return {name: known.version for name, known in self._by_name.items()}

    def name_of(self, cls: type) -> str:
        return self._by_class[cls].name

    def encode(self, event: Any) -> StoredEvent:
        """The stored form of one of this service's own events, written as JSON once."""
        known = self._by_class[type(event)]
        if known.adapter is None:
            content = _contract(event.SerializeToString(deterministic=True))
        else:
            content = Fragment(known.adapter.serializer.to_json(event))
        return StoredEvent(known.name, known.version, content, event)

    def encode_contract(self, ce_type: str, payload: bytes) -> StoredEvent:
        """The stored form of a neighbour's fact, from the bytes that came."""
        return StoredEvent(ce_type, 1, _contract(payload))

    def read_contract(self, ce_type: str, payload: bytes) -> StoredEvent:
        """The stored form of a neighbour's fact, read already. Raises UnknownEventType, or protobuf's DecodeError."""
        known = self._by_name.get(ce_type)
        if known is None or known.message is None:
            raise UnknownEventType(f"{ce_type} is not a contract event that is known here")
        stored = self.encode_contract(ce_type, payload)
        stored.value = known.message.FromString(payload)
        return stored

    def knows(self, name: str, version: int = 1) -> bool:
        known = self._by_name.get(name)
        return known is not None and 1 <= version <= known.version

    def decode(self, stored: StoredEvent) -> Any:
        """The event object; climbs the ladder of upcasters first. Raises :class:`UnknownEventType`."""
        if stored.value is not None:
            return stored.value
        known = self._by_name.get(stored.type)
        if known is None or not 1 <= stored.version <= known.version:
            raise UnknownEventType(f"event type {stored.type} at schema version {stored.version} is not known here")
        if known.message is not None:
            stored.value = known.message.FromString(a2b_base64(stored.data["pb"]))
            return stored.value
        assert known.adapter is not None
        data = stored.data
        if stored.version < known.version:
            for climb in known.upcasters[stored.version - 1 :]:
                data = climb(dict(data))
        try:
            # The adapter's own validate_python costs as much again as what it calls.
            stored.value = known.adapter.validator.validate_python(data)
        except ValidationError as error:
            raise UnknownEventType(f"event {stored.type} v{stored.version} cannot be read: {error}") from error
        return stored.value


def _contract(payload: bytes) -> Fragment:
    return Fragment(b'{"pb":"' + b2a_base64(payload, newline=False) + b'"}')
