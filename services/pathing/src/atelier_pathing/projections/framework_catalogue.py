"""Which frameworks a district has: their versions, how far they are listed, whether adopted, what people marked."""

from typing import Any

from atelier_common.commit import RecordedEvent
from atelier_common.documents.port import Body
from atelier_common.projection import Projection, by_stream_key, by_type

from atelier_pathing.domain.framework import (
    FrameworkAdopted,
    FrameworkChunkListed,
    FrameworkImported,
    PrerequisiteMarked,
)

NAME = "framework_catalogue"
NOTHING: dict[str, Any] = {"digest": "", "parts": []}


def _imported(document: Body | None, event: FrameworkImported, recorded: RecordedEvent, _key: str) -> Body:
    before = document or {"adopted": NOTHING, "marks": [], "imports": 0}
    return {
        **before,
        "framework_id": event.framework_id,
        "title": event.title,
        "uri": event.uri,
        "case_version": event.case_version,
        "imported": {"digest": event.digest, "parts": list(event.parts)},
        "counts": event.counts,
        "findings": list(event.findings),
        "chunks": event.chunks,
        "listed": [],
        "imports": before["imports"] + 1,
        "imported_by": event.author,
        "imported_at": event.at,
        "version": recorded.version,
    }


def _listed(document: Body | None, event: FrameworkChunkListed, recorded: RecordedEvent, _key: str) -> Body | None:
    if document is None:
        return None
    listed = sorted({*document["listed"], event.chunk})
    return {**document, "listed": listed, "version": recorded.version}


def _adopted(document: Body | None, event: FrameworkAdopted, recorded: RecordedEvent, _key: str) -> Body | None:
    if document is None:
        return None
    return {
        **document,
        "adopted": {**document["imported"], "by": event.author, "at": event.at},
        "version": recorded.version,
    }


def _marked(document: Body | None, event: PrerequisiteMarked, recorded: RecordedEvent, _key: str) -> Body | None:
    if document is None:
        return None
    others = [mark for mark in document["marks"] if mark[:2] != [event.from_id, event.to_id]]
    return {
        **document,
        "marks": [*others, [event.from_id, event.to_id, event.essential]],
        "version": recorded.version,
    }


FRAMEWORK_CATALOGUE = Projection(
    name=NAME,
    version=1,
    keys=by_stream_key,
    apply=by_type(
        {
            FrameworkImported: _imported,
            FrameworkChunkListed: _listed,
            FrameworkAdopted: _adopted,
            PrerequisiteMarked: _marked,
        }
    ),
    types=frozenset(
        {
            "pathing.framework.imported",
            "pathing.framework.chunk-listed",
            "pathing.framework.adopted",
            "pathing.framework.prerequisite-marked",
        }
    ),
)
