"""Evidence that waits for a framework or a roster is resolved when it arrives, and once more as soon as it is parked.

The second is for a fact that arrived while the evidence was on its way: whichever of the two stands later in the log sees the
other.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from atelier_common.commit import RecordedEvent
from atelier_common.projection import ReadModel
from atelier_common.reaction import Issue, Reaction, each

from atelier_assessment.domain.attempt import UNKNOWN_LEARNER, ResolveEvidence, attempt
from atelier_assessment.domain.attempt_events import EvidenceParked
from atelier_assessment.projections.competencies import FRAMEWORK_LISTED, names_of_competency
from atelier_assessment.projections.learners import LEARNER_CHANGED
from atelier_assessment.recording.known import Known

_FACTS = ("competencies", "learners", "waiting")


def reactions(waiting: ReadModel, known: Known) -> tuple[Reaction, ...]:
    async def resolve(recorded: RecordedEvent, names: Iterable[str]) -> list[Issue]:
        found: dict[str, dict[str, Any]] = {}
        for name in names:
            for _, body in await waiting.all(recorded.tenant, "waits_for", name, name):
                found[body["evidence"]] = body
        named = [(body["learner"], tuple(body["targets"])) for body in found.values()]
        resolutions = await known.resolve(recorded.tenant, named)
        return [
            Issue(recorded, attempt, evidence, ResolveEvidence(resolution, recorded.recorded_at))
            for evidence, resolution in zip(found, resolutions, strict=True)
        ]

    async def framework(recorded: RecordedEvent) -> Sequence[Issue]:
        names = [
            name
            for competency in recorded.event.competencies
            for name in names_of_competency(competency.competency_id, competency.uri)
        ]
        return await resolve(recorded, names)

    async def learner(recorded: RecordedEvent) -> Sequence[Issue]:
        return await resolve(recorded, [recorded.event.learner_id])

    async def parked(recorded: RecordedEvent) -> Sequence[Issue]:
        event = recorded.event
        if isinstance(event, EvidenceParked):
            learner, targets, learner_unknown = (
                event.evidence.learner,
                event.evidence.targets,
                UNKNOWN_LEARNER in event.reasons,
            )
        else:
            learner, targets, learner_unknown = event.learner, event.targets, False
        (resolution,) = await known.resolve(recorded.tenant, [(learner, targets)])
        if resolution.unresolved == event.unresolved and not (learner_unknown and resolution.learner_known):
            return ()
        key = recorded.stream.partition("/")[2]
        return (Issue(recorded, attempt, key, ResolveEvidence(resolution, recorded.recorded_at)),)

    return (
        _reaction("when_framework_listed_then_resolve_evidence", (FRAMEWORK_LISTED,), framework),
        _reaction("when_learner_changed_then_resolve_evidence", (LEARNER_CHANGED,), learner),
        _reaction("when_evidence_parked_then_resolve_evidence", ("EvidenceParked", "TargetsUnresolved"), parked),
    )


def _reaction(
    name: str, types: tuple[str, ...], react: Callable[[RecordedEvent], Awaitable[Sequence[Issue]]]
) -> Reaction:
    return Reaction(name, frozenset(types), each(react), after=_FACTS)
