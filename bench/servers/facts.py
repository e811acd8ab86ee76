"""A service whose facts a neighbour takes in: logs of contract events of some 300 bytes, written as fast as the store goes."""

from collections.abc import Sequence
from dataclasses import dataclass

from atelier.assessment.v1.events_pb2 import MasteryChanged
from atelier_common.commands import Commands, Request
from atelier_common.commit import Context, RecordedEvent
from atelier_common.decider import Decider
from atelier_common.events import EventRegistry
from atelier_common.publisher import ContractEvent

SOURCE = "assessment"
CHANGED = "atelier.assessment.mastery.v1.changed"
TOPIC = f"{SOURCE}.mastery"
PARTITIONS = 4
ANSWERS = 3
"""So many commits of each stream: a learner's answers on a step."""
_AT_ONCE = 500
registry = EventRegistry()


@registry.event("Moved")
@dataclass(frozen=True, slots=True)
class Moved:
    learner_id: str
    competency_id: str
    estimate: float
    evidence_ids: tuple[str, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Move:
    learner_id: str
    competency_id: str
    answer: int
    now: int


def _decide(command: Move, _state: int) -> Sequence[Moved]:
    evidence = tuple(f"{command.learner_id[:8]}-0000-5000-8000-{number:012d}" for number in range(3))
    estimate = 0.4 + command.answer / 10
    return (Moved(command.learner_id, command.competency_id, estimate, evidence, command.now),)


def _evolve(state: int, _moved: Moved) -> int:
    return state + 1


MASTERY: Decider[Move, int, Moved] = Decider("mastery", registry, int, _decide, _evolve)


def message_of(moved: Moved) -> MasteryChanged:
    return MasteryChanged(
        learner_id=moved.learner_id,
        competency_id=moved.competency_id,
        estimate=moved.estimate,
        uncertainty=0.25,
        policy_version="1",
        calibration_version="1",
        evidence_ids=moved.evidence_ids[:1],
        latest_evidence_ids=moved.evidence_ids,
        evidence_count=3,
        performed_at_ms=moved.at,
        last_activity_kind="independent",
        last_success=True,
    )


def translate(recorded: RecordedEvent) -> ContractEvent | None:
    return ContractEvent(CHANGED, message_of(recorded.event), recorded.event.learner_id)


async def write(commands: Commands, tenant: str, count: int) -> None:
    """A log of ``count`` commits, the first of every stream before the second of any."""
    streams = max(1, count // ANSWERS)
    for start in range(0, count, _AT_ONCE):
        requests = []
        for number in range(start, min(count, start + _AT_ONCE)):
            answer, stream = divmod(number, streams)
            learner, competency = f"lrn_{stream:026d}", f"00000000-0000-5000-8000-{stream:012d}"
            context = Context(tenant, "bench", f"move-{number}", 1_789_000_000_000 + number)
            requests.append(
                Request(MASTERY, f"{learner}:{competency}", Move(learner, competency, answer, context.now), context)
            )
        for outcome in await commands.execute_many(requests):
            if isinstance(outcome, Exception):
                raise outcome
