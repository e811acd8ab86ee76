"""What a learner has shown: one document per learner and competency, exactly as assessment said it, for every viewer.

The key is ``learner:competency``: a learner's are one range of ids, which needs no index of its own.
"""

from collections.abc import Sequence

from atelier.assessment.v1.events_pb2 import MasteryChanged
from atelier_common.commit import RecordedEvent
from atelier_common.documents.port import Body
from atelier_common.projection import Projection, ReadModel

MASTERY_CHANGED = "atelier.assessment.mastery.v1.changed"


def progress_key(learner_id: str, competency_id: str) -> str:
    return f"{learner_id}:{competency_id}"


async def progress_of(progress: ReadModel, tenant: str, learner_id: str) -> list[Body]:
    """Everything that one learner has shown, in order of competency id."""
    first, last = progress_key(learner_id, ""), progress_key(learner_id, "\uffff")
    return [document for _, document in await progress.all(tenant, "_id", first, last)]


def _keys(event: RecordedEvent) -> Sequence[str]:
    return (progress_key(event.event.learner_id, event.event.competency_id),)


def _apply(_document: Body | None, recorded: RecordedEvent, _key: str) -> Body:
    told: MasteryChanged = recorded.event
    return {
        "learner": told.learner_id,
        "competency_id": told.competency_id,
        "estimate": told.estimate,
        "uncertainty": told.uncertainty,
        "earned": told.earned,
        "earned_at": told.earned_at_ms if told.HasField("earned_at_ms") else None,
        "policy_version": told.policy_version,
        "calibration_version": told.calibration_version,
        "evidence_ids": list(told.evidence_ids),
        "evidence_count": told.evidence_count,
        "corrected": told.corrected,
        "performed_at": told.performed_at_ms,
        "recorded_at": recorded.recorded_at,
        "caused_by": list(recorded.causation_ids),
        "correlation_id": recorded.correlation_id,
    }


learner_progress = Projection(
    name="learner_progress",
    version=2,
    keys=_keys,
    apply=_apply,
    types=frozenset({MASTERY_CHANGED}),
)
