"""The plans of each site's weeks: what waits, what holds, and how each came about."""

from dataclasses import asdict
from typing import Any

from atelier_common.commit import RecordedEvent
from atelier_common.projection import Projection, by_stream_key

from atelier_scheduling.domain.plan import PlanProposed, PlanPublished, PlanRefused, PlanSuperseded

Document = dict[str, Any]
_KEPT = 60
"""Versions of one week that the document lists; older ones are in the log."""
_LONG = frozenset({"cut", "causes", "violations", "moves"})


def _plan(document: Document | None, recorded: RecordedEvent, key: str) -> Document | None:
    site, _, week = key.rpartition(":")
    held = document or {
        "site": site,
        "week": week,
        "proposed": None,
        "published": None,
        "refused": None,
        "versions": [],
    }
    match recorded.event:
        case PlanProposed() as event:
            version = {**asdict(event), "state": "proposed", "correlation_id": recorded.correlation_id}
            versions = [_closed(one) if one["state"] == "proposed" else one for one in held["versions"]]
            brief = {name: value for name, value in version.items() if name not in _LONG}
            return {**held, "proposed": version, "refused": None, "versions": [*versions, brief][-_KEPT:]}
        case PlanPublished() as event:
            published = {**(held["proposed"] or {}), **asdict(event), "state": "published"}
            versions = [
                {**one, "state": "published", "published_at": event.published_at, "by": event.by}
                if one["plan_id"] == event.plan_id
                else _closed(one)
                if one["state"] == "published"
                else one
                for one in held["versions"]
            ]
            return {**held, "proposed": None, "published": published, "versions": versions}
        case PlanRefused() as event:
            return {**held, "refused": asdict(event)}
        case PlanSuperseded():
            return held
        case _:
            return document


def _closed(version: Document) -> Document:
    return {**version, "state": "superseded"}


PLANS = Projection(
    "plans",
    1,
    by_stream_key,
    _plan,
    ("site", "week"),
    frozenset({"plan.proposed", "plan.published", "plan.refused", "plan.superseded"}),
)
