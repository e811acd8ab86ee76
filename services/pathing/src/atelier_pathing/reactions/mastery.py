"""The assessment service's words in pathing's: one competency's number as paths keep it."""

from atelier.assessment.v1.events_pb2 import MasteryChanged

from atelier_pathing.domain.path_events import NotedMastery


def noted(event: MasteryChanged, heard: int = 0) -> NotedMastery:
    """``heard`` is the version of the own log's stream that holds what assessment says of this learner and competency.

    An assessment service of an earlier version names only the evidence behind the change.
    """
    failed = event.HasField("last_success") and not event.last_success
    return NotedMastery(
        competency_id=event.competency_id,
        estimate=event.estimate,
        uncertainty=event.uncertainty,
        earned=event.earned,
        evidence_ids=tuple(event.latest_evidence_ids or event.evidence_ids),
        without_progress=event.opportunities_without_progress,
        failed_kind=event.last_activity_kind if failed else "",
        heard=heard,
    )
