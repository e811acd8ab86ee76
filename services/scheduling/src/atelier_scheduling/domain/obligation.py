"""What is owed to a learner or an adult, until it is delivered or forgiven. Stream ``obligation/<site_id>:<obligation_id>``.

The last event of a stream is what holds; ``owed`` of 0 minutes means no longer owed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from atelier_common.decider import Decider
from atelier_common.errors import NotFound

from atelier_scheduling.domain.registry import REGISTRY


@dataclass(frozen=True, slots=True)
class Owing:
    """Minutes of one obligation in one period. ``kind`` is the engine's name of the obligation; ``owed_to`` an id."""

    site_id: str
    obligation_id: str
    kind: str
    owed_to: str
    focus: str
    period: str
    required: int
    scheduled: int
    owed: int
    reason_code: str


@dataclass(frozen=True, slots=True)
class NoteOwing:
    owing: Owing
    plan_id: str
    now: int


@dataclass(frozen=True, slots=True)
class AcknowledgeOwing:
    by: str
    now: int


ObligationCommand = NoteOwing | AcknowledgeOwing


@REGISTRY.event("obligation.owed")
@dataclass(frozen=True, slots=True)
class ObligationOwed:
    owing: Owing
    plan_id: str
    noted_at: int


@REGISTRY.event("obligation.acknowledged")
@dataclass(frozen=True, slots=True)
class ObligationAcknowledged:
    by: str
    acknowledged_at: int


ObligationEvent = ObligationOwed | ObligationAcknowledged


@dataclass(frozen=True, slots=True)
class ObligationState:
    owing: Owing | None = None
    acknowledged_by: str = ""


def decide(command: ObligationCommand, state: ObligationState) -> Sequence[ObligationEvent]:
    match command:
        case NoteOwing():
            if state.owing == command.owing or (state.owing is None and not command.owing.owed):
                return []
            return [ObligationOwed(command.owing, command.plan_id, command.now)]
        case AcknowledgeOwing():
            if state.owing is None:
                raise NotFound("nothing of that name is owed")
            return [] if state.acknowledged_by == command.by else [ObligationAcknowledged(command.by, command.now)]


def evolve(state: ObligationState, event: ObligationEvent) -> ObligationState:
    match event:
        case ObligationOwed():
            return ObligationState(event.owing, "")
        case ObligationAcknowledged():
            return replace(state, acknowledged_by=event.by)


OBLIGATION: Decider[ObligationCommand, ObligationState, ObligationEvent] = Decider(
    "obligation", REGISTRY, ObligationState, decide, evolve
)
