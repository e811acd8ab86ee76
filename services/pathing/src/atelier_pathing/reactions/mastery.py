"""The assessment service's words in pathing's: one competency's number as paths keep it."""

from atelier.assessment.v1.events_pb2 import MasteryChanged

from atelier_pathing.domain.path_events import NotedMastery

MOST_EVIDENCE = 3
"""A path names the latest evidence behind a step; all of it can be asked from the assessment service."""


def noted(event: MasteryChanged) -> NotedMastery:
    failed = event.HasField("last_success") and not event.last_success
    return NotedMastery(
        competency_id=event.competency_id,
        estimate=event.estimate,
        uncertainty=event.uncertainty,
        earned=event.earned,
        evidence_ids=tuple(event.evidence_ids[-MOST_EVIDENCE:]),
        without_progress=event.opportunities_without_progress,
        failed_kind=event.last_activity_kind if failed else "",
    )
