"""The world of the consuming suites: an owner of notes, a bus, and a reader whose every step the test takes itself."""

from typing import Any

import pytest

from atelier_common.bus.memory import MemoryBus
from atelier_common.conformance.material import TENANT
from atelier_common.conformance.notes import (
    NOTED,
    SERVICE,
    SUBSCRIPTION,
    TOPICS,
    Counted,
    Log,
    Noted,
    Notes,
    Reader,
    WatchedBackfill,
)
from atelier_common.consumer import Subscription

OLDER_RELEASE = Subscription(SERVICE, TOPICS, {NOTED: SUBSCRIPTION.types[NOTED]}, SUBSCRIPTION.unsubscribed)
"""A reader that does not know :data:`COUNTED` yet."""


class ReadingWorld:
    """What the suites have in common; :meth:`make_log` is the adapter's."""

    async def make_log(self) -> Log:
        """A new, empty log and the documents beside it, not started. Called several times in a test."""
        raise NotImplementedError

    bus: MemoryBus
    notes: Notes
    backfill: WatchedBackfill
    reader: Reader

    @pytest.fixture(autouse=True)
    async def _world(self) -> Any:
        self._logs: list[Log] = []
        self._readers: list[Reader] = []
        self.bus = MemoryBus(partitions=2)
        self.backfill = WatchedBackfill()
        self.notes = Notes(await self.new_log(), self.bus)
        self.backfill.owner = self.notes
        self.reader = await self.join(await self.new_log())
        yield
        for reader in self._readers:
            await reader.inlet.leave()
        for log in self._logs:
            await log.store.close()

    async def new_log(self) -> Log:
        log = await self.make_log()
        await log.store.start()
        self._logs.append(log)
        return log

    async def join(self, log: Log, subscription: Subscription = SUBSCRIPTION) -> Reader:
        """A replica of the reader joins its group."""
        reader = Reader(log, self.bus, self.backfill, subscription)
        await reader.inlet.join()
        self._readers.append(reader)
        return reader

    async def restart(self, subscription: Subscription = SUBSCRIPTION) -> Reader:
        """The reader goes, as killed, and comes back, perhaps as another release."""
        await self.reader.inlet.leave()
        self.reader = await self.join(self.reader.log, subscription)
        return self.reader

    async def send(self, stream: str, *numbers: int, tenant: str = TENANT) -> None:
        """Put the contract events of a stream, counted from 1, on the bus; all if none is named."""
        messages = await self.notes.messages(stream, tenant)
        wanted = messages if not numbers else [messages[number - 1] for number in numbers]
        await self.bus.publish(f"{SERVICE}.{stream.partition('/')[0]}", wanted)

    async def settle(self, *streams: str) -> None:
        """Send whole streams and take them in."""
        for stream in streams:
            await self.send(stream)
        await self.reader.take_in()

    async def park_counted(self) -> None:
        """``note/a`` is parked at its second event by a release that does not know it; ``note/b`` went on."""
        await self.restart(OLDER_RELEASE)
        await self.notes.write("note/a", Noted("1"))
        await self.notes.write("note/a", Counted(2))
        await self.notes.write("note/a", Noted("3"))
        await self.notes.note("note/b", "1", "2")
        await self.settle("note/a", "note/b")

    async def restore_owner(self, streams: dict[str, int]) -> None:
        self.notes = await self.notes.restored(await self.new_log(), streams)
        self.backfill.owner = self.notes
