"""What must hold of projections, read models and reactions on every log: nothing lost, nothing twice, nobody waits.

An adapter's test is ``make_log``; nothing is skipped.
"""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from atelier_common.bus.memory import MemoryBus
from atelier_common.commands import Commands
from atelier_common.commit import Commit
from atelier_common.conformance.interruption import InterruptedDocuments, Moment
from atelier_common.conformance.material import OTHER_TENANT, PATIENCE_SECONDS, TENANT, append
from atelier_common.conformance.material import commit as make_commit
from atelier_common.conformance.notes import Counted, Doodled, Noted, Notes
from atelier_common.conformance.running_world import (
    OLDER,
    CutDocuments,
    RunningWorld,
    arrived,
    come_to,
    following,
    note_decider,
    texts,
)
from atelier_common.errors import Unavailable, UnknownEventType
from atelier_common.events import StoredEvent
from atelier_common.follower import LeadershipLost
from atelier_common.parking import ParkedKey, Parking

PAGES = "texts.v1.0"
CURSOR = f"projection:{PAGES}"
NOTED_ONLY = frozenset({"noted"})


def page(*held: str | int, watermark: int) -> dict[str, Any]:
    return {"texts": list(held), "length": len(held), "watermark": watermark}


class RunningSuite(RunningWorld):
    """Subclass it and give :meth:`make_log`; the suite starts the store and closes it."""

    async def test_the_log_is_applied_in_order_and_a_watermark_is_a_position(self) -> None:
        await self.notes.note("note/a", "1", "2")
        await self.notes.note("note/b", "1")
        await self.notes.write("note/a", Noted("3"), Counted(4))
        runner = self.runner()
        await self.apply_all(runner)
        assert await self.stored(PAGES) == {"a": page("1", "2", "3", 4, watermark=4), "b": page("1", watermark=3)}
        assert await self.cursor(CURSOR) == {"position": 4, "epoch": 1}
        model = self.model()
        assert await model.position(TENANT) == 4
        assert await model.get(TENANT, "b") == {"texts": ["1"], "length": 1}
        assert sorted(await model.get_many(TENANT, ["a", "b", "c"])) == ["a", "b"]

    async def test_a_batch_that_comes_again_changes_nothing(self) -> None:
        await self.notes.note("note/a", "1", "2", "3")
        await self.notes.note("note/b", "1", "2")
        await self.apply_all(self.runner())
        before = await self.stored(PAGES)
        for epoch, position in enumerate((0, 2, 4), start=2):
            await self.rewind(CURSOR, position)
            await self.apply_all(self.runner(), epoch)
            assert await self.stored(PAGES) == before
            assert await self.cursor(CURSOR) == {"position": 5, "epoch": epoch}

    async def test_a_runner_killed_between_the_documents_and_the_cursor_loses_and_doubles_nothing(self) -> None:
        for stream in ("note/a", "note/b", "note/c"):
            await self.notes.note(stream, "1", "2")
        later: list[str] = []
        for kept in range(4):
            documents = CutDocuments(self.log.documents, kept)
            dying = self.runner(documents=documents, build=kept)
            async with following(dying):
                await arrived(documents.reached)
            assert len(await self.stored(dying.collection)) == kept
            assert await self.cursor(dying.follower.name) == {"position": 0, "epoch": 1}
            later.append(f"later {kept}")
            await self.notes.note("note/a", later[-1])
            head = await self.head()
            await self.apply_all(self.runner(build=kept), 2)
            assert await self.stored(dying.collection) == {
                "a": page("1", "2", *later, watermark=head),
                "b": page("1", "2", watermark=4),
                "c": page("1", "2", watermark=6),
            }
            assert await self.cursor(dying.follower.name) == {"position": head, "epoch": 2}

    @pytest.mark.parametrize("moment", ["before", "after"])
    async def test_a_call_that_fails_or_loses_its_reply_changes_nothing_in_the_end(self, moment: Moment) -> None:
        await self.notes.note("note/a", "1", "2")
        watched = InterruptedDocuments(self.log.documents)
        await self.apply_all(self.runner(documents=watched, build=100))
        assert watched.calls == 6, "the runner asks other things of its documents; look whether all are covered"

        async def interrupted(at: int) -> None:
            documents = InterruptedDocuments(self.log.documents, at, moment)
            runner = self.runner(documents=documents, build=at)
            async with following(runner):
                await arrived(documents.reached)
                await self.notes.write(f"note/{at}", Noted("later"))
                await come_to(runner.follower, 2)

        await asyncio.gather(*(interrupted(at) for at in range(1, watched.calls + 1)))
        head = await self.head()
        for build in range(1, watched.calls + 1):
            await self.apply_all(runner := self.runner(build=build), 2)
            assert await self.cursor(runner.follower.name) == {"position": head, "epoch": 2}
            assert (await self.stored(runner.collection))["a"] == page("1", "2", watermark=2)
            assert len(await self.stored(runner.collection)) == 1 + watched.calls

    async def test_a_zombie_of_an_older_epoch_neither_moves_the_cursor_nor_overwrites_what_is_newer(self) -> None:
        await self.notes.note("note/a", "1", "2")
        for kept in (0, 1):
            documents = CutDocuments(self.log.documents, kept)
            zombie, fresh = self.runner(documents=documents, build=kept), self.runner(build=kept)
            async with following(zombie, 1) as old:
                await arrived(documents.reached)
                await self.notes.write("note/a", Noted("later"))
                head = await self.head()
                await self.apply_all(fresh, 2)
                after = await self.stored(fresh.collection)
                assert after["a"]["watermark"] == head
                documents.resume.set()
                with pytest.raises(LeadershipLost):
                    async with asyncio.timeout(PATIENCE_SECONDS):
                        await old
            assert await self.stored(fresh.collection) == after
            assert await self.cursor(fresh.follower.name) == {"position": head, "epoch": 2}

    async def test_a_zombie_cannot_claim_a_cursor(self) -> None:
        await self.notes.note("note/a", "1")
        await self.apply_all(self.runner(), 2)
        with pytest.raises(LeadershipLost):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self.runner().run(1)
        assert await self.cursor(CURSOR) == {"position": 1, "epoch": 2}

    async def test_a_key_that_fails_is_parked_whole_while_others_go_on_and_catches_up_in_order(self) -> None:
        poison = {"bad"}
        runner = self.runner(texts(poison))
        async with following(runner):
            await self.notes.note("note/a", "1")
            await self.notes.write("note/a", Noted("2"), Noted("bad"))
            await self.notes.note("note/b", "1")
            await self.notes.note("note/a", "3")
            await come_to(runner.follower, 4)
            parked = ParkedKey(CURSOR, "a", "ValueError in texts", 2)
            assert await Parking(self.log.documents).parked(TENANT) == [parked]
            assert await self.stored(PAGES) == {"a": page("1", watermark=1), "b": page("1", watermark=3)}
            with pytest.raises(ValueError, match="cannot be applied"):
                await runner.unpark(TENANT, "a")
            assert await Parking(self.log.documents).parked(TENANT) == [parked]
            assert (await self.stored(PAGES))["a"] == page("1", watermark=1)
            poison.clear()
            await runner.unpark(TENANT, "a")
            assert await Parking(self.log.documents).parked(TENANT) == []
            assert (await self.stored(PAGES))["a"] == page("1", "2", "bad", "3", watermark=4)
            await self.notes.note("note/a", "4")
            await come_to(runner.follower, 5)
        assert (await self.stored(PAGES))["a"] == page("1", "2", "bad", "3", "4", watermark=5)

    async def test_an_unparking_that_began_before_its_process_led_anew_does_not_release_what_came_meanwhile(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        poison = {"bad"}
        runner = self.runner(texts(poison))
        async with following(runner):
            await self.notes.note("note/a", "1", "bad")
            await come_to(runner.follower, 2)
        another = self.runner(texts(poison))
        async with following(another, 2):
            await self.notes.note("note/a", "3")
            await come_to(another.follower, 3)
        poison.clear()
        reached, go, read_log = asyncio.Event(), asyncio.Event(), self.log.store.read_log

        async def held_up(tenant: str, after: int, limit: int = 500) -> list[Commit]:
            reached.set()
            await go.wait()
            return await read_log(tenant, after, limit)

        with monkeypatch.context() as slow:
            slow.setattr(self.log.store, "read_log", held_up)
            unparking = asyncio.create_task(runner.unpark(TENANT, "a"))
            await reached.wait()
        async with following(runner, 3):
            await come_to(runner.follower, 3)
            go.set()
            with pytest.raises(Unavailable, match="later leader"):
                await unparking
            assert [entry.key for entry in await Parking(self.log.documents).parked(TENANT)] == ["a"]
            await runner.unpark(TENANT, "a")
        assert (await self.stored(PAGES))["a"] == page("1", "bad", "3", watermark=3)

    async def test_a_key_stays_parked_under_the_next_leader(self) -> None:
        await self.notes.note("note/a", "1", "bad", "3")
        await self.apply_all(self.runner(texts({"bad"})))
        await self.notes.note("note/a", "4")
        await self.notes.note("note/b", "1")
        cured = self.runner()
        async with following(cured, 2):
            await come_to(cured.follower, 5)
            assert (await self.stored(PAGES)) == {"a": page("1", watermark=1), "b": page("1", watermark=5)}
            await cured.unpark(TENANT, "a")
        assert (await self.stored(PAGES))["a"] == page("1", "bad", "3", "4", watermark=4)
        assert await Parking(self.log.documents).parked(TENANT) == []

    @pytest.mark.parametrize(
        "newer", [StoredEvent("counted", 1, {"number": 2}), StoredEvent("noted", 2, {"text": "2"})]
    )
    async def test_what_a_newer_release_stored_parks_its_key_and_refuses_to_load(self, newer: StoredEvent) -> None:
        await self.notes.note("note/a", "1")
        await append(self.log.store, replace(make_commit("note/a", 2), events=(newer,)))
        await append(
            self.log.store, replace(make_commit("note/a", 3), events=(StoredEvent("noted", 1, {"text": "3"}),))
        )
        await self.notes.note("note/b", "1")
        await self.apply_all(self.runner(known=OLDER))
        assert await self.stored(PAGES) == {"a": page("1", watermark=1), "b": page("1", watermark=4)}
        assert await Parking(self.log.documents).parked(TENANT) == [
            ParkedKey(CURSOR, "a", "UnknownEventType in texts", 2)
        ]
        commands, decider = Commands(self.log.store), note_decider(OLDER)
        with pytest.raises(UnknownEventType) as refusal:
            await commands.load(decider, TENANT, "a")
        assert refusal.value.http_status == 503
        assert await commands.load(decider, TENANT, "b") == (("Noted(text='1')",), 1)

    async def test_a_release_that_knows_the_type_catches_the_key_up_in_order(self) -> None:
        await self.notes.write("note/a", Noted("1"))
        await self.notes.write("note/a", Counted(2))
        await self.notes.note("note/a", "3")
        await self.apply_all(self.runner(known=OLDER))
        newer = self.runner()
        async with following(newer, 2):
            await self.notes.note("note/a", "4")
            await come_to(newer.follower, 4)
            await newer.unpark(TENANT, "a")
        assert await self.stored(PAGES) == {"a": page("1", 2, "3", "4", watermark=4)}
        assert await Parking(self.log.documents).parked(TENANT) == []

    async def test_an_event_that_belongs_to_other_documents_waits_for_a_rebuild(self) -> None:
        by_category = replace(texts(), keys=lambda event: (f"all {event.stream.partition('/')[0]}",))
        await self.notes.note("note/a", "1")
        await self.notes.write("note/a", Counted(2))
        await self.notes.note("note/b", "3")
        await self.apply_all(self.runner(by_category, known=OLDER))
        assert await self.stored(PAGES) == {"all note": page("1", "3", watermark=3)}
        newer = self.runner(by_category)
        async with following(newer, 2):
            await self.notes.note("note/b", "4")
            await come_to(newer.follower, 4)
            with pytest.raises(Unavailable, match="rebuild texts"):
                await newer.unpark(TENANT, "a")
        assert [entry.key for entry in await Parking(self.log.documents).parked(TENANT)] == ["a"]

    async def test_a_deleted_document_does_not_come_back(self) -> None:
        await self.notes.note("note/a", "1", "2")
        await self.notes.write("note/a", Doodled())
        await self.notes.note("note/b", "1")
        await self.apply_all(self.runner())
        for epoch, position in enumerate((0, 1, 2), start=2):
            await self.rewind(CURSOR, position)
            await self.apply_all(self.runner(), epoch)
            model = self.model()
            assert await model.get(TENANT, "a") is None
            assert await model.get_many(TENANT, ["a", "b"]) == {"b": {"texts": ["1"], "length": 1}}
            assert [key for key, _ in await model.scan(TENANT)] == ["b"]
            assert [key for key, _ in await model.scan(TENANT, "length")] == ["b"]
        await self.notes.note("note/a", "anew")
        await self.apply_all(self.runner(), 9)
        assert await self.model().get(TENANT, "a") == {"texts": ["anew"], "length": 1}

    async def test_pages_by_an_indexed_field_hold_every_document_once(self) -> None:
        for number in range(1, 24):
            await self.notes.write(f"note/{number:02}", *(Noted("x") for _ in range(number)))
        await self.apply_all(self.runner())
        model, seen, low = self.model(), list[int](), 0
        while found := await model.scan(TENANT, "length", low=low, limit=5):
            assert len(found) == min(5, 23 - len(seen))
            seen += [document["length"] for _, document in found]
            low = seen[-1] + 1
        assert seen == list(range(1, 24))
        backwards = await model.scan(TENANT, "length", low=3, high=9, limit=4, descending=True)
        assert [key for key, _ in backwards] == ["09", "08", "07", "06"]
        assert len(await model.all(TENANT)) == 23

    @pytest.mark.parametrize("descending", [False, True])
    async def test_deleted_documents_leave_no_holes_in_a_page(self, descending: bool) -> None:
        for number in range(12):
            await self.notes.note(f"note/{number:02}", "x")
        for number in range(2, 10):
            await self.notes.write(f"note/{number:02}", Doodled())
        await self.apply_all(self.runner())
        found = await self.model().scan(TENANT, limit=3, descending=descending)
        assert [key for key, _ in found] == (["11", "10", "01"] if descending else ["00", "01", "10"])
        assert len(await self.model().scan(TENANT, limit=100, descending=descending)) == 4

    async def test_tenants_stay_apart(self) -> None:
        await self.notes.note("note/a", "mine", "bad")
        await self.notes.note("note/a", "theirs", tenant=OTHER_TENANT)
        runner = self.runner(texts({"bad"}))
        async with following(runner):
            await come_to(runner.follower, 2)
            await come_to(runner.follower, 1, OTHER_TENANT)
            await self.notes.note("note/a", "theirs too", tenant=OTHER_TENANT)
            await come_to(runner.follower, 2, OTHER_TENANT)
        assert await self.stored(PAGES) == {"a": page("mine", watermark=1)}
        assert await self.stored(PAGES, OTHER_TENANT) == {"a": page("theirs", "theirs too", watermark=2)}
        assert await Parking(self.log.documents).parked(OTHER_TENANT) == []
        assert await self.model().get("elsewhere", "a") is None

    async def test_caught_up_waits_for_what_was_just_accepted(self) -> None:
        # Just accepted: it has no place in the log yet.
        self.notes = Notes(self.log, MemoryBus(), placed=False)
        here, elsewhere = self.model(), self.model()
        here.activate(PAGES)
        runner = self.runner(model=here)
        async with following(runner):
            for number in range(1, 4):
                accepted = await self.notes.write("note/a", Noted("x"))
                for model in (here, elsewhere):
                    await model.caught_up(TENANT, "note/a", accepted.version, PATIENCE_SECONDS)
                    found = await model.get(TENANT, "a")
                    assert found is not None
                    assert found["length"] == number

    async def test_caught_up_says_so_when_its_time_is_over(self) -> None:
        await self.notes.note("note/a", "1")
        model = self.model()
        with pytest.raises(Unavailable, match="note/a@1"):
            await model.caught_up(TENANT, "note/a", 1, timeout=0.05)
        await self.apply_all(self.runner())
        await model.caught_up(TENANT, "note/a", 1, timeout=0.05)
        with pytest.raises(Unavailable, match="note/a@2"):
            await model.caught_up(TENANT, "note/a", 2, timeout=0.05)
