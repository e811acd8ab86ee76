"""Inserts that wait at the same moment go out as one.

A server of the protocol takes a hundred documents in one insert for little more than one, and each of them is durable, or refused for
its id, by itself. So who writes while others' inserts are on their way waits for the next to leave and goes with all that wait.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from atelier_common.documents.port import Insert

UNDER_WAY = 2
"""Inserts into one collection that may be on their way at once: with one, whoever comes would wait for the whole of it."""
TOGETHER = 100
"""Documents that leave together at the most."""
Send = Callable[[Sequence[Insert]], Awaitable[list[bool]]]


class JoinedInserts:
    """``send`` writes documents of one collection, no two of one id, and says of each whether it was inserted."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: dict[str, dict[tuple[str, str], tuple[Insert, asyncio.Future[bool]]]] = {}
        self._under_way: dict[str, set[asyncio.Task[None]]] = {}

    async def insert(self, write: Insert) -> bool:
        """Whether it was inserted; False: its id is taken. Raises what ``send`` raises, and then so do all that left together.

        Who is cancelled leaves alone: what was sent goes on, and its outcome is not known.
        """
        waiting = self._waiting.setdefault(write.collection, {})
        while (other := waiting.get((write.tenant, write.id))) is not None:
            await asyncio.wait([other[1]])
        outcome: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        waiting[(write.tenant, write.id)] = (write, outcome)
        self._leave(write.collection)
        return await outcome

    def _leave(self, collection: str) -> None:
        under_way = self._under_way.setdefault(collection, set())
        if self._waiting[collection] and len(under_way) < UNDER_WAY:
            task = asyncio.create_task(self._go(collection), name=f"inserts into {collection}")
            under_way.add(task)
            task.add_done_callback(lambda done: self._arrived(collection, done))

    def _arrived(self, collection: str, task: asyncio.Task[None]) -> None:
        self._under_way[collection].discard(task)
        self._leave(collection)

    async def _go(self, collection: str) -> None:
        waiting = self._waiting[collection]
        left = [waiting.pop(key) for key in list(waiting)[:TOGETHER]]
        together = [(write, outcome) for write, outcome in left if not outcome.done()]
        if not together:
            return
        try:
            inserted = await self._send([write for write, _ in together])
        except Exception as error:
            for _, outcome in together:
                if not outcome.done():
                    outcome.set_exception(error)
        except BaseException:
            for _, outcome in together:
                outcome.cancel()
            raise
        else:
            for (_, outcome), is_new in zip(together, inserted, strict=True):
                if not outcome.done():
                    outcome.set_result(is_new)
