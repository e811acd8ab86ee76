"""How a neighbour's fact stands in this log: in a stream of its own name, its identity in the commit's result.

So what this log holds of a neighbour can be read from the log alone, and from the last commit of a stream.
"""

from typing import Any, NamedTuple

from atelier_common.bus.envelope import NOTHING, Envelope, Place
from atelier_common.commit import Commit
from atelier_common.events import StoredEvent
from atelier_common.ids import derive_id

_FIELD = "held"


class Held(NamedTuple):
    """The last contract event that a stream of this log holds of its owner's stream.

    ``incarnation`` is that of the owner's log, "" while nothing is held; ``version`` is the stream's version in this log.
    """

    incarnation: str
    place: Place
    version: int


EMPTY = Held("", NOTHING, 0)


def own_stream(service: str, stream: str) -> str:
    """The name under which this log keeps a stream of ``service``."""
    return f"{service}/{stream}"


def identity(commit: Commit) -> tuple[str, Place] | None:
    """(owner's incarnation, place) of an ingested commit; None for this service's own decisions."""
    if isinstance(commit.result, dict) and _FIELD in commit.result and commit.actor.startswith("service:"):
        incarnation, version, ordinal = commit.result[_FIELD]
        return incarnation, (version, ordinal)
    return None


def held_by(commit: Commit) -> Held:
    """What the stream holds after ``commit``, its last one."""
    found = identity(commit)
    return EMPTY if found is None else Held(found[0], found[1], commit.version)


def _result(incarnation: str, place: Place, **more: Any) -> dict[str, Any]:
    return {_FIELD: [incarnation, *place], **more}


def ingest(envelope: Envelope, event: StoredEvent | None, version: int) -> Commit:
    """The commit that keeps one contract event; without ``event`` (a type not subscribed to) only its place is kept.

    Command id is the event's own id, times, causes and trace are the owner's: nothing depends on when it came.
    """
    return Commit(
        tenant=envelope.tenant,
        stream=own_stream(envelope.service, envelope.stream),
        version=version,
        events=() if event is None else (event,),
        command_id=envelope.id,
        request_hash="",
        result=_result(envelope.incarnation, envelope.place),
        actor=f"service:{envelope.service}",
        recorded_at=envelope.time,
        correlation_id=envelope.correlation_id,
        causation_ids=envelope.causation_ids,
        trace=envelope.trace,
    )


def marker(tenant: str, service: str, stream: str, held: Held, time: int, **more: Any) -> Commit:
    """A commit without events: from here on the stream follows ``held.incarnation`` of its owner, agreed up to ``held.place``."""
    name = own_stream(service, stream)
    command_id = derive_id(tenant, held.incarnation, f"resynchronise:{name}", held.version)
    return Commit(
        tenant=tenant,
        stream=name,
        version=held.version,
        events=(),
        command_id=command_id,
        request_hash="",
        result=_result(held.incarnation, held.place, **more),
        actor=f"service:{service}",
        recorded_at=time,
        correlation_id=command_id,
        causation_ids=(),
    )
