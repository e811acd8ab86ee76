"""A long log read in pages, the next of which are on their way while one is worked on."""

import asyncio
from collections import deque

from atelier_common.commit import Commit
from atelier_common.eventstore.port import EventStore

_PAGES_AHEAD = 2


class ReadingAhead:
    """The commits of a tenant's log after position ``after``, in order, ``page`` at a time, up to about ``most`` of them.

    It ends behind a short page: the very end of a log would be chased for as long as somebody writes. Close it in any case.
    """

    def __init__(self, store: EventStore, tenant: str, after: int, page: int, most: int) -> None:
        self._store = store
        self._tenant = tenant
        self._page = page
        self._next = after
        self._until = after + most
        self._asked: deque[asyncio.Task[list[Commit]]] = deque()

    def ask(self) -> None:
        """Have the next pages looked for, as far as the log is known to reach."""
        until = min(self._until, self._store.known_head(self._tenant))
        while self._next < until and len(self._asked) < _PAGES_AHEAD:
            self._asked.append(asyncio.create_task(self._store.read_log(self._tenant, self._next, self._page)))
            self._next += self._page

    async def next(self) -> list[Commit]:
        """The next page; empty at the end. Raises what the store raises."""
        self.ask()
        if not self._asked:
            return []
        commits = await self._asked.popleft()
        if len(commits) < self._page:
            self._until = 0
            await self.close()
        return commits

    async def close(self) -> None:
        """Ask for nothing more."""
        asked, self._asked = self._asked, deque()
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
