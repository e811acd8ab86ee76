"""Cursors that are written a little late, those of all followers of a log in one write."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from atelier_common.documents.port import Documents, Replace

DURABLE_WITHIN = 0.5
"""Seconds that a durable cursor may lag behind what is done: what a crash makes a follower do again."""
_log = logging.getLogger("atelier.cursors")


class Kept(Protocol):
    """One whose cursors stand further than they are written."""

    def unsaved(self) -> list[Replace]:
        """The writes that make its cursors durable where they stand now."""
        ...

    def saved(self, written: Sequence[Replace], outcomes: Sequence[bool]) -> None:
        """These were written; False: somebody else has claimed the cursor."""
        ...


class LateCursors:
    """Writes the cursors of those who ask on the next stroke of a clock that strikes every ``DURABLE_WITHIN`` seconds."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self._late: dict[Kept, None] = {}
        self._writing = asyncio.Lock()
        self._stroke: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None

    def later(self, kept: Kept) -> None:
        """Write what this one has unsaved, on the next stroke."""
        self._late[kept] = None
        if self._stroke is None:
            loop = asyncio.get_running_loop()
            at = (loop.time() // DURABLE_WITHIN + 1) * DURABLE_WITHIN
            self._stroke = loop.call_at(at, self._strike)

    def forget(self, kept: Kept) -> None:
        """This one follows no longer: what it has not saved its successor does again."""
        self._late.pop(kept, None)
        if not self._late and self._stroke is not None:
            self._stroke.cancel()
            self._stroke = None

    async def save(self) -> None:
        """Write everything late now."""
        async with self._writing:
            late, self._late = self._late, {}
            writes = [(kept, kept.unsaved()) for kept in late]
            flat = [write for _, of_one in writes for write in of_one]
            try:
                outcomes = iter(await self._documents.write(flat) if flat else ())
            except BaseException:
                for kept in late:
                    self.later(kept)
                raise
            for kept, of_one in writes:
                kept.saved(of_one, [next(outcomes) for _ in of_one])

    def _strike(self) -> None:
        self._stroke = None
        self._task = asyncio.get_running_loop().create_task(self._save_or_wait(), name="late cursors")

    async def _save_or_wait(self) -> None:
        try:
            await self.save()
        except Exception as error:
            _log.warning("cursors cannot be written (%s); the next stroke tries again", type(error).__name__)
