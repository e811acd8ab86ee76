"""A client of any document database that can be stopped, or robbed of a reply, at a chosen call."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from atelier_common.documents.port import Body, Documents, Insert, Write

Moment = Literal["before", "after"]


class InterruptedDocuments:
    """Passes every call on. At call number ``at`` (from 1), ``before`` or ``after`` its effect, it fails or, with
    ``pause``, waits.

    ``calls`` counts them; ``reached`` is set at the interruption; ``resume`` ends a pause.
    """

    def __init__(self, documents: Documents, at: int = 0, moment: Moment = "before", *, pause: bool = False) -> None:
        self._documents = documents
        self._at = at
        self._moment = moment
        self._pause = pause
        self.calls = 0
        self.reached = asyncio.Event()
        self.resume = asyncio.Event()

    def interrupt_next(self, moment: Moment) -> None:
        """Interrupt the call that comes next."""
        self._at, self._moment = self.calls + 1, moment

    async def _interrupt(self, call: int, moment: Moment) -> None:
        if (call, moment) != (self._at, self._moment):
            return
        self.reached.set()
        if not self._pause:
            raise ConnectionError(f"interrupted {moment} call {call}")
        await self.resume.wait()

    async def _begin(self) -> int:
        self.calls += 1
        call = self.calls
        await self._interrupt(call, "before")
        return call

    async def ensure_index(self, collection: str, fields: Sequence[str]) -> None:
        await self._documents.ensure_index(collection, fields)

    async def write(self, writes: Sequence[Write]) -> list[bool]:
        call = await self._begin()
        outcomes = await self._documents.write(writes)
        await self._interrupt(call, "after")
        return outcomes

    async def insert_in_order(self, inserts: Sequence[Insert]) -> int:
        call = await self._begin()
        inserted = await self._documents.insert_in_order(inserts)
        await self._interrupt(call, "after")
        return inserted

    async def find(self, tenant: str, collection: str, id: str) -> Body | None:
        call = await self._begin()
        found = await self._documents.find(tenant, collection, id)
        await self._interrupt(call, "after")
        return found

    async def find_many(self, tenant: str, collection: str, ids: Iterable[str]) -> dict[str, Body]:
        call = await self._begin()
        found = await self._documents.find_many(tenant, collection, ids)
        await self._interrupt(call, "after")
        return found

    async def scan(
        self,
        tenant: str,
        collection: str,
        field: str = "_id",
        low: Any = None,
        high: Any = None,
        limit: int = 1000,
        descending: bool = False,
    ) -> list[tuple[str, Body]]:
        call = await self._begin()
        found = await self._documents.scan(tenant, collection, field, low, high, limit, descending)
        await self._interrupt(call, "after")
        return found
