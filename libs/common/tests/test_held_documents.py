"""Who leads a build answers reads from memory: nothing of that may be older than what the documents hold."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from atelier_common.conformance.material import TENANT
from atelier_common.conformance.notes import Log
from atelier_common.conformance.running import PAGES, page
from atelier_common.conformance.running_world import RunningWorld, come_to, following, texts
from atelier_common.documents.memory import MemoryDocuments
from atelier_common.documents.port import Below, Body, Documents, Replace
from atelier_common.eventstore.documents import DocumentEventStore
from atelier_common.held_documents import HeldDocuments
from atelier_common.projection import ReadModel

PLACES = "places.v1.0"


class Asked:
    """Counts what a build's documents are asked; where there is a gate, the answer waits for it once it is found."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents
        self.count = 0
        self.gate: asyncio.Event | None = None
        self.found = asyncio.Event()

    async def find(self, tenant: str, collection: str, id: str) -> Body | None:
        return (await self.find_many(tenant, collection, [id])).get(id)

    async def find_many(self, tenant: str, collection: str, ids: Iterable[str]) -> dict[str, Body]:
        return await self._asked(collection, await self._documents.find_many(tenant, collection, ids))

    async def scan(self, tenant: str, collection: str, *arguments: Any, **named: Any) -> list[tuple[str, Body]]:
        return await self._asked(collection, await self._documents.scan(tenant, collection, *arguments, **named))

    async def _asked(self, collection: str, answer: Any) -> Any:
        if collection in (PLACES, PAGES):
            self.count += 1
            self.found.set()
            if self.gate is not None:
                await self.gate.wait()
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._documents, name)


def place(id: str, city: str, watermark: int) -> Replace:
    body = {"city": city, "streets": [id], "watermark": watermark}
    return Replace(TENANT, PLACES, id, body, {"watermark": Below(watermark)}, upsert=True)


@pytest.fixture
def asked() -> Asked:
    return Asked(MemoryDocuments())


async def write(asked: Asked, held: HeldDocuments, *writes: Replace) -> None:
    await asked.write(writes)
    held.wrote(writes)


async def test_what_was_written_or_asked_for_once_is_not_asked_for_again(asked: Asked) -> None:
    held = HeldDocuments(asked, PLACES)
    await asked.write([place("before", "old", 1)])
    await write(asked, held, place("here", "new", 2))
    for _ in range(3):
        assert set(await held.find_many(TENANT, ["before", "here", "nowhere"])) == {"before", "here"}
        assert [id for id, _ in await held.scan(TENANT, "_id", None, None, 100, False)] == ["before", "here"]
    assert asked.count == 2
    await write(asked, held, place("nowhere", "new", 3))
    assert "nowhere" in await held.find_many(TENANT, ["nowhere"])
    assert asked.count == 2


async def test_a_scan_that_is_held_follows_what_is_written(asked: Asked) -> None:
    await asked.ensure_index(PLACES, ["city"])
    held = HeldDocuments(asked, PLACES)
    await write(asked, held, place("c", "here", 1), place("a", "here", 2), place("x", "there", 3))

    async def here() -> list[str]:
        found = await held.scan(TENANT, "city", "here", "here", 100, False)
        assert found == await asked.scan(TENANT, PLACES, "city", "here", "here", 100)
        asked.count -= 1
        return [id for id, _ in found]

    assert await here() == ["a", "c"]
    await write(asked, held, place("x", "here", 4), place("a", "there", 5), place("b", "here", 6))
    assert await here() == ["b", "c", "x"]
    gone = Replace(TENANT, PLACES, "b", {"deleted": True, "watermark": 7}, upsert=True)
    await write(asked, held, gone)
    assert await here() == ["c", "x"]
    assert asked.count == 1


async def test_an_answer_that_a_write_overtook_is_not_kept(asked: Asked) -> None:
    await asked.write([place("a", "old", 1)])
    held = HeldDocuments(asked, PLACES)
    asked.gate = asyncio.Event()
    reads = asyncio.gather(
        held.find_many(TENANT, ["a"]),
        held.scan(TENANT, "_id", None, None, 100, False),
    )
    await asked.found.wait()
    await asyncio.sleep(0)
    await write(asked, held, place("a", "new", 2))
    asked.gate.set()
    await reads
    assert (await held.find_many(TENANT, ["a"]))["a"]["city"] == "new"
    assert [body["city"] for _, body in await held.scan(TENANT, "_id", None, None, 100, False)] == ["new"]


async def test_who_changes_what_was_read_changes_it_for_nobody_else(asked: Asked) -> None:
    held = HeldDocuments(asked, PLACES)
    await write(asked, held, place("a", "here", 1))
    (await held.find_many(TENANT, ["a"]))["a"]["streets"].append("another")
    ((_, body),) = await held.scan(TENANT, "_id", None, None, 100, False)
    body["streets"].append("another")
    assert (await held.find_many(TENANT, ["a"]))["a"]["streets"] == ["a"]


async def test_no_more_is_held_than_there_is_room_for(asked: Asked) -> None:
    await asked.ensure_index(PLACES, ["city"])
    held = HeldDocuments(asked, PLACES, remembered=2)
    await asked.write([place(id, "here", 1) for id in "abc"])
    assert set(await held.find_many(TENANT, ["a", "b", "c"])) == {"a", "b", "c"}
    assert len(await held.scan(TENANT, "city", "here", "here", 100, False)) == 3
    asked.count = 0
    await held.find_many(TENANT, ["a"])
    await held.scan(TENANT, "city", "here", "here", 100, False)
    assert asked.count == 2


class TestHeldWhereItIsLed(RunningWorld):
    async def make_log(self) -> Log:
        documents = MemoryDocuments()
        return Log(DocumentEventStore(documents), documents)

    def reading(self) -> tuple[ReadModel, Asked]:
        asked = Asked(self.log.documents)
        model = ReadModel(texts(), asked, self.log.store)
        model.activate(PAGES)
        return model, asked

    async def test_who_leads_is_asked_for_nothing_that_it_wrote_and_who_does_not_asks(self) -> None:
        await self.notes.note("note/a", "1")
        model, asked = self.reading()
        runner = self.runner(model=model, documents=asked)
        async with following(runner):
            await come_to(runner.follower, 1)
            asked.count = 0
            await self.notes.note("note/a", "2")
            await come_to(runner.follower, 2)
            assert await model.get(TENANT, "a") == {"texts": ["1", "2"], "length": 2}
            assert asked.count == 0
        await self.notes.note("note/a", "3")
        await self.apply_all(self.runner(), 2)
        assert await model.get(TENANT, "a") == {"texts": ["1", "2", "3"], "length": 3}
        assert asked.count == 1

    async def test_what_a_leader_before_wrote_late_is_seen(self) -> None:
        await self.notes.note("note/a", "1")
        await self.apply_all(self.runner())
        model, asked = self.reading()
        runner = self.runner(model=model, documents=asked)
        async with following(runner, 2):
            await self.notes.note("note/b", "1")
            await come_to(runner.follower, 2)
            assert await model.get(TENANT, "a") == {"texts": ["1"], "length": 1}
            late = page("1", "late", watermark=3)
            await self.log.documents.write([Replace(TENANT, PAGES, "a", late, {"watermark": Below(3)}, upsert=True)])
            await self.notes.note("note/a", "late")
            await come_to(runner.follower, 3)
            assert await model.get(TENANT, "a") == {"texts": ["1", "late"], "length": 2}
