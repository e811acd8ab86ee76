"""When an import is accepted: take its turn, apply its chunks one after the other, say that it is complete.

Every step is caused by the event of the step before, so after a crash the reaction goes on at the first step whose event is missing,
and the commands of a chunk that were already accepted are answered and not repeated.
"""

from collections.abc import Sequence

from atelier_common.commit import RecordedEvent
from atelier_common.eventstore.port import EventStore
from atelier_common.reaction import Issue, Reaction, each

from atelier_profile.domain.roster_import import (
    CompleteImport,
    MarkChunkApplied,
    RefuseImport,
    RosterChunkApplied,
    RosterImportAccepted,
    roster_import,
)
from atelier_profile.domain.roster_turn import (
    KEY,
    EndTurn,
    RosterTurnDenied,
    RosterTurnTaken,
    TakeTurn,
    roster_turn,
)
from atelier_profile.importing.parts import DECIDERS, read_chunk

STEPS = (RosterImportAccepted, RosterTurnTaken, RosterTurnDenied, RosterChunkApplied)


def when_roster_accepted(store: EventStore) -> Reaction:
    async def next_step(cause: RecordedEvent) -> Sequence[Issue]:
        event, now = cause.event, cause.recorded_at
        match event:
            case RosterImportAccepted():
                turn = TakeTurn(event.import_id, event.baseline, event.first_part, now)
                return [Issue(cause, roster_turn, KEY, turn)]
            case RosterTurnTaken():
                return await chunk(cause, event.import_id, 0, event.first_part)
            case RosterTurnDenied():
                refusal = RefuseImport(event.import_id, event.reason, now)
                return [Issue(cause, roster_import, event.import_id, refusal)]
            case RosterChunkApplied(import_id, applied, following):
                if following:
                    return await chunk(cause, import_id, applied + 1, following)
                # In one write, so that whoever sees the import complete may send the next one.
                return [
                    Issue(cause, roster_import, import_id, CompleteImport(import_id, now)),
                    Issue(cause, roster_turn, KEY, EndTurn(import_id, now)),
                ]
            case _:
                return []

    async def chunk(cause: RecordedEvent, import_id: str, number: int, digest: str) -> Sequence[Issue]:
        part = await store.get_part(cause.tenant, digest)
        issues = [
            Issue(cause, DECIDERS[planned.category], planned.key, planned.command)
            for planned in read_chunk(part, cause.recorded_at)
        ]
        return [*issues, Issue(cause, roster_import, import_id, MarkChunkApplied(import_id, number, cause.recorded_at))]

    return Reaction(
        name="when_roster_accepted",
        types=frozenset(roster_import.registry.name_of(step) for step in STEPS),
        react=each(next_step),
    )
