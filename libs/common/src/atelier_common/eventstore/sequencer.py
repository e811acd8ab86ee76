"""Gives positions: reads what is pending and writes it down in the next segment.

The lease only spares work. That positions are dense and that nothing is taken twice rests on the order of the steps and
on one thing alone, that of two inserts of segment k+1 one fails:

1. read the head segment k;
2. clear the pending flag of exactly the commits stored in k (those of earlier segments were cleared before k was
   written);
3. read what is pending: nothing of it stands in any segment up to k;
4. insert segment k+1. If somebody else has written it, or the outcome is unknown: start over, with what is stored.

Whoever wrote segment k+1 clears its flags at once, from what it has read of these commits, and has then done steps 1 and 2 of its next
round: that a segment stands and its flags are cleared is so for ever. Should somebody else have written k+1 meanwhile, step 4 fails.

What this process has itself appended since it knows the end is pending, and known without reading (``waiting``): step 3 is then left
out, though never for long, as others append too.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from atelier_common.documents.port import Body, Documents, Insert, Replace, Write
from atelier_common.doorbell import Doorbell
from atelier_common.eventstore.known import KnownVersions
from atelier_common.eventstore.layout import COMMITS, LONGEST_SEGMENT, SEGMENTS, commit_id, commit_of, segment_id
from atelier_common.eventstore.waiting import Waiting
from atelier_common.lease import Lease, lead
from atelier_common.telemetry import names, tracing

BATCH = 1_000
_SHORTEST_WAIT = 0.25
_LONGEST_REST = 0.02
_LOOKS_EVERY = 0.5
"""Seconds after which it is looked what others have appended, however much this process appends itself, and though nobody said so."""
_log = logging.getLogger(__name__)


class End(NamedTuple):
    """The last segment of a log, all flags of which are cleared, and the last position that it gives."""

    number: int
    last: int


Placed = Callable[[str, Body, Mapping[str, Body]], None]
"""Told of a tenant's segment as soon as it stands, with the documents of its commits by id."""


def _nobody(_tenant: str, _segment: Body, _documents: Mapping[str, Body]) -> None:
    """Whom nobody has to tell."""


class Sequencer:
    """Sequences one tenant's log. Any number may run at once; each :meth:`step` is safe on its own.

    What is remembered from step to step stays true: a segment of which every flag is known to be cleared, and how far
    streams are known to have their positions.
    """

    def __init__(self, documents: Documents, tenant: str, placed: Placed = _nobody) -> None:
        self._documents = documents
        self._tenant = tenant
        self._tell = placed
        self._end: End | None = None
        self._cleared = 0
        self._placed = KnownVersions()
        self._looked = -math.inf
        self.waiting = Waiting()
        self.more = False
        """Whether another step may take more at once."""

    async def step(self) -> int:
        """One round; the number of commits that got their positions by it. 0: nothing is pending, or another was
        faster.

        Raises what the database raises; then the outcome is unknown and the next round finds out.
        """
        self.more = False
        try:
            return await self._step()
        except BaseException:
            self.forget()
            raise

    def forget(self) -> None:
        """Another may write the next segment: begin anew with what is stored."""
        self._end = None
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
        next_end = End(end.number + 1, end.last + len(batch))
        segment: Body = {
            "number": next_end.number,
            "first": end.last + 1,
            "last": next_end.last,
            "commits": list(batch),
        }
        traces = (commit_of(self._tenant, body).trace for body in batch.values())
        with tracing.batch_span(names.SPAN_SEQUENCE, traces, {names.COMMIT_COUNT: len(batch)}):
            (won,) = await self._documents.write([Insert(self._tenant, SEGMENTS, segment_id(next_end.number), segment)])
            if not won:
                self.forget()
                self.more = True
                return 0
            self.waiting.taken(batch)
            for stream, version in batch:
                self._placed.remember((self._tenant, stream), version)
            documents = {commit_id(*key): body for key, body in batch.items()}
            self._tell(self._tenant, segment, documents)
            await self._clear(documents, _positions(segment))
        self._end, self._cleared, self.more = next_end, next_end.number, full
        return len(batch)

    async def _wait_for_positions(self) -> tuple[dict[tuple[str, int], Body], bool]:
        """What can be taken now, in order, and whether there may be more than that."""
        waiting = self.waiting
        found = dict(waiting.known)
        now = asyncio.get_running_loop().time()
        if waiting.look or not found or now >= self._looked + _LOOKS_EVERY:
            waiting.look, self._looked = False, now
            pending = await self._documents.scan(self._tenant, COMMITS, "pending", limit=BATCH)
            found |= {(body["stream"], body["version"]): body for _, body in pending}
            waiting.look = waiting.look or len(pending) == BATCH
        oldest = sorted(found.items(), key=lambda one: (one[1]["pending"], one[0]))
        batch = await self._takeable(dict(oldest[:BATCH])) if found else {}
        return batch, len(oldest) > BATCH or waiting.look

    async def _find_end(self) -> End | None:
        """Read the last segment and clear its flags. None if one of its commits could not be read."""
        found = await self._documents.scan(self._tenant, SEGMENTS, limit=1, descending=True)
        if not found:
            return End(0, 0)
        _, head = found[0]
        if head["number"] != self._cleared and not await self._clear_stored(head):
            return None
        self._cleared = head["number"]
        return End(head["number"], head["last"])

    async def _clear_stored(self, segment: Body) -> bool:
        """Clear what a segment holds. False if one of its commits could not be read."""
        positions = _positions(segment)
        documents = await self._documents.find_many(self._tenant, COMMITS, positions)
        await self._clear(documents, positions)
        return len(documents) == len(positions)

    async def _clear(self, documents: Mapping[str, Body], positions: Mapping[str, int]) -> None:
        """Note in each of these commits its position in place of the flag."""
        writes: list[Write] = []
        for id, document in documents.items():
            if "pending" in document:
                cleared: Body = {name: value for name, value in document.items() if name != "pending"}
                cleared["position"] = positions[id]
                guard = {"pending": document["pending"]}
                writes.append(Replace(self._tenant, COMMITS, id, cleared, guard, known=document))
        if writes:
            # A guard that is not met says that another sequencer has cleared this one already, to the same position.
            await self._documents.write(writes)

    async def _takeable(self, pending: Mapping[tuple[str, int], Body]) -> dict[tuple[str, int], Body]:
        """Those whose predecessor is taken too or has its position, each after its predecessor, by stream and version.

        A scan is no snapshot: it may show a commit and have missed the one before it. Such a predecessor is fetched
        and, if it still waits, taken along.
        """
        bodies = dict(pending)
        waiting = set(bodies)
        asked = self._missing(waiting)
        while asked:
            ids = {commit_id(*key): key for key in asked}
            found = await self._documents.find_many(self._tenant, COMMITS, ids)
            for id, key in ids.items():
                if id in found and "pending" not in found[id]:
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

    def _missing(self, waiting: set[tuple[str, int]]) -> set[tuple[str, int]]:
        """Predecessors of which it is not known whether they wait or have their position."""
        predecessors = {(stream, version - 1) for stream, version in waiting if version > 1} - waiting
        return {key for key in predecessors if not self._placed.reaches((self._tenant, key[0]), key[1])}


