"""One look at a service's log for all who follow it, and one write of their cursors."""

import asyncio
import logging
from collections.abc import Iterator, Set
from contextlib import contextmanager
from typing import Protocol

from atelier_common.documents.port import Documents
from atelier_common.eventstore.port import EventStore
from atelier_common.late_cursors import Kept, LateCursors

_AT_ONCE = 500
_SHORTEST_PAUSE = 0.25
_log = logging.getLogger("atelier.watching")


class Told(Kept, Protocol):
    """Whoever follows the log and is told what came."""

    def told(self, tenant: str, before: int, last: int, present: Set[str]) -> None:
        """The commits after ``before``, up to ``last``, hold events of these types and no others."""
        ...

    def reminded(self, tenant: str, seen: int) -> None:
        """Nothing came after ``seen``: whoever is not that far, whatever kept them, looks again."""
        ...

    def wake(self) -> None:
        """Something came; look for yourself."""
        ...


class LogWatch:
    """Reads what is new in each tenant's log once, and tells every follower which event types came.

    So those whom nothing of it concerns need not wake, read and look through it each for themselves. It holds nothing that
    counts: followers read the log themselves. It looks when it is rung; where nobody rings, less and less often, down to once
    in ``idle`` seconds, and it is the only one of them that does.
    """

    def __init__(self, store: EventStore, documents: Documents, *, idle: float = 2.0) -> None:
        self.cursors = LateCursors(documents)
        self._store = store
        self._idle = idle
        self._followers: dict[Told, None] = {}
        self._seen: dict[str, int] = {}
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def telling(self, follower: Told) -> Iterator[None]:
        """Tell this follower, for as long as the context lasts; the watch runs while it has anyone to tell."""
        self._followers[follower] = None
        if self._task is None:
            self._seen.clear()
            self._task = asyncio.create_task(self._run(), name="log watch")
        try:
            yield
        finally:
            self._followers.pop(follower, None)
            self.cursors.forget(follower)
            if not self._followers:
                self._task.cancel()
                self._task = None

    async def _run(self) -> None:
        pause = _SHORTEST_PAUSE
        while True:
            rung = self._store.changed.listen()
            try:
                came = await self._look()
            except Exception as error:
                _log.info("the log cannot be read (%s); each follower looks for itself", type(error).__name__)
                self._seen.clear()
                self._wake_all()
                came = False
            pause = _SHORTEST_PAUSE if came else min(pause * 2, self._idle)
            await self._store.changed.wait(rung, pause)

    async def _look(self) -> bool:
        """Whether anything came."""
        came = False
        for tenant in await self._store.tenants():
            if tenant not in self._seen:
                # How far each of them is in a log that is new here they know themselves.
                self._seen[tenant] = await self._store.head(tenant)
                self._wake_all()
                continue
            while True:
                # What this process is known to hold is read without asking for more behind it.
                known = self._store.known_head(tenant) - self._seen[tenant]
                wanted = min(known, _AT_ONCE) if known > 0 else _AT_ONCE
                commits = await self._store.read_log(tenant, self._seen[tenant], wanted)
                if not commits:
                    break
                came = True
                present = {stored.type for commit in commits for stored in commit.events}
                before, last = self._seen[tenant], commits[-1].position
                self._seen[tenant] = last
                for follower in list(self._followers):
                    follower.told(tenant, before, last, present)
                if len(commits) < wanted or (wanted < _AT_ONCE and last >= self._store.known_head(tenant)):
                    break
            if not came:
                for follower in list(self._followers):
                    follower.reminded(tenant, self._seen[tenant])
        return came

    def _wake_all(self) -> None:
        for follower in list(self._followers):
            follower.wake()
