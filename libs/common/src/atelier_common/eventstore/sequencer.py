"""Gives positions: reads what is pending and writes it down in the next segment.

The lease only spares work. That positions are dense and that nothing is taken twice rests on the order of the steps and
on one thing alone, that of two inserts of segment k+1 one fails:

1. read the head segment k;
2. clear the pending flag of exactly the commits stored in k (those of earlier segments were cleared before k was
   written);
3. read what is pending: nothing of it stands in any segment up to k;
4. insert segment k+1. If somebody else has written it, or the outcome is unknown: start over. Nothing is cleared from
   memory.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from atelier_common.documents.port import Body, Documents, Insert, Replace, Write
from atelier_common.doorbell import Doorbell
from atelier_common.eventstore.layout import COMMITS, SEGMENTS, commit_id, commit_of, segment_id
from atelier_common.lease import Lease, lead
from atelier_common.telemetry import names, tracing

BATCH = 500
_log = logging.getLogger(__name__)


class Sequencer:
    """Sequences one tenant's log. Any number may run at once; each :meth:`step` is safe on its own."""

    def __init__(self, documents: Documents, tenant: str) -> None:
        self._documents = documents
        self._tenant = tenant

    async def step(self) -> int:
        """One round; the number of commits that got their positions by it. 0: nothing is pending, or another was
        faster.

        Raises what the database raises; then the outcome is unknown and the next round finds out.
        """
        if not await self._documents.scan(self._tenant, COMMITS, "pending", limit=1):
            return 0
        found = await self._documents.scan(self._tenant, SEGMENTS, limit=1, descending=True)
        head: Body = found[0][1] if found else {"number": 0, "last": 0, "commits": [], "first": 1}
        if not await self._clear(head):
            return 0
        pending = await self._documents.scan(self._tenant, COMMITS, "pending", limit=BATCH)
        batch = await self._takeable(pending)
        if not batch:
            return 0
        number, first = head["number"] + 1, head["last"] + 1
        segment: Body = {"number": number, "first": first, "last": first + len(batch) - 1, "commits": batch}
        traces = (commit_of(self._tenant, body).trace for _, body in pending)
        with tracing.batch_span(names.SPAN_SEQUENCE, traces, {names.COMMIT_COUNT: len(batch)}):
            (won,) = await self._documents.write([Insert(self._tenant, SEGMENTS, segment_id(number), segment)])
            if won:
                await self._clear(segment)
        return len(batch) if won else 0

    async def _clear(self, segment: Body) -> bool:
        """Note in each commit of the segment its position in place of the flag. False if one could not be read."""
        positions = {
            commit_id(stream, version): at for at, (stream, version) in enumerate(segment["commits"], segment["first"])
        }
        documents = await self._documents.find_many(self._tenant, COMMITS, positions)
        writes: list[Write] = []
        for id, document in documents.items():
            if "pending" in document:
                cleared: Body = {name: value for name, value in document.items() if name != "pending"}
                cleared["position"] = positions[id]
                writes.append(Replace(self._tenant, COMMITS, id, cleared, {"pending": document["pending"]}))
        if writes:
            # A guard that is not met says that another sequencer has cleared this one already, to the same position.
            await self._documents.write(writes)
        return len(documents) == len(positions)

    async def _takeable(self, pending: Sequence[tuple[str, Body]]) -> list[tuple[str, int]]:
        """(stream, version) of those whose predecessor is taken too or has its position, each after its predecessor.

        A scan is no snapshot: it may show a commit and have missed the one before it. Such a predecessor is fetched
        and, if it still waits, taken along.
        """
        waiting = {(body["stream"], body["version"]) for _, body in pending}
        placed: set[tuple[str, int]] = set()
        asked = _missing(waiting, placed)
        while asked:
            ids = {commit_id(*key): key for key in asked}
            found = await self._documents.find_many(self._tenant, COMMITS, ids)
            for id, key in ids.items():
                if id in found and "pending" not in found[id]:
                    placed.add(key)
                elif id in found:
                    waiting.add(key)
                else:
                    waiting.difference_update([later for later in waiting if later[0] == key[0] and later[1] > key[1]])
            asked = _missing(waiting, placed)
        oldest: dict[str, int] = {}
        for _, body in pending:
            oldest.setdefault(body["stream"], len(oldest))
        return sorted(waiting, key=lambda key: (oldest[key[0]], key))


def _missing(waiting: set[tuple[str, int]], placed: set[tuple[str, int]]) -> set[tuple[str, int]]:
    """Predecessors of which it is not known whether they wait or have their position."""
    predecessors = {(stream, version - 1) for stream, version in waiting if version > 1}
    return predecessors - waiting - placed


class SequencerLoop:
    """A replica's sequencer: works on every tenant's log while it holds the lease.

    Woken by the doorbell; otherwise it looks less and less often, down to once each ``idle_seconds``.
    """

    def __init__(
        self,
        documents: Documents,
        tenants: Callable[[], Awaitable[list[str]]],
        *,
        owner: str,
        bell: Doorbell,
        changed: Doorbell,
        lease_ttl_ms: int,
        idle_seconds: float,
    ) -> None:
        self._documents = documents
        self._tenants = tenants
        self._bell = bell
        self._changed = changed
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

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _work(self, _epoch: int) -> None:
        wait = 0.001
        while True:
            rung = self._bell.listen()
            try:
                taken = await self.round()
            except Exception:
                _log.warning("sequencing stopped short and starts over", exc_info=True)
                taken = 0
            if taken:
                wait = 0.001
                continue
            wait = 0.001 if await Doorbell.wait(rung, wait) else min(self._idle, wait * 2)

    async def round(self) -> int:
        """One step for every tenant; how many commits got their positions."""
        taken = 0
        for tenant in await self._tenants():
            sequencer = self._sequencers.setdefault(tenant, Sequencer(self._documents, tenant))
            taken += await sequencer.step()
        if taken:
            self._changed.ring()
        return taken
