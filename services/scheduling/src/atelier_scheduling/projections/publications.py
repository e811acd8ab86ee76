"""Which plan of each site's week is the published one, and since when: little enough for every replica to look again and again."""

from typing import Any

from atelier_common.commit import RecordedEvent
from atelier_common.projection import Projection, by_stream_key

from atelier_scheduling.domain.plan import PlanPublished

Document = dict[str, Any]


def _publication(document: Document | None, recorded: RecordedEvent, key: str) -> Document | None:
    match recorded.event:
        case PlanPublished() as event:
            site, _, week = key.rpartition(":")
            return {
                "site": site,
                "week": week,
                "plan_id": event.plan_id,
                "plan_digest": event.plan_digest,
                "published_at": recorded.recorded_at,
            }
        case _:
            return document


PUBLICATIONS = Projection("publications", 1, by_stream_key, _publication, ("week",), frozenset({"plan.published"}))
