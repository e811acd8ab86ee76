"""Where does a learner stand in each competency? One small document per pair, so that a busy day rewrites little.

The key is ``learner:competency``: a learner's are one range of ids.
"""

from typing import Any

from atelier_common.commit import RecordedEvent
from atelier_common.projection import Projection, by_stream_key

from atelier_assessment.domain.mastery_events import (
    AwardWithdrawn,
    EvidenceWithdrawn,
    MasteryAwarded,
    MasteryMoved,
    MasteryReestimated,
    Standing,
)

Body = dict[str, Any]


def shown(standing: Standing) -> Body:
    """What every viewer is told of a standing."""
    belief = standing.belief
    return {
        "estimate": standing.estimate,
        "uncertainty": standing.uncertainty,
        "earned": standing.earned,
        "earned_at_ms": standing.earned_at,
        "evidence_count": belief.count,
        "performed_at_ms": belief.performed_at,
        "opportunities_without_progress": belief.stalled,
        "last_activity_kind": belief.activity,
        "last_success": belief.success,
        "policy_version": standing.policy,
        "calibration_version": standing.calibration,
    }


def _apply(document: Body | None, recorded: RecordedEvent, _key: str) -> Body | None:
    event = recorded.event
    before = document or {}
    match event:
        case MasteryMoved():
            corrected = recorded.recorded_at if event.corrected else before.get("corrected_at_ms")
            return {**shown(event.standing), "corrected_at_ms": corrected, "awarded_by": before.get("awarded_by", "")}
        case EvidenceWithdrawn(standing=Standing() as standing):
            if standing.belief.count == 0 and not standing.earned:
                return None
            return {**before, **shown(standing), "corrected_at_ms": recorded.recorded_at}
        case MasteryReestimated():
            return {**before, **shown(event.standing)}
        case MasteryAwarded():
            return {**before, **shown(event.standing), "awarded_by": event.awarded_by}
        case AwardWithdrawn():
            return {**before, **shown(event.standing), "awarded_by": ""}
        case _:
            return document


mastery = Projection(
    "mastery",
    1,
    by_stream_key,
    _apply,
    types=frozenset({"MasteryMoved", "EvidenceWithdrawn", "MasteryReestimated", "MasteryAwarded", "AwardWithdrawn"}),
)
