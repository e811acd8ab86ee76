"""Gives positions: writes down in the next segment what has none.

The lease only spares work. That positions are dense and that nothing is taken twice rests on the order of the steps and
on one thing alone, that of two inserts of segment k+1 one fails:

1. read the last segment k, and all behind the one that it says is cleared;
2. clear the marks of exactly the commits stored in these;
3. read what is marked: nothing of it stands in any segment up to k;
4. insert segment k+1. If somebody else has written it, or the outcome is unknown: start over, with what is stored.

Whoever wrote segment k+1 knows the end and what stands in the segments behind the cleared one, for that is so for ever. So it leaves out
1, passes over these commits in 3, and clears their marks together, half a second later or when they are many. Should somebody else
have written k+2 meanwhile, its own insert fails. A segment says which was the last cleared one when it was sent.

What this process appends while it knows the end leaves together with the segment that gives it its position, in one insert, the
segment last: of documents inserted in order none is there without those before it, so no segment names a commit that is not there.
Where one's id is taken, those before it stand in the log with their marks, and wait like all others.
"""

import asyncio
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple

from atelier_common.documents.port import Body, Documents, Insert, Replace, Write
from atelier_common.eventstore.known import KnownVersions
from atelier_common.eventstore.layout import (
    LOG,
    LONGEST_SEGMENT,
    MOST_MARKED,
    commit_id,
    commit_of,
    segment_id,
)
from atelier_common.eventstore.segments import given, last_segment, segments_behind_the_cleared
from atelier_common.eventstore.waiting import Key, Waiting
from atelier_common.telemetry import names, tracing

BATCH = 1_000
MARKS_AT_ONCE = 250
MARKS_CLEARED_EVERY = 0.5
"""Seconds; and so many commits: a mark stays no longer, and no more of them stay, than until one of both is reached."""
_LOOKS_EVERY = 0.5
"""Seconds after which it is looked what others have appended, however much this process appends itself, and though nobody said so."""


class End(NamedTuple):
    """The last segment of a log, and the last position that it gives."""

    number: int
    last: int


class Marked(NamedTuple):
    """A commit that has its position and may still carry its mark."""

    document: Body
    position: int


Placed = Callable[[str, Body, Mapping[str, Body]], None]
"""Told of a tenant's segment as soon as it stands, with the documents of its commits by id."""


def _nobody(_tenant: str, _segment: Body, _documents: Mapping[str, Body]) -> None:
    """Whom nobody has to tell."""


