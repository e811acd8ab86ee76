"""Work that is asked for in the log: what kind it is, how it is done, and what of it waits.

An *asking* is an event in a stream of the work's own category; that it was *answered* stands in another category, under the same
key, so that who asks and who answers, perhaps in different processes, never write one stream. So the log alone tells what waits.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from atelier_common.commit import RecordedEvent
from atelier_common.decider import Decider
from atelier_common.documents.port import Body
from atelier_common.projection import Projection
from atelier_common.reaction import Issue


@dataclass(frozen=True)
class Work:
    """``name`` is the category of the streams of askings. Every commit there is one event of the stored type ``asked``, and its
    contract event is published with ``together`` naming whose work it is, which is what ``whose(event)`` says of a stored one.

    ``do(askings)`` gets some of one of them that wait, in order, and returns the commands they cause; like a reaction it does not
    act itself and may be called again for the same askings, whoever else was called before. More than one only where ``joins`` says
    of each that it may be done together with others.

    The state of ``answering`` is the version up to which a stream's askings are answered; ``answer(version)`` is the command that says so,
    for the same key as the asking's, and gives an event of the stored type ``answered`` with that version as ``until``.
    """

    name: str
    asked: str
    answered: str
    whose: Callable[[Any], str]
    joins: Callable[[Any], bool]
    do: Callable[[Sequence[RecordedEvent]], Awaitable[Sequence[Issue]]]
    answering: Decider[Any, int, Any]
    answer: Callable[[str, int], Any]
    """(whose, version) -> the command."""

    def stream(self, key: str) -> str:
        """The stream of askings with this key."""
        return f"{self.name}/{key}"

    @property
    def waiting(self) -> Projection:
        """What waits, a document for each who has ever been asked for: ``streams`` by key with the first and the last version that
        waits, and how many askings are ``waiting`` in all."""
        return Projection(
            f"waiting_{self.name}",
            1,
            lambda recorded: (self.whose(recorded.event),),
            self._note,
            ("waiting",),
            frozenset({self.asked, self.answered}),
        )

    def _note(self, document: Body | None, recorded: RecordedEvent, _whose: str) -> Body | None:
        streams = dict(document["streams"]) if document else {}
        key = recorded.stream.partition("/")[2]
        first, last = streams.pop(key, (recorded.version, recorded.version - 1))
        if recorded.type == self.asked:
            last = recorded.version
        elif last < first:
            return document
        else:
            first = max(first, recorded.event.until + 1)
        if first <= last:
            streams[key] = [first, last]
        return {"streams": streams, "waiting": sum(last - first + 1 for first, last in streams.values())}
