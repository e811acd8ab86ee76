"""Followers of a service's log, one per purpose, each with a durable cursor under a lease's epoch."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from atelier_common.commit import Commit
from atelier_common.documents.port import Below, Documents, Replace, Write
from atelier_common.eventstore.port import EventStore

CURSORS = "cursors"
_log = logging.getLogger("atelier.follower")


class LeadershipLost(Exception):
    """Another replica took over; whatever this one still does is fenced off."""


@dataclass(frozen=True, slots=True)
class Handled:
    """A handler is done up to and including ``position``; ``writes`` go out before the cursor moves."""

    position: int
    writes: tuple[Write, ...] = ()


Handle = Callable[[str, Sequence[Commit]], Awaitable[Handled]]


class Follower:
    """Reads each tenant's log in order from its own cursor and hands it on in batches.

    At least once: after a crash, the commits between the last durable cursor and the crash come again. The cursor moves forward
    only, after the handler's writes, and only while ``epoch`` is the newest that has claimed it. A handler that raises is tried again
    from the cursor after a pause that grows to ``slowest`` seconds; it blocks nobody but itself.
    """

    def __init__(
        self,
        name: str,
        store: EventStore,
        documents: Documents,
        handle: Handle,
        *,
        batch: int = 500,
        idle: float = 1.0,
        slowest: float = 5.0,
        advanced: Callable[[str, int], None] | None = None,
    ) -> None:
        self.name = name
        self._store = store
        self._documents = documents
        self._handle = handle
        self._batch = batch
        self._idle = idle
        self._slowest = slowest
        self._advanced = advanced
        self._positions: dict[str, int] = {}
        self._epoch = 0
        self.last_error: str | None = None

    def position(self, tenant: str) -> int:
        """How far this process has followed the tenant's log."""
        return self._positions.get(tenant, 0)

    async def run(self, epoch: int) -> None:
        """Follow until cancelled or, with LeadershipLost, until a newer epoch has claimed a cursor."""
        self._epoch = epoch
        self._positions.clear()
        pause = 0.05
        while True:
            rung = self._store.changed.listen()
            try:
                moved = await self._once()
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
            if not moved:
                await self._store.changed.wait(rung, self._idle)

    async def _once(self) -> bool:
        moved = False
        for tenant in await self._store.tenants():
            after = self._positions.get(tenant)
            if after is None:
                after = await self._claim(tenant)
            commits = await self._store.read_log(tenant, after, self._batch)
            if not commits:
                continue
            handled = await self._handle(tenant, commits)
            if handled.position <= after:
                continue
            await self._advance(tenant, handled)
            moved = True
        return moved

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
        return position

    async def _advance(self, tenant: str, handled: Handled) -> None:
        cursor = Replace(
            tenant,
            CURSORS,
            self.name,
            {"position": handled.position, "epoch": self._epoch},
            {"epoch": self._epoch},
        )
        outcomes = await self._documents.write([*handled.writes, cursor])
        if not outcomes[-1]:
            raise LeadershipLost(self.name)
        self._positions[tenant] = handled.position
        if self._advanced is not None:
            self._advanced(tenant, handled.position)
