"""Which sites there are, and which description holds."""

from collections.abc import Sequence
from typing import Any

from atelier_common.commit import RecordedEvent
from atelier_common.projection import Projection, by_stream_key

from atelier_scheduling.domain.site import SiteDescribed, SiteSwitched

Document = dict[str, Any]


def _site(document: Document | None, recorded: RecordedEvent, key: str) -> Document | None:
    match recorded.event:
        case SiteDescribed() as described:
            return {
                "site_id": key,
                "digest": described.digest,
                "title": described.title,
                "model": described.model,
                "time_zone": described.time_zone,
                "on": document["on"] if document else True,
                "version": recorded.version,
                "position": recorded.position,
            }
        case SiteSwitched() as switched:
            return {**(document or {}), "on": switched.on, "version": recorded.version, "position": recorded.position}
        case _:
            return document


def _keys(recorded: RecordedEvent) -> Sequence[str]:
    return by_stream_key(recorded)


SITES = Projection("sites", 1, _keys, _site, (), frozenset({"site.described", "site.switched"}))
