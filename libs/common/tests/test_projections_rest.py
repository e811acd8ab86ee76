"""A projection rests under load, so that a document is written once for many events, but lets nobody wait."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from atelier_common.bus.memory import MemoryBus
from atelier_common.conformance.material import TENANT
from atelier_common.conformance.notes import Log, Notes
from atelier_common.conformance.running import PAGES
from atelier_common.conformance.running_world import come_to, following, texts
from atelier_common.documents.memory import MemoryDocuments
from atelier_common.documents.port import Documents, Write
from atelier_common.eventstore.documents import DocumentEventStore
from atelier_common.projecting import ProjectionRunner
from atelier_common.projection import ReadModel
from atelier_common.testing.simulation import simulate

WRITE_SECONDS = 0.01


class Slow:
    """Counts the writes of the pages, each of which takes its time."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self.writes = 0

    async def write(self, writes: Sequence[Write]) -> list[bool]:
        if any(write.collection == PAGES for write in writes):
            self.writes += 1
            await asyncio.sleep(WRITE_SECONDS)
        return await self._documents.write(writes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._documents, name)


class Rig:
    """A log, a projection of it and who reads that."""

    def __init__(self) -> None:
        self.slow = Slow(MemoryDocuments())
        self.store = DocumentEventStore(self.slow)
        self.notes = Notes(Log(self.store, self.slow), MemoryBus())
        self.model = ReadModel(texts(), self.slow, self.store)
        self.model.activate(PAGES)
        self.runner = ProjectionRunner(texts(), self.store, self.slow, self.notes.registry, self.model)


@asynccontextmanager
async def a_rig() -> AsyncIterator[Rig]:
    rig = Rig()
    await rig.store.start()
    async with following(rig.runner):
        yield rig
    await rig.store.close()


def test_under_load_a_document_is_written_once_for_many_events() -> None:
    async def live() -> None:
        async with a_rig() as rig:
            for number in range(100):
                await rig.notes.note("note/a", str(number))
                await asyncio.sleep(WRITE_SECONDS)
            await come_to(rig.runner.follower, 100)
        assert rig.slow.writes < 100 / 5

    simulate(live())


def test_who_waits_for_a_read_model_does_not_wait_for_its_rest() -> None:
    async def live() -> None:
        time = asyncio.get_running_loop().time
        async with a_rig() as rig:
            for number in range(1, 21):
                await rig.notes.note("note/a", str(number))
                began = time()
                assert await rig.model.reached(TENANT, number)
                assert time() - began < 3 * WRITE_SECONDS
        assert rig.slow.writes == 20

    simulate(live())
