"""Reading a log's segments: the last one, those whose commits may still be marked as pending, and what each gives."""

from collections.abc import Iterator

from atelier_common.documents.port import Body, Documents
from atelier_common.eventstore.layout import LAST_SEGMENT, LOG, segment_id
from atelier_common.eventstore.waiting import Key


async def last_segment(documents: Documents, tenant: str) -> Body | None:
    """None: nothing of the log has a position yet."""
    found = await documents.scan(tenant, LOG, high=LAST_SEGMENT, limit=1, descending=True)
    return found[0][1] if found else None


async def segments_behind_the_cleared(documents: Documents, tenant: str, last: Body) -> list[Body]:
    """Those after the one that the last segment says is cleared, itself among them, in order."""
    behind = last["number"] - last["cleared"]
    if behind < 2:
        return [last] if behind > 0 else []
    low, high = segment_id(last["cleared"] + 1), segment_id(last["number"])
    return [segment for _, segment in await documents.scan(tenant, LOG, low=low, high=high, limit=behind)]


def given(segment: Body) -> Iterator[tuple[Key, int]]:
    """The positions that a segment gives, in order."""
    for position, (stream, version) in enumerate(segment["commits"], segment["first"]):
        yield (stream, version), position
