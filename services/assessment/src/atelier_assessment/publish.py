"""What leaves this service: the whole present standing of a learner in a competency, whenever it changes."""

from atelier.assessment.v1.events_pb2 import (
    MASTERY_CAUSE_CALIBRATION_ADOPTED,
    MASTERY_CAUSE_CORRECTION,
    MASTERY_CAUSE_EVIDENCE,
    MASTERY_CAUSE_LATE_EVIDENCE,
    MASTERY_CAUSE_PERSON,
    MASTERY_CAUSE_POLICY_ADOPTED,
    MasteryCause,
    MasteryChanged,
)
from atelier_common.commit import RecordedEvent
from atelier_common.publisher import ContractEvent

from atelier_assessment.domain.mastery import learner_and_competency
from atelier_assessment.domain.mastery_events import (
    AwardWithdrawn,
    EvidenceWithdrawn,
    MasteryAwarded,
    MasteryMoved,
    MasteryReestimated,
    Standing,
)
from atelier_assessment.domain.registry import registry

MASTERY_CHANGED = "atelier.assessment.mastery.v1.changed"
TYPES = frozenset(
    registry.name_of(event)
    for event in (MasteryMoved, EvidenceWithdrawn, MasteryReestimated, MasteryAwarded, AwardWithdrawn)
)
"""The stored types of which :func:`translate` lets anything leave."""


def translate(recorded: RecordedEvent) -> ContractEvent | None:
    """The contract event of a stored one; None keeps it inside."""
    match recorded.event:
        case MasteryMoved() as moved:
            cause = MASTERY_CAUSE_LATE_EVIDENCE if moved.corrected else MASTERY_CAUSE_EVIDENCE
            return _changed(recorded, moved.standing, cause, moved.observation.id, corrected=moved.corrected)
        case EvidenceWithdrawn(standing=Standing() as standing) as withdrawn:
            return _changed(recorded, standing, MASTERY_CAUSE_CORRECTION, withdrawn.evidence_id, corrected=True)
        case MasteryReestimated() as again:
            adopted_policy = again.cause == "policy"
            cause = MASTERY_CAUSE_POLICY_ADOPTED if adopted_policy else MASTERY_CAUSE_CALIBRATION_ADOPTED
            return _changed(recorded, again.standing, cause)
        case MasteryAwarded() | AwardWithdrawn() as by_person:
            return _changed(recorded, by_person.standing, MASTERY_CAUSE_PERSON)
        case _:
            return None


def changed(key: str, standing: Standing) -> MasteryChanged:
    """The message of a standing; ``key`` is ``learner:competency``."""
    learner, competency = learner_and_competency(key)
    belief = standing.belief
    return MasteryChanged(
        learner_id=learner,
        competency_id=competency,
        estimate=standing.estimate,
        uncertainty=standing.uncertainty,
        earned=standing.earned,
        earned_at_ms=standing.earned_at,
        policy_version=str(standing.policy),
        calibration_version=str(standing.calibration),
        evidence_count=belief.count,
        performed_at_ms=belief.performed_at,
        opportunities_without_progress=belief.stalled,
        last_activity_kind=belief.activity,
        last_success=belief.success,
        latest_evidence_ids=belief.latest,
    )


def _changed(
    recorded: RecordedEvent, standing: Standing, cause: MasteryCause.ValueType, *evidence: str, corrected: bool = False
) -> ContractEvent:
    message = changed(recorded.stream, standing)
    message.cause = cause
    message.corrected = corrected
    message.evidence_ids.extend(evidence)
    return ContractEvent(MASTERY_CHANGED, message, subject=message.learner_id)
