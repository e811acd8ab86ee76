"""The commit: one append to one stream, atomic and durable when acknowledged."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from atelier_common.errors import InvalidInput
from atelier_common.events import StoredEvent
from atelier_common.ids import event_id

MAX_EVENTS = 200
MAX_BYTES = 1_000_000


class Context(NamedTuple):
    """Who acts, in which tenant, when and because of what: given with every command.

    ``now`` is domain time in milliseconds UTC; a reaction's is its cause's. ``correlation_id`` is copied from the first
    command of the chain; ``causation_ids`` are the direct causes; ``trace`` is a W3C traceparent.
    """

    tenant: str
    actor: str
    command_id: str
    now: int
    correlation_id: str = ""
    causation_ids: tuple[str, ...] = ()
    trace: str | None = None


@dataclass(slots=True)
class Commit:
    """A stored append. ``version`` numbers the stream's commits from 1; an accepted no-op is a commit without events.

    ``position`` is the dense place in the tenant's log, 0 while not yet sequenced.
    """

    tenant: str
    stream: str
    version: int
    events: tuple[StoredEvent, ...]
    command_id: str
    request_hash: str
    result: Any
    actor: str
    recorded_at: int
    correlation_id: str
    causation_ids: tuple[str, ...]
    trace: str | None = None
    position: int = field(default=0, compare=False)
    opened: "dict[int, RecordedEvent]" = field(default_factory=dict, compare=False, repr=False)
    """Events of this commit already decoded by a follower, by ordinal; never stored."""

    def body(self) -> bytes:
        """Everything but position, tenant, stream and version as JSON bytes; checks the names and limits of one append."""
        self._check_names()
        if len(self.events) > MAX_EVENTS:
            raise InvalidInput(f"{len(self.events)} events in one append; at most {MAX_EVENTS}")
        encoded = orjson.dumps(
            {
                "e": [(event.type, event.version, event.content) for event in self.events],
                "c": self.command_id,
                "h": self.request_hash,
                "r": self.result,
                "a": self.actor,
                "t": self.recorded_at,
                "o": self.correlation_id,
                "b": self.causation_ids,
                "p": self.trace,
            }
        )
        if len(encoded) > MAX_BYTES:
            raise InvalidInput(f"an append of {len(encoded)} bytes; at most {MAX_BYTES}: store larger things as parts")
        return encoded

    def _check_names(self) -> None:
        if not self.tenant or not self.stream or not self.command_id:
            raise InvalidInput("a commit names its tenant, its stream and its command")
        if self.version < 1:
            raise InvalidInput(f"a stream's commits are numbered from 1, not {self.version}")
        if not self.stream.isprintable() and any(character < " " for character in self.stream):
            raise InvalidInput("the name of a stream has no control characters")

    @classmethod
    def from_body(cls, tenant: str, stream: str, version: int, position: int, body: bytes | str) -> "Commit":
        raw = orjson.loads(body)
        # In the order of the fields: naming each costs as much as reading it.
        return cls(
            tenant,
            stream,
            version,
            tuple([StoredEvent(name, schema, data) for name, schema, data in raw["e"]]),
            raw["c"],
            raw["h"],
            raw["r"],
            raw["a"],
            raw["t"],
            raw["o"],
            tuple(raw["b"]),
            raw["p"],
            position,
        )


@dataclass(slots=True)
class RecordedEvent:
    """One event as a projection, reaction or publisher meets it: decoded, with everything known about its commit.

    Made once and never changed (freezing it would cost four times what making it costs).
    """

    incarnation: str
    tenant: str
    stream: str
    version: int
    ordinal: int
    position: int
    type: str
    event: Any
    recorded_at: int
    actor: str
    correlation_id: str
    causation_ids: tuple[str, ...]
    trace: str | None
    _id: str = field(default="", init=False, compare=False, repr=False)

    @property
    def place(self) -> str:
        """Where it stands in the own log: what it causes there is named after this, since a restored log is still that log."""
        return f"{self.stream}\x1f{self.version}\x1f{self.ordinal}"

    @property
    def id(self) -> str:
        """The event's identity, the same in every log that takes it in. Made when it is first asked for."""
        if not self._id:
            self._id = event_id(self.incarnation, self.stream, self.version, self.ordinal)
        return self._id