class Sequencer:
    """Sequences one tenant's log. Any number may run at once; each :meth:`step` and :meth:`append` is safe on its own.

    From step to step it is remembered how far streams have their positions, which stays true, and the log's end with what is marked
    there, until anything speaks against it.
    """

    def __init__(self, documents: Documents, tenant: str, placed: Placed = _nobody) -> None:
        self._documents = documents
        self._tenant = tenant
        self._tell = placed
        self._turn = asyncio.Lock()
        self._end: End | None = None
        self._marked: dict[str, Marked] = {}
        """By id: the commits of the segments behind the cleared one."""
        self._cleared = 0
        self._clears_at = math.inf
        self._forgotten = 0
        """How often."""
        self._placed = KnownVersions()
        self._looked = -math.inf
        self.waiting = Waiting()
        self.more = False
        """Whether another step may take more at once."""

    @property
    def restless(self) -> bool:
        """Whether a step has anything to do at once that is known here."""
        waits = self._end is None or bool(self.waiting.known) or self.waiting.look
        return waits or len(self._marked) >= MARKS_AT_ONCE

    async def step(self) -> int:
        """One round; the number of commits that got their positions by it. 0: nothing is pending, or another was
        faster.

        Raises what the database raises; then the outcome is unknown and the next round finds out.
        """
        if len(self._marked) >= MARKS_AT_ONCE or asyncio.get_running_loop().time() >= self._clears_at:
            # Before it is looked what is marked, and not in turn: others append meanwhile.
            with self._forgetting_where_it_fails():
                await self.clear()
        async with self._turn:
            self.more = False
            with self._forgetting_where_it_fails():
                return await self._step()

    async def append(self, bodies: Sequence[Body]) -> int:
        """Insert the documents of these commits in order, up to the first whose id is taken; how many were. Where the end is known
        here they have their positions then, and so has what waited here.

        Raises what the database raises; then it is not known how many stand in the log.
        """
        async with self._turn:
            with self._forgetting_where_it_fails():
                return await self._append(bodies)

    @contextmanager
    def _forgetting_where_it_fails(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.forget()
            raise

    def forget(self) -> None:
        """Another may write the next segment: begin anew with what is stored."""
        self._end = None
        self._marked.clear()
        self._cleared = 0
        self._clears_at = math.inf
        self._forgotten += 1
        self.waiting.closed()

    async def _step(self) -> int:
        end = self._end
        if end is None:
            end = self._end = await self._find_end()
            if end is None:
                return 0
            self.waiting.opened()
        batch, full = await self._wait_for_positions()
        if not batch:
            return 0
        segment = await self._next_segment(end, batch)
        if segment is None:
            return 0
        with self._span(batch):
            (won,) = await self._documents.write([self._insert_of(segment)])
            self._noted(end, segment, batch, won=won)
        self.more = full or not won
        return len(batch) if won else 0

    async def _append(self, bodies: Sequence[Body]) -> int:
        inserts = [Insert(self._tenant, LOG, commit_id(body["stream"], body["version"]), body) for body in bodies]
        end = self._end
        batch: dict[Key, Body] = {}
        if end is not None:
            found = self.waiting.known | {(body["stream"], body["version"]): body for body in bodies}
            batch = await self._takeable(dict(sorted(found.items(), key=_age)))
        segment = await self._next_segment(end, batch) if end is not None and batch else None
        if end is None or segment is None:
            return await self._documents.insert_in_order(inserts)
        with self._span(batch):
            inserted = await self._documents.insert_in_order([*inserts, self._insert_of(segment)])
            if inserted >= len(inserts):
                self._noted(end, segment, batch, won=inserted > len(inserts))
        return min(inserted, len(inserts))

    async def _next_segment(self, end: End, batch: Iterable[Key]) -> Body | None:
        """The segment behind ``end`` that places these; None where that was forgotten meanwhile."""
        if end.number - self._cleared >= MOST_MARKED:
            await self.clear()
        if self._end is not end:
            return None
        commits = list(batch)
        return {
            "number": end.number + 1,
            "first": end.last + 1,
            "last": end.last + len(commits),
            "commits": commits,
            "cleared": self._cleared,
        }

    def _insert_of(self, segment: Body) -> Insert:
        return Insert(self._tenant, LOG, segment_id(segment["number"]), segment)

    def _span(self, batch: Mapping[Key, Body]) -> AbstractContextManager[Any]:
        traces = (commit_of(self._tenant, body).trace for body in batch.values())
        return tracing.batch_span(names.SPAN_SEQUENCE, traces, {names.COMMIT_COUNT: len(batch)})

    def _noted(self, end: End, segment: Body, batch: Mapping[Key, Body], *, won: bool) -> None:
        """The segment behind ``end`` stands: this one or, where it was not ``won``, another's."""
        if not won:
            self.forget()
            return
        self.waiting.taken(batch)
        for stream, version in batch:
            self._placed.remember((self._tenant, stream), version)
        documents = {commit_id(*key): body for key, body in batch.items()}
        self._tell(self._tenant, segment, documents)
        if self._end is end:  # else it was forgotten meanwhile, and with it what is marked
            self._end = End(segment["number"], segment["last"])
            self._mark(documents, segment)

    async def _wait_for_positions(self) -> tuple[dict[Key, Body], bool]:
        """What can be taken now, in order, and whether there may be more than that."""
        waiting = self.waiting
        found = dict(waiting.known)
        now = asyncio.get_running_loop().time()
        if waiting.look or not found or now >= self._looked + _LOOKS_EVERY:
            waiting.look, self._looked = False, now
            limit = BATCH + len(self._marked)
            pending = await self._documents.scan(self._tenant, LOG, "pending", limit=limit)
            found |= {(body["stream"], body["version"]): body for id, body in pending if id not in self._marked}
            waiting.look = waiting.look or len(pending) == limit
        oldest = sorted(found.items(), key=_age)
        batch = await self._takeable(dict(oldest[:BATCH])) if found else {}
        return batch, len(oldest) > BATCH or waiting.look

    async def _find_end(self) -> End | None:
        """Read the last segments and clear their marks. None if one of their commits could not be read."""
        head = await last_segment(self._documents, self._tenant)
        if head is None:
            return End(0, 0)
        self._cleared = head["cleared"]
        for segment in await segments_behind_the_cleared(self._documents, self._tenant, head):
            positions = _positions(segment)
            documents = await self._documents.find_many(self._tenant, LOG, positions)
            if len(documents) < len(positions):
                self._marked.clear()
                return None
            self._mark(documents, segment)
        end = End(head["number"], head["last"])
        await self._clear(end.number)
        return end

    def _mark(self, documents: Mapping[str, Body], segment: Body) -> None:
        if not self._marked:
            self._clears_at = asyncio.get_running_loop().time() + MARKS_CLEARED_EVERY
        for id, position in _positions(segment).items():
            if "pending" in documents[id]:
                self._marked[id] = Marked(documents[id], position)

    async def clear(self) -> None:
        """Clear the marks of all that has its position, as far as it is known here."""
        if self._end is not None:
            await self._clear(self._end.number)

    async def _clear(self, until: int) -> None:
        """Note in every commit up to this segment that still carries its mark the position in place of it."""
        marked, forgotten = dict(self._marked), self._forgotten
        writes: list[Write] = []
        for id, (document, position) in marked.items():
            cleared: Body = {name: value for name, value in document.items() if name != "pending"}
            cleared["position"] = position
            guard = {"pending": document["pending"]}
            writes.append(Replace(self._tenant, LOG, id, cleared, guard, known=document))
        if writes:
            # A guard that is not met says that another sequencer has cleared this one already, to the same position.
            await self._documents.write(writes)
        if forgotten != self._forgotten:
            return
        for id in marked:
            del self._marked[id]
        self._cleared = max(self._cleared, until)
        self._clears_at = asyncio.get_running_loop().time() + MARKS_CLEARED_EVERY if self._marked else math.inf

    async def _takeable(self, pending: Mapping[Key, Body]) -> dict[Key, Body]:
        """Those whose predecessor is taken too or has its position, each after its predecessor, by stream and version.

        A scan is no snapshot: it may show a commit and have missed the one before it. Such a predecessor is fetched
        and, if it still waits, taken along.
        """
        bodies = dict(pending)
        waiting = set(bodies)
        asked = self._missing(waiting)
        while asked:
            ids = {commit_id(*key): key for key in asked}
            found = await self._documents.find_many(self._tenant, LOG, ids)
            for id, key in ids.items():
                if id in found and ("pending" not in found[id] or id in self._marked):
                    self._placed.remember((self._tenant, key[0]), key[1])
                elif id in found:
                    waiting.add(key)
                    bodies[key] = found[id]
                else:
                    waiting.difference_update([later for later in waiting if later[0] == key[0] and later[1] > key[1]])
            asked = self._missing(waiting)
        oldest: dict[str, int] = {}
        for stream, _ in pending:
            oldest.setdefault(stream, len(oldest))
        ordered = sorted(waiting, key=lambda key: (oldest[key[0]], key))
        self.waiting.look = self.waiting.look or len(ordered) > LONGEST_SEGMENT
        return {key: bodies[key] for key in ordered[:LONGEST_SEGMENT]}

    def _missing(self, waiting: set[Key]) -> set[Key]:
        """Predecessors of which it is not known whether they wait or have their position."""
        predecessors = {(stream, version - 1) for stream, version in waiting if version > 1} - waiting
        return {key for key in predecessors if not self._placed.reaches((self._tenant, key[0]), key[1])}


def _age(found: tuple[Key, Body]) -> tuple[int, Key]:
    """The longest waiting first."""
    key, body = found
    return body["pending"], key


def _positions(segment: Body) -> dict[str, int]:
    """The position of each commit of a segment, by the commit's id."""
    return {commit_id(*key): position for key, position in given(segment)}
