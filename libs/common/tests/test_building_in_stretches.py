"""A build that nobody reads yet holds what it applies in memory for a while: nothing of that may be lost or counted twice."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from atelier_common import projecting
from atelier_common.conformance.interruption import InterruptedDocuments
from atelier_common.conformance.material import TENANT
from atelier_common.conformance.notes import Log
from atelier_common.conformance.running_world import RunningWorld, texts
from atelier_common.documents.memory import MemoryDocuments
from atelier_common.documents.port import Delete, Documents, Write
from atelier_common.eventstore.documents import DocumentEventStore
from atelier_common.parking import Parking
from atelier_common.projecting import ProjectionRunner

BUILD = "texts.v1.1"
TURNS = 6


class Counting:
    """Counts what is written of each document."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self.written: Counter[str] = Counter()

    async def write(self, writes: Sequence[Write]) -> list[bool]:
        self.written.update(write.id for write in writes if write.collection == BUILD)
        return await self._documents.write(writes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._documents, name)


class TestBuildingInStretches(RunningWorld):
    async def make_log(self) -> Log:
        documents = MemoryDocuments()
        return Log(DocumentEventStore(documents), documents)

    @pytest.fixture(autouse=True)
    def _small_pages(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(projecting, "_PAGE", 3)

    def building(self, documents: Documents | None = None, poison: set[str] | None = None) -> ProjectionRunner:
        runner = self.runner(texts(poison or set()), documents=documents, build=1)
        runner.follower._batch = 2
        return runner

    async def write_in_turns(self) -> None:
        """To each of four pages in turn, so that every page of the log touches most of them."""
        for turn in range(TURNS):
            for key in "abcd":
                await self.notes.note(f"note/{key}", f"{key}{turn}")

    async def all_is_built(self) -> None:
        stored = await self.stored(BUILD)
        assert {key: body["texts"] for key, body in stored.items()} == {
            key: [f"{key}{turn}" for turn in range(TURNS)] for key in "abcd"
        }
        assert sorted(body["watermark"] for body in stored.values()) == [21, 22, 23, 24]

    async def test_a_document_is_written_once_for_all_that_touched_it(self) -> None:
        await self.write_in_turns()
        counting = Counting(self.log.documents)
        await self.apply_all(self.building(counting))
        await self.all_is_built()
        assert counting.written == {"a": 1, "b": 1, "c": 1, "d": 1}

    async def test_no_more_than_so_many_documents_are_held(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(projecting, "_HELD_DOCUMENTS", 4)
        await self.write_in_turns()
        counting = Counting(self.log.documents)
        await self.apply_all(self.building(counting))
        await self.all_is_built()
        assert min(counting.written.values()) > 1

    async def test_no_more_than_so_many_commits_are_held(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(projecting, "_HELD_COMMITS", 6)
        await self.write_in_turns()
        counting = Counting(self.log.documents)
        await self.apply_all(self.building(counting))
        await self.all_is_built()
        assert min(counting.written.values()) > 1

    @pytest.mark.parametrize("moment", ["before", "after"])
    async def test_a_call_or_its_reply_may_be_lost_at_every_step(
        self, moment: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(projecting, "_HELD_DOCUMENTS", 4)
        await self.write_in_turns()
        for at in range(1, 100):
            interrupted = InterruptedDocuments(self.log.documents, at, moment)
            await self.apply_all(self.building(interrupted), epoch=at)
            await self.all_is_built()
            # Half of the time what was written is there when the stretch comes again.
            await self.rewind(f"projection:{BUILD}", 0)
            if at % 2:
                await self.log.documents.write([Delete(TENANT, BUILD, key) for key in "abcd"])
            if not interrupted.reached.is_set():
                break
        assert at > 5

    async def test_a_key_that_fails_is_parked_and_the_others_go_on(self) -> None:
        poison = {"b3"}
        await self.write_in_turns()
        runner = self.building(poison=poison)
        await self.apply_all(runner)
        stored = await self.stored(BUILD)
        assert {key: len(body["texts"]) for key, body in stored.items()} == {"a": 6, "b": 3, "c": 6, "d": 6}
        assert [entry.since for entry in await Parking(self.log.documents).parked(TENANT)] == [14]
        poison.clear()
        await runner.unpark(TENANT, "b")
        assert (await self.stored(BUILD))["b"]["texts"] == [f"b{turn}" for turn in range(TURNS)]
