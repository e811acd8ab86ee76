"""This log's own copy of a neighbour's streams: where each ends, and how more is put behind it."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence

from atelier_common import ingested
from atelier_common.arrival import Slot
from atelier_common.commit import Commit
from atelier_common.eventstore.port import Appended, EventStore
from atelier_common.ingested import EMPTY, Held

LOG = "@log"
"""The stream that tells which incarnation of the neighbour's log is followed."""
_APPEND_AT_ONCE = 500


class OwnCopy:
    """The streams ``source/...`` of the own log.

    What is remembered of a stream's end only claims a version; the store refuses a claim that is old.
    """

    def __init__(self, source: str, store: EventStore, *, remembered: int = 100_000) -> None:
        self._source = source
        self._store = store
        self._remembered = remembered
        self._ends: OrderedDict[Slot, Held] = OrderedDict()

    async def commits(self, tenant: str, stream: str) -> list[Commit]:
        return await self._store.read_stream(tenant, ingested.own_stream(self._source, stream))

    def remembered(self, slot: Slot) -> Held | None:
        """What the own log holds of a stream, if that is remembered."""
        held = self._ends.get(slot)
        if held is not None:
            self._ends.move_to_end(slot)
        return held

    async def end(self, slot: Slot) -> Held:
        """What the own log holds of a stream."""
        return self.remembered(slot) or (await self.look_up([slot]))[slot]

    async def look_up(self, slots: Iterable[Slot]) -> dict[Slot, Held]:
        """What the own log holds of these streams, from the log itself."""
        asked: dict[str, dict[str, Slot]] = {}
        for slot in slots:
            asked.setdefault(slot[0], {})[ingested.own_stream(self._source, slot[1])] = slot
        ends: dict[Slot, Held] = {}
        for tenant, streams in asked.items():
            for name, commits in (await self._store.read_streams(tenant, streams)).items():
                ends[streams[name]] = ingested.held_by(commits[-1]) if commits else EMPTY
        return ends

    async def append(self, commits: Sequence[Commit], places: Sequence[int], ends: dict[Slot, Held]) -> list[int]:
        """Append in order; the places of those that another writer was faster with."""
        for slot in ends:
            self._ends.pop(slot, None)
        lost: list[int] = []
        for start in range(0, len(commits), _APPEND_AT_ONCE):
            outcomes = await self._store.append(commits[start : start + _APPEND_AT_ONCE])
            lost += [
                place
                for place, outcome in zip(places[start : start + _APPEND_AT_ONCE], outcomes, strict=True)
                if not isinstance(outcome, Appended)
            ]
        if not lost:
            self._ends.update(ends)
            while len(self._ends) > self._remembered:
                self._ends.popitem(last=False)
        return lost

    async def streams(self, tenant: str, topics: Sequence[str]) -> list[str]:
        """The streams of these topics that this log holds anything of, as their owner calls them."""
        found: list[str] = []
        prefix = f"{self._source}/"
        after = ""
        while page := await self._store.list_streams(tenant, prefix, after):
            found += [name[len(prefix) :] for name in page]
            after = page[-1]
        return [stream for stream in found if f"{self._source}.{stream.partition('/')[0]}" in topics]