def _positions(segment: Body) -> dict[str, int]:
    """The position of each commit of a segment, by the commit's id."""
    return {commit_id(stream, version): at for at, (stream, version) in enumerate(segment["commits"], segment["first"])}


class SequencerLoop:
    """A replica's sequencer: works on every tenant's log while it holds the lease.

    Woken by the doorbell, which each append of this process rings; what others append it is told of, or finds by looking, less and
    less often, down to once each ``idle_seconds``. After a round that took something it rests as long as that lasted, 20 ms at most: under
    load more comes at once, and what comes after a pause is taken at once.
    """

    def __init__(
        self,
        documents: Documents,
        tenants: Callable[[], Awaitable[list[str]]],
        *,
        owner: str,
        bell: Doorbell,
        placed: Placed,
        lease_ttl_ms: int,
        idle_seconds: float,
    ) -> None:
        self._documents = documents
        self._tenants = tenants
        self._bell = bell
        self._placed = placed
        self._idle = idle_seconds
        self._sequencers: dict[str, Sequencer] = {}
        self._lease = Lease(documents, "sequencer", owner, lease_ttl_ms)
        self._task: asyncio.Task[None] | None = None

    @property
    def leading(self) -> bool:
        """Whether this replica holds the lease, as far as it knows."""
        return self._lease.epoch > 0

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(lead(self._lease, self._work), name="sequencer")

    def waiting(self, tenant: str) -> Waiting:
        """What waits of a tenant's commits, as far as this process knows."""
        return self._sequencer(tenant).waiting

    def look(self) -> None:
        """Others have appended."""
        for sequencer in self._sequencers.values():
            sequencer.waiting.look = True
        self._bell.ring()

    def _sequencer(self, tenant: str) -> Sequencer:
        if tenant not in self._sequencers:
            self._sequencers[tenant] = Sequencer(self._documents, tenant, self._placed)
        return self._sequencers[tenant]

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _work(self, _epoch: int) -> None:
        wait, time = _SHORTEST_WAIT, asyncio.get_running_loop().time
        try:
            while True:
                rung, began = self._bell.listen(), time()
                try:
                    taken, more = await self.round()
                except Exception:
                    _log.warning("sequencing stopped short and starts over", exc_info=True)
                    taken, more = 0, False
                if more:
                    continue
                if taken:
                    await asyncio.sleep(min(time() - began, _LONGEST_REST))
                wait = _SHORTEST_WAIT if taken else min(self._idle, wait * 2)
                await Doorbell.wait(rung, wait)
        finally:
            for sequencer in self._sequencers.values():
                sequencer.forget()

    async def round(self) -> tuple[int, bool]:
        """One step for every tenant; how many commits got their positions, and whether there may be more of them at once."""
        taken, more = 0, False
        for tenant in await self._tenants():
            sequencer = self._sequencer(tenant)
            taken += await sequencer.step()
            more = more or sequencer.more
        return taken, more
