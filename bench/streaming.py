"""Sends xAPI statements over HTTP, a few requests at a time, and says how fast they went."""

import asyncio
import time
from collections.abc import Callable, Sequence

from bench.posting import Poster

_XAPI = {"X-Experience-API-Version": "1.0.3"}
_PATH = "/assessment/xapi/statements"


async def stream(
    posting: Poster,
    statements: Sequence[bytes],
    batch: int,
    lanes: int,
    sent: Callable[[int], None] = lambda _count: None,
) -> None:
    """Post statements (JSON each), ``batch`` in a request, ``lanes`` requests under way. ``sent`` is told each acknowledged count."""
    following = iter(range(0, len(statements), batch))

    async def lane() -> None:
        for start in following:
            some = statements[start : start + batch]
            body = b"[" + b",".join(some) + b"]" if batch > 1 else some[0]
            await posting.post(_PATH, body, _XAPI)
            sent(len(some))

    async with asyncio.TaskGroup() as group:
        for _ in range(lanes):
            group.create_task(lane())


class Progress:
    """Prints a line now and then: how many are acknowledged, and how many a second."""

    def __init__(self, what: str, total: int, every: float = 15.0) -> None:
        self._what, self._total, self._every = what, total, every
        self.done = 0
        self._began = self._told = time.monotonic()

    def __call__(self, count: int) -> None:
        self.done += count
        now = time.monotonic()
        if now - self._told >= self._every or self.done == self._total:
            self._told = now
            rate = self.done / max(now - self._began, 1e-9)
            print(f"  {self._what}: {self.done:,} of {self._total:,}, {rate:,.0f}/s", flush=True)
