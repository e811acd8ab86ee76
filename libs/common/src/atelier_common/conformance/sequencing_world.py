"""The world of the sequencing suites: documents, what is written to them, and what must come of it."""

import asyncio
from typing import Any

import pytest

from atelier_common.conformance.interruption import InterruptedDocuments
from atelier_common.conformance.material import append, commit
from atelier_common.conformance.on_documents import OnDocuments
from atelier_common.documents.port import Body, Documents
from atelier_common.eventstore.documents import DocumentEventStore
from atelier_common.eventstore.layout import FIRST_COMMIT, LAST_SEGMENT, LOG, commit_document
from atelier_common.eventstore.sequencer import Sequencer
from atelier_common.eventstore.sequencing import SequencerLoop

STREAMS = ("a/1", "b/1", "c/1")


class SequencingWorld(OnDocuments):
    """What the suites have in common."""

    store: DocumentEventStore

    @pytest.fixture(autouse=True)
    async def _store(self, _documents: None) -> None:
        self.store = DocumentEventStore(self.documents, sequencing=False)
        await self.store.start()

    async def write(self, tenant: str, first: int, last: int) -> None:
        """Versions first..last of three streams, written version by version."""
        for version in range(first, last + 1):
            await append(self.store, *(commit(stream, version, tenant=tenant) for stream in STREAMS))

    async def drain(self, tenant: str, documents: Documents | None = None) -> int:
        sequencer, taken = Sequencer(documents or self.documents, tenant), 0
        while step := await sequencer.step():
            taken += step
        await sequencer.clear()
        return taken

    async def segments(self, tenant: str) -> list[Body]:
        return [body for _, body in await self.documents.scan(tenant, LOG, high=LAST_SEGMENT)]

    async def commits(self, tenant: str) -> list[tuple[str, Body]]:
        return await self.documents.scan(tenant, LOG, low=FIRST_COMMIT, limit=10_000)

    async def leave_uncleared(self, tenant: str, last: int) -> None:
        """Write versions 1..last, give each its positions in a segment of its own, and die before any mark is cleared."""
        sequencer = Sequencer(self.documents, tenant)
        for version in range(1, last + 1):
            await self.write(tenant, version, version)
            assert await sequencer.step() == len(STREAMS)

    def bodies(self, tenant: str, version: int) -> list[Body]:
        return [commit_document(commit(stream, version, tenant=tenant), version) for stream in STREAMS]

    async def check(self, tenant: str, versions: int) -> None:
        """Everything stands in the log once, dense and in stream order, and nothing is left pending."""
        segments = await self.segments(tenant)
        assert [body["number"] for body in segments] == list(range(1, len(segments) + 1))
        placed = [(stream, version) for body in segments for stream, version in body["commits"]]
        assert len(placed) == versions * len(STREAMS)
        for stream in STREAMS:
            assert [version for name, version in placed if name == stream] == list(range(1, versions + 1))
        log = await self.store.read_log(tenant, 0, limit=10_000)
        assert [(c.stream, c.version) for c in log] == placed
        assert [c.position for c in log] == list(range(1, len(placed) + 1))
        assert await self.documents.scan(tenant, LOG, "pending") == []
        kept = [body for _, body in await self.commits(tenant)]
        assert {(body["stream"], body["version"]): body["position"] for body in kept} == {
            key: position for position, key in enumerate(placed, 1)
        }

    def a_leader(self, documents: Documents | None = None) -> tuple[DocumentEventStore, SequencerLoop]:
        """A replica and its sequencers, without a lease: whose rounds the test takes itself."""
        leader = DocumentEventStore(documents or self.documents)
        assert leader._loop is not None
        return leader, leader._loop


async def is_held_up(task: asyncio.Task[Any], at: InterruptedDocuments) -> bool:
    """Whether the task came to where it is interrupted; False: it ended before."""
    await asyncio.wait({task, asyncio.create_task(at.reached.wait())}, return_when=asyncio.FIRST_COMPLETED)
    return not task.done()
