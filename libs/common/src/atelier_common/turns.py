"""Taking turns within one process: of those who want the same key, one at a time."""

import asyncio
from collections.abc import Collection, Hashable


class Turns:
    """Who waits for a key goes on when its holder is done; keys that nobody shares cost nobody anything."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, list[asyncio.Future[None]]] = {}

    async def take(self, keys: Collection[Hashable]) -> None:
        """Hold all of these keys, once none of them is held. Follow it with ``try`` and :meth:`give_back` in ``finally``."""
        while not self._waiting.keys().isdisjoint(keys):
            holder = next(self._waiting[key] for key in keys if key in self._waiting)
            free: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            holder.append(free)
            await free
        waiting: list[asyncio.Future[None]] = []
        for key in keys:
            self._waiting[key] = waiting

    def give_back(self, keys: Collection[Hashable]) -> None:
        """Let go of the keys that one :meth:`take` took."""
        waiting: list[asyncio.Future[None]] = []
        for key in keys:
            waiting = self._waiting.pop(key)
        for free in waiting:
            if not free.done():
                free.set_result(None)
