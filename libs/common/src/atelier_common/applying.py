"""What a batch of events makes of a projection's documents: no store, no clock, nothing awaited."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from atelier_common.commit import RecordedEvent
from atelier_common.documents.port import Body
from atelier_common.opening import Unreadable
from atelier_common.projection import Projection

ByKey = dict[str, list[RecordedEvent]]
"""The events that touch each document, in order."""


@dataclass(slots=True)
class Applied:
    """What came of a batch."""

    bodies: dict[str, Body] = field(default_factory=dict)
    """The documents that changed, each with its ``watermark``."""
    stopped: dict[str, tuple[int, Exception]] = field(default_factory=dict)
    """Keys that cannot go on: the position of the commit that stopped each, and why."""
    met_again: list[str] = field(default_factory=list)
    """Keys of which some event stands in the document already."""


def by_key(
    projection: Projection,
    opened: Sequence[RecordedEvent | Unreadable],
    parked: Mapping[str, int],
    only: str | None,
    applied: Applied,
) -> ByKey:
    """Events by the documents they touch, but for those of parked keys from where each is parked; ``only`` restricts it to one key,
    parked or not. What cannot be read stops the key of its stream (in ``applied``).
    """
    found: ByKey = {}
    keys_of = projection.keys
    for event in opened:
        if isinstance(event, Unreadable):
            # Which documents it would touch cannot be known; the key of its stream stands for them.
            key = event.commit.stream.partition("/")[2]
            if key not in parked and key not in applied.stopped and only in (None, key):
                applied.stopped[key] = (event.commit.position, event.error)
            continue
        for key in keys_of(event):
            # What stands before the event that parked a key may not be written yet, if the batch comes again.
            if key == only or (only is None and (key not in parked or event.position < parked[key])):
                if (events := found.get(key)) is None:
                    found[key] = [event]
                else:
                    events.append(event)
    return found


def apply(projection: Projection, events_by_key: ByKey, documents: Mapping[str, Body | None], applied: Applied) -> None:
    """Apply to each document what it does not hold yet, up to what stops its key. A commit is applied whole or not at all."""
    for key, events in events_by_key.items():
        document = documents[key]
        held = 0
        if document is not None:
            held = document.get("watermark", 0)
            if document.get("deleted"):
                document = None
        if events[0].position <= held:
            applied.met_again.append(key)
            events = [event for event in events if event.position > held]
        if key in applied.stopped:
            until = applied.stopped[key][0]
            events = [event for event in events if event.position < until]
        position, whole = 0, (document, 0)
        for event in events:
            if event.position != position:
                whole = (document, position)
            try:
                document = projection.apply(document, event, key)
            except Exception as error:
                applied.stopped[key] = (event.position, error)
                document, position = whole
                break
            position = event.position
        if position:
            applied.bodies[key] = (
                {"deleted": True, "watermark": position} if document is None else {**document, "watermark": position}
            )
