"""What must hold while a projection is built anew beside the build that is read: nobody waits, and no read goes back.

An adapter's test is ``make_log``; nothing is skipped.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from atelier_common.conformance.material import OTHER_TENANT, PATIENCE_SECONDS, TENANT, until
from atelier_common.conformance.notes import Counted, Doodled, Noted
from atelier_common.conformance.running_world import OLDER, RunningWorld, arrived, come_to, following, texts
from atelier_common.documents.port import SYSTEM, Documents, Insert, Replace, Write
from atelier_common.errors import NotFound, Unavailable
from atelier_common.parking import Parking
from atelier_common.projection import STATES, ReadModel
from atelier_common.service import Service


class GatedFlip:
    """Documents that hold back the write which makes everybody read another build."""

    def __init__(self, documents: Documents, collection: str) -> None:
        self._documents = documents
        self._collection = collection
        self.reached = asyncio.Event()
        self.resume = asyncio.Event()

    async def write(self, writes: Sequence[Write]) -> list[bool]:
        for write in writes:
            if (
                isinstance(write, Replace)
                and write.collection == STATES
                and write.body["collection"] == self._collection
            ):
                self.reached.set()
                await self.resume.wait()
        return await self._documents.write(writes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._documents, name)


async def length(model: ReadModel, key: str = "a") -> int:
    """How many texts a reader sees; 0 where there is no page."""
    found = await model.get(TENANT, key)
    return 0 if found is None else int(found["length"])


class RebuildingSuite(RunningWorld):
    """Subclass it and give :meth:`make_log`; the suite starts the store and closes it."""

    async def shows(self, model: ReadModel, wanted: int, key: str = "a") -> None:
        async def shown() -> bool:
            return await length(model, key) == wanted

        await until(shown)

    async def idle(self, service: Service) -> None:
        await until(service.idle)

    async def test_reads_are_answered_and_never_go_back_while_writes_go_on(self) -> None:
        await self.notes.note("note/a", "x", "x", "x")
        await self.notes.note("note/gone", "x")
        await self.notes.write("note/gone", Doodled())
        await self.notes.note("note/a", "theirs", tenant=OTHER_TENANT)
        async with self.serving(texts()) as service:
            here, elsewhere, done = service.read("texts"), self.model(), asyncio.Event()
            await self.shows(here, 3)
            assert await length(elsewhere) == 3

            async def write() -> None:
                while not done.is_set():
                    await self.notes.note("note/a", "x")
                    await self.notes.note("note/b", "x")

            async def read(model: ReadModel) -> list[int]:
                seen = []
                while not done.is_set():
                    seen.append(await length(model))
                    await asyncio.sleep(0)
                return seen

            async def build() -> list[int]:
                try:
                    return [await service.rebuild("texts") for _ in range(3)]
                finally:
                    done.set()

            async with asyncio.timeout(PATIENCE_SECONDS):
                builds, _, *seen = await asyncio.gather(build(), write(), read(here), read(elsewhere))
            await self.idle(service)
            assert builds == [1, 2, 3]
            for lengths in seen:
                assert lengths == sorted(lengths)
                assert lengths[0] == 3
            assert (await here.get_many(TENANT, ["a", "b", "gone"])).keys() == {"a", "b"}
            assert await here.get(OTHER_TENANT, "a") == {"texts": ["theirs"], "length": 1}
            head = await self.head()
        untouched = self.runner(build=50)
        await self.apply_all(untouched)
        assert await self.stored("texts.v1.3") == await self.stored(untouched.collection)
        assert (await self.stored(untouched.collection))["gone"] == {"deleted": True, "watermark": 5}
        assert await self.cursor("projection:texts.v1.3") == {"position": head, "epoch": 1}

    async def test_what_is_written_in_the_moment_of_the_flip_does_not_make_reads_go_back(self) -> None:
        await self.notes.note("note/a", "x")
        documents = GatedFlip(self.log.documents, "texts.v1.1")
        async with self.serving(texts(), documents) as service:
            model = service.read("texts")
            await self.shows(model, 1)
            building = asyncio.create_task(service.rebuild("texts"))
            await arrived(documents.reached)
            await self.notes.note("note/a", "x")

            async def ahead() -> bool:
                return bool((await self.cursor("projection:texts.v1.1") or {})["position"] == 2)

            await until(ahead)
            frozen = await length(model)
            stood = (await self.cursor("projection:texts.v1.0") or {})["position"]
            assert (frozen, stood) == (1, 1), "the build that is left must not run ahead of the one that comes"
            waiting = asyncio.create_task(model.caught_up(TENANT, "note/a", 2, PATIENCE_SECONDS))
            documents.resume.set()
            await building
            await waiting
            assert await length(model) == 2

    async def test_readers_of_other_processes_follow_and_the_old_build_goes(self) -> None:
        await self.notes.note("note/a", "x")
        async with self.serving(texts()) as service:
            service.builds.readers_follow_seconds = 0.0
            elsewhere = ReadModel(texts(), self.log.documents, self.log.store, looks_every=0.0)
            await self.shows(elsewhere, 1)
            await service.rebuild("texts")
            await elsewhere.caught_up(TENANT, "note/a", 1, PATIENCE_SECONDS)
            assert await length(elsewhere) == 1

            async def gone() -> bool:
                return not await self.stored("texts.v1.0") and await self.cursor("projection:texts.v1.0") is None

            await until(gone)
            written = await self.notes.write("note/a", Noted("x"))
            await elsewhere.caught_up(TENANT, "note/a", written.version, PATIENCE_SECONDS)
            assert await length(elsewhere) == 2

    async def test_readers_have_time_to_follow_before_the_old_build_goes(self) -> None:
        await self.notes.note("note/a", "x")
        async with self.serving(texts()) as service:
            elsewhere = self.model()
            await self.shows(service.read("texts"), 1)
            assert await length(elsewhere) == 1
            await service.rebuild("texts")
            assert await length(elsewhere) == 1
            assert (await self.stored("texts.v1.0")).keys() == {"a"}

    async def test_what_an_interrupted_rebuild_left_is_not_built_upon(self) -> None:
        await self.notes.note("note/a", "x")
        await self.log.documents.write(
            [
                Insert(TENANT, "texts.v1.1", "a", {"texts": ["wrong"], "length": 1, "watermark": 1}),
                Insert(TENANT, "texts.v1.1", "ghost", {"texts": ["wrong"], "length": 1, "watermark": 1}),
                Insert(TENANT, "cursors", "projection:texts.v1.1", {"position": 1, "epoch": 0}),
            ]
        )
        async with self.serving(texts()) as service:
            await self.shows(service.read("texts"), 1)
            assert await service.rebuild("texts") == 1
            assert await service.read("texts").all(TENANT) == [("a", {"texts": ["x"], "length": 1})]

    async def test_a_cured_projection_leaves_no_parked_key_behind(self) -> None:
        poison = {"bad"}
        await self.notes.note("note/a", "1", "bad", "3")
        async with self.serving(texts(poison)) as service:
            service.builds.readers_follow_seconds = 0.0
            await self.idle(service)
            assert [entry.key for entry in await service.parked(TENANT)] == ["a"]
            poison.clear()
            await service.rebuild("texts")
            assert await length(service.read("texts")) == 3

            async def nothing_parked() -> bool:
                return await service.parked(TENANT) == []

            await until(nothing_parked)

    async def test_a_rebuild_that_is_broken_off_leaves_the_old_build_at_work(self) -> None:
        await self.notes.note("note/a", "x")
        documents = GatedFlip(self.log.documents, "texts.v1.1")
        async with self.serving(texts(), documents) as service:
            building = asyncio.create_task(service.rebuild("texts"))
            await arrived(documents.reached)
            with pytest.raises(Unavailable):
                await service.rebuild("texts")
            building.cancel()
            with pytest.raises(asyncio.CancelledError):
                await building
            await self.notes.note("note/a", "x")
            await self.shows(service.read("texts"), 2)
            documents.resume.set()
            assert await service.rebuild("texts") == 1
            assert await length(service.read("texts")) == 2

    async def test_only_a_projection_of_the_service_that_is_led_here_is_rebuilt(self) -> None:
        async with self.serving(texts()) as service:
            with pytest.raises(NotFound, match="elsewhere"):
                await service.rebuild("elsewhere")
        with pytest.raises(NotFound, match="does not lead"):
            await service.rebuild("texts")

    async def test_a_new_version_is_built_beside_and_then_read(self) -> None:
        await self.notes.note("note/a", "x", "x")
        async with self.serving(texts()) as service:
            await self.shows(service.read("texts"), 2)
        documents = GatedFlip(self.log.documents, "texts.v2.0")
        async with self.serving(texts(version=2), documents) as service:
            model = service.read("texts")
            await arrived(documents.reached)
            assert await model.get(TENANT, "a") == {"texts": ["x", "x"], "length": 2}
            documents.resume.set()

            async def flipped() -> bool:
                return (await model.get(TENANT, "a") or {}).get("version") == 2

            await until(flipped)
            written = await self.notes.write("note/a", Noted("x"))
            await model.caught_up(TENANT, "note/a", written.version, PATIENCE_SECONDS)
            assert await length(model) == 3
        state = await self.log.documents.find(SYSTEM, STATES, "texts")
        assert state == {"version": 2, "build": 0, "collection": "texts.v2.0"}

    async def test_a_process_that_does_not_lead_any_more_reads_what_the_next_leader_applied(self) -> None:
        await self.notes.note("note/a", "x")
        model = self.model()
        model.activate("texts.v1.0")
        await self.apply_all(self.runner(model=model))
        assert await model.position(TENANT) == 1
        await self.notes.note("note/a", "x")
        other = self.runner()
        async with following(other, 2):
            await come_to(other.follower, 2)
            await model.caught_up(TENANT, "note/a", 2, timeout=0.05)

    async def test_a_release_that_knows_an_event_catches_up_by_itself(self) -> None:
        await self.notes.note("note/a", "1")
        await self.notes.write("note/a", Counted(2))
        await self.notes.note("note/a", "3")
        await self.apply_all(self.runner(known=OLDER), 1)
        assert [entry.since for entry in await Parking(self.log.documents).parked(TENANT)] == [2]
        # The service's lease begins at epoch 1, as the older release's did.
        async with self.serving(texts()) as service:
            await self.shows(service.read("texts"), 3)

            async def nothing_parked() -> bool:
                return await service.parked(TENANT) == []

            await until(nothing_parked)
