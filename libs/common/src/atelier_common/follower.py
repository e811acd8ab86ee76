"""Followers of a service's log, one per purpose, each with a durable cursor under a lease's epoch."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence, Set
from dataclasses import dataclass

from atelier_common.commit import Commit
from atelier_common.documents.port import Below, Documents, Replace, Write
from atelier_common.doorbell import Doorbell
from atelier_common.eventstore.port import EventStore
from atelier_common.watching import LogWatch

CURSORS = "cursors"
DURABLE_WITHIN = 0.25
"""Seconds that the durable cursor may lag behind what is done: what a crash makes a follower do again."""
_REST_FOR_WORK = 2.0
_LONGEST_REST = 0.02
_log = logging.getLogger("atelier.follower")


class LeadershipLost(Exception):
    """Another replica took over; whatever this one still does is fenced off."""


@dataclass(frozen=True, slots=True)
class Handled:
    """A handler is done up to and including ``position``; ``writes`` go out before the cursor moves."""

    position: int
    writes: tuple[Write, ...] = ()


Handle = Callable[[str, Sequence[Commit]], Awaitable[Handled]]
Wants = Callable[[Set[str]], bool]
"""Whether commits with events of these stored types and no others have to be handled."""


def _everything(_present: Set[str]) -> bool:
    return True


class Follower:
    """Reads each tenant's log in order from its own cursor and hands it on in batches.

    At least once: after a crash, the commits between the last durable cursor and the crash come again. The cursor moves forward
    only, after the handler's writes, and only while ``epoch`` is the newest that has claimed it. A handler that raises is tried again
    from the cursor after a pause that grows to ``slowest`` seconds; it blocks nobody but itself.

    Commits that ``wants`` has no use for are passed over unseen. The position counts in memory as soon as everything up to it is
    done; the durable cursor is written with the first work after a quarter of a second (``DURABLE_WITHIN``) and at the latest that much
    later, so it lags by at most this, never leads, and a follower that is replaced may only in this time do what its successor does
    too. Every follower of the kernel bears that: documents carry watermarks, commands the id of their cause, messages their identity.

    After work a follower rests for a moment (twice as long as the work took, at most 20 ms), so that under load more comes at once; the
    first commit after a pause is handled at once.
    """

    def __init__(
        self,
        name: str,
        store: EventStore,
        documents: Documents,
        handle: Handle,
        *,
        batch: int = 500,
        slowest: float = 5.0,
        advanced: Callable[[str, int], None] | None = None,
        wants: Wants = _everything,
        watch: LogWatch | None = None,
    ) -> None:
        self.name = name
        self._store = store
        self._documents = documents
        self._handle = handle
        self._batch = batch
        self._slowest = slowest
        self._advanced = advanced
        self._wants = wants
        self._watch = watch or LogWatch(store)
        self._bell = Doorbell()
        self._looking = False
        self._positions: dict[str, int] = {}
        self._saved: dict[str, tuple[int, float]] = {}
        self._save_at: float | None = None
        self._cursor = asyncio.Lock()
        self._epoch = 0
        self.last_error: str | None = None

    def position(self, tenant: str) -> int:
        """How far this process has followed the tenant's log."""
        return self._positions.get(tenant, 0)

    def wake(self) -> None:
        """Look for what is new."""
        self._bell.ring()

    def told(self, tenant: str, before: int, last: int, present: Set[str]) -> None:
        """What came after ``before``: passed over where it does not concern this follower and nothing before it is left."""
        position = self._positions.get(tenant, -1)
        if position >= last:
            return
        if self._looking or position < before or self._wants(present):
            self.wake()
        else:
            self._move(tenant, last)

    async def run(self, epoch: int) -> None:
        """Follow until cancelled or, with LeadershipLost, until a newer epoch has claimed a cursor."""
        self._epoch = epoch
        self._positions.clear()
        self._saved.clear()
        self._save_at = None
        time = asyncio.get_running_loop().time
        pause = 0.05
        with self._watch.telling(self):
            while True:
                rung, began = self._bell.listen(), time()
                self._looking = True
                try:
                    worked, more = await self._once()
                    pause, self.last_error = 0.05, None
                except LeadershipLost:
                    raise
                except Exception as error:
                    if self.last_error != repr(error):
                        _log.warning("%s will try again: %s", self.name, type(error).__name__, exc_info=True)
                    self.last_error = repr(error)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, self._slowest)
                    continue
                finally:
                    self._looking = False
                if more:
                    continue
                if worked:
                    await asyncio.sleep(min(_REST_FOR_WORK * (time() - began), _LONGEST_REST))
                await rung.wait()

    async def _once(self) -> tuple[bool, bool]:
        """Whether something was handled, and whether there is more to be had at once."""
        worked = more = False
        for tenant in await self._store.tenants():
            after = self._positions.get(tenant)
            if after is None:
                after = await self._claim(tenant)
            commits = await self._store.read_log(tenant, after, self._batch)
            if not commits:
                continue
            last = commits[-1].position
            more = more or len(commits) == self._batch
            if not self._wants({stored.type for commit in commits for stored in commit.events}):
                self._move(tenant, last)
                continue
            handled = await self._handle(tenant, commits)
            if handled.position > after:
                await self._advance(tenant, handled)
                worked, more = True, more or handled.position < last
        if self._save_at is not None and asyncio.get_running_loop().time() >= self._save_at:
            await self.save()
        return worked, more

    async def _claim(self, tenant: str) -> int:
        found = await self._documents.find(tenant, CURSORS, self.name)
        position = 0 if found is None else int(found["position"])
        claim = Replace(
            tenant,
            CURSORS,
            self.name,
            {"position": position, "epoch": self._epoch},
            {"epoch": Below(self._epoch + 1), "position": position},
            upsert=True,
        )
        if not (await self._documents.write([claim]))[0]:
            raise LeadershipLost(self.name)
        self._positions[tenant] = position
        self._saved[tenant] = (position, -DURABLE_WITHIN)
        return position

    async def _advance(self, tenant: str, handled: Handled) -> None:
        if asyncio.get_running_loop().time() >= self._saved[tenant][1] + DURABLE_WITHIN:
            await self._write(handled.writes, {tenant: handled.position})
        elif handled.writes:
            await self._documents.write(handled.writes)
        self._move(tenant, handled.position)

    def _move(self, tenant: str, position: int) -> None:
        self._positions[tenant] = position
        if self._save_at is None and self._saved[tenant][0] < position:
            loop = asyncio.get_running_loop()
            # On the stroke of the clock, so that all followers of a database share a transaction.
            self._save_at = (loop.time() // DURABLE_WITHIN + 1) * DURABLE_WITHIN
            loop.call_at(self._save_at, self.wake)
        if self._advanced is not None:
            self._advanced(tenant, position)

    async def save(self) -> None:
        """Make the cursors durable where they stand. Raises LeadershipLost where a newer epoch has claimed one."""
        self._save_at = None
        try:
            await self._write((), dict(self._positions))
        except BaseException:
            self._save_at = asyncio.get_running_loop().time()
            raise

    async def _write(self, writes: Sequence[Write], positions: dict[str, int]) -> None:
        # One at a time, so that a cursor moves forward only.
        async with self._cursor:
            behind = {tenant: position for tenant, position in positions.items() if position > self._saved[tenant][0]}
            cursors = [
                Replace(
                    tenant, CURSORS, self.name, {"position": position, "epoch": self._epoch}, {"epoch": self._epoch}
                )
                for tenant, position in behind.items()
            ]
            if not writes and not cursors:
                return
            outcomes = await self._documents.write([*writes, *cursors])
            if not all(outcomes[len(writes) :]):
                raise LeadershipLost(self.name)
            now = asyncio.get_running_loop().time()
            self._saved.update({tenant: (position, now) for tenant, position in behind.items()})
