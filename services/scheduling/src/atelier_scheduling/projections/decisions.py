"""People's overrides and what is owed, by site."""

from dataclasses import asdict
from typing import Any

from atelier_common.commit import RecordedEvent
from atelier_common.projection import Projection, by_stream_key

from atelier_scheduling.domain.obligation import ObligationAcknowledged, ObligationOwed
from atelier_scheduling.domain.override import OverrideGiven, OverrideStood, OverrideWithdrawn

Document = dict[str, Any]


def _override(document: Document | None, recorded: RecordedEvent, _key: str) -> Document | None:
    match recorded.event:
        case OverrideGiven() as given:
            return {
                **asdict(given),
                "site": given.site_id,
                "standing": "given",
                "rule": "",
                "version": recorded.version,
                "position": recorded.position,
            }
        case OverrideStood() as stood:
            return {
                **(document or {}),
                "standing": str(stood.standing),
                "rule": stood.rule,
                "version": recorded.version,
            }
        case OverrideWithdrawn() as withdrawn:
            return {
                **(document or {}),
                "standing": "withdrawn",
                "withdrawn_by": withdrawn.by,
                "version": recorded.version,
                "position": recorded.position,
            }
        case _:
            return document


OVERRIDES = Projection(
    "overrides",
    1,
    by_stream_key,
    _override,
    ("site",),
    frozenset({"override.given", "override.stood", "override.withdrawn"}),
)


def _obligation(document: Document | None, recorded: RecordedEvent, _key: str) -> Document | None:
    match recorded.event:
        case ObligationOwed() as owed:
            return {
                **asdict(owed.owing),
                "site": owed.owing.site_id,
                "plan_id": owed.plan_id,
                "as_of": owed.noted_at,
                "acknowledged_by": "",
            }
        case ObligationAcknowledged() as acknowledged:
            return {**(document or {}), "acknowledged_by": acknowledged.by}
        case _:
            return document


OBLIGATIONS = Projection(
    "obligations",
    1,
    by_stream_key,
    _obligation,
    ("site", "owed_to"),
    frozenset({"obligation.owed", "obligation.acknowledged"}),
)
