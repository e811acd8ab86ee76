"""Which timetable a site published last: so that a learner's page can say which plan concerns the learner."""

from collections.abc import Sequence

from atelier.scheduling.v1.events_pb2 import PlanPublished
from atelier_common.commit import RecordedEvent
from atelier_common.documents.port import Body
from atelier_common.projection import Projection

PLAN_PUBLISHED = "atelier.scheduling.plan.v1.published"
PLAN_NOT_WANTED = frozenset({"atelier.scheduling.plan.v1.proposed", "atelier.scheduling.plan.v1.superseded"})


def _keys(event: RecordedEvent) -> Sequence[str]:
    return (event.event.site_id,)


def _apply(document: Body | None, recorded: RecordedEvent, _key: str) -> Body:
    told: PlanPublished = recorded.event
    if document is not None and document["published_at"] > told.published_at_ms:
        return document
    return {"plan_id": told.plan_id, "week": told.week, "published_at": told.published_at_ms}


published_plans = Projection(
    name="published_plans", version=1, keys=_keys, apply=_apply, types=frozenset({PLAN_PUBLISHED})
)
