"""What must hold of reactions on every log: each cause commands each stream once, whatever happens on the way.

An adapter's test is ``make_log``; nothing is skipped.
"""

import asyncio
from dataclasses import replace

import pytest

from atelier_common.commit import RecordedEvent
from atelier_common.conformance.interruption import InterruptedDocuments
from atelier_common.conformance.material import PATIENCE_SECONDS, TENANT, append, until
from atelier_common.conformance.material import commit as make_commit
from atelier_common.conformance.notes import Noted
from atelier_common.conformance.running_world import (
    COPY,
    CutDocuments,
    Note,
    RunningWorld,
    arrived,
    come_to,
    following,
)
from atelier_common.errors import RuleBroken, Unavailable
from atelier_common.events import StoredEvent
from atelier_common.follower import LeadershipLost
from atelier_common.parking import PARKED, ParkedKey, Parking
from atelier_common.reaction import Issue, React, Reaction, each

CURSOR = "reaction:copying"


async def copy(event: RecordedEvent) -> list[Issue]:
    """Write every note down once more, in the copy of its stream."""
    if event.stream.startswith("copy/"):
        return []
    return [Issue(event, COPY, event.stream.partition("/")[2], Note(event.event.text))]


def copying(react: React | None = None, after: tuple[str, ...] = ()) -> Reaction:
    return Reaction("copying", frozenset({"noted"}), react or each(copy), after)


class ReactingSuite(RunningWorld):
    """Subclass it and give :meth:`make_log`; the suite starts the store and closes it."""

    async def parked(self) -> list[ParkedKey]:
        return await Parking(self.log.documents).parked(TENANT)

    async def test_each_event_is_reacted_to_in_order_and_a_command_says_what_caused_it(self) -> None:
        await self.notes.note("note/a", "1", "2")
        await self.notes.note("note/b", "1")
        await self.apply_all(self.reactor(copying()))
        assert (await self.copies("a"), await self.copies("b")) == (["1", "2"], ["1"])
        (cause, _) = await self.log.store.read_stream(TENANT, "note/a")
        (caused, _) = await self.log.store.read_stream(TENANT, "copy/a")
        assert len(caused.causation_ids) == 1
        assert (caused.recorded_at, caused.correlation_id, caused.actor) == (
            cause.recorded_at,
            cause.correlation_id,
            CURSOR,
        )

    async def test_commands_happen_once_though_the_runner_died_before_its_cursor_moved(self) -> None:
        await self.notes.note("note/a", "1", "2")
        for epoch in (1, 2):
            documents = CutDocuments(self.log.documents, kept=0)
            async with following(self.reactor(copying(), documents=documents), epoch):
                await arrived(documents.reached)
            assert await self.cursor(CURSOR) == {"position": 0, "epoch": epoch}
            assert await self.copies("a") == ["1", "2"]
        await self.apply_all(self.reactor(copying()), 3)
        assert await self.copies("a") == ["1", "2"]
        assert len(await self.log.store.read_stream(TENANT, "copy/a")) == 2
        assert await self.cursor(CURSOR) == {"position": 4, "epoch": 3}

    async def test_commands_happen_once_though_the_log_was_restored_before_its_cursor_moved(self) -> None:
        await self.notes.note("note/a", "1", "2")
        documents = CutDocuments(self.log.documents, kept=0)
        async with following(self.reactor(copying(), documents=documents), 1):
            await arrived(documents.reached)
        assert await self.copies("a") == ["1", "2"]
        await self.log.store.renew_incarnation(TENANT)
        await self.notes.note("note/a", "3")
        await self.apply_all(self.reactor(copying()), 2)
        assert await self.copies("a") == ["1", "2", "3"]

    async def test_a_zombie_repeats_no_command_and_moves_no_cursor(self) -> None:
        await self.notes.note("note/a", "1", "2")
        documents = CutDocuments(self.log.documents, kept=0)
        async with following(self.reactor(copying(), documents=documents), 1) as zombie:
            await arrived(documents.reached)
            await self.apply_all(self.reactor(copying()), 2)
            held = await self.cursor(CURSOR)
            documents.resume.set()
            with pytest.raises(LeadershipLost):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await zombie
        assert await self.cursor(CURSOR) == held
        assert await self.copies("a") == ["1", "2"]

    async def test_a_second_run_that_lists_other_streams_commands_each_stream_once(self) -> None:
        targets = ["x", "y"]

        async def fan_out(event: RecordedEvent) -> list[Issue]:
            if event.stream.startswith("copy/"):
                return []
            return [Issue(event, COPY, target, Note(f"{event.event.text} in {len(targets)}")) for target in targets]

        await self.notes.note("note/a", "1", "2")
        documents = CutDocuments(self.log.documents, kept=0)
        async with following(self.reactor(copying(each(fan_out)), documents=documents)):
            await arrived(documents.reached)
        targets[:] = ["z", "y", "x"]
        await self.apply_all(self.reactor(copying(each(fan_out))), 2)
        assert await self.copies("x") == await self.copies("y") == ["1 in 2", "2 in 2"]
        assert await self.copies("z") == ["1 in 3", "2 in 3"]
        assert await self.parked() == []

    async def test_a_stream_that_makes_it_fail_is_parked_and_others_go_on(self) -> None:
        poison = {"bad"}

        async def touchy(event: RecordedEvent) -> list[Issue]:
            if event.event.text in poison:
                raise ValueError("cannot be reacted to")
            return await copy(event)

        await self.notes.note("note/a", "1", "bad", "3")
        await self.notes.note("note/b", "1")
        reactor = self.reactor(copying(each(touchy)))
        async with following(reactor):
            await come_to(reactor.follower, 6)
            await self.notes.note("note/a", "4")
            await come_to(reactor.follower, 7)
            assert (await self.copies("a"), await self.copies("b")) == (["1"], ["1"])
            assert await self.parked() == [ParkedKey(CURSOR, "note/a", "ValueError in copying", 2)]
            with pytest.raises(ValueError, match="cannot be reacted to"):
                await reactor.unpark(TENANT, "note/a")
            assert len(await self.parked()) == 1
            poison.clear()
            await reactor.unpark(TENANT, "note/a")
            assert await self.parked() == []
            await self.notes.note("note/a", "5")
            await come_to(reactor.follower, await self.head())
        assert await self.copies("a") == ["1", "bad", "3", "4", "5"]

    async def test_each_tenure_takes_over_what_is_parked_though_somebody_unparks_as_it_begins(self) -> None:
        async def touchy(_event: RecordedEvent) -> list[Issue]:
            raise ValueError("cannot be reacted to")

        slow = InterruptedDocuments(self.log.documents, pause=True)
        reactor = self.reactor(copying(each(touchy)), documents=slow)
        await self.notes.note("note/a", "bad")
        async with following(reactor):
            await come_to(reactor.follower, 1)
        slow.interrupt_next("after")
        unparking = asyncio.create_task(reactor.unpark(TENANT, "note/a"))
        await slow.reached.wait()
        async with following(reactor, 2):
            await self.notes.note("note/a", "2")
            await come_to(reactor.follower, 1)
            slow.resume.set()
            with pytest.raises(ValueError, match="cannot be reacted to"):
                await unparking
            await come_to(reactor.follower, 2)
        ((_, parked),) = await self.log.documents.scan(TENANT, PARKED)
        assert (parked["since"], parked["epoch"]) == (1, 2)

    async def test_a_refused_command_parks_the_whole_rest_of_its_stream(self) -> None:
        await self.notes.note("note/a", "1", "refused", "3")
        await self.notes.note("note/b", "1")
        reactor = self.reactor(copying())
        async with following(reactor):
            await come_to(reactor.follower, 4)
            assert await self.copies("b") == ["1"]
            assert await self.copies("a") == ["1"], "what stands behind the refusal has to wait for it"
            assert await self.parked() == [ParkedKey(CURSOR, "note/a", "RuleBroken in copying", 2)]
            with pytest.raises(RuleBroken):
                await reactor.unpark(TENANT, "note/a")
            assert await self.copies("a") == ["1"]
        assert len(await self.parked()) == 1

    async def test_a_refusal_by_one_stream_does_not_keep_the_same_cause_from_the_others(self) -> None:
        async def to_three(event: RecordedEvent) -> list[Issue]:
            if event.stream.startswith("copy/"):
                return []
            refused = Issue(event, COPY, "y", Note("refused"))
            return [Issue(event, COPY, "x", Note("1")), refused, Issue(event, COPY, "z", Note("1"))]

        await self.notes.note("note/a", "1")
        await self.apply_all(self.reactor(copying(each(to_three))))
        assert (await self.copies("x"), await self.copies("y"), await self.copies("z")) == (["1"], [], ["1"])
        assert [entry.since for entry in await self.parked()] == [1]

    async def test_what_a_newer_release_stored_parks_its_stream_and_others_go_on(self) -> None:
        await self.notes.note("note/a", "1")
        newer = StoredEvent("noted", 2, {"text": "2"})
        await append(self.log.store, replace(make_commit("note/a", 2), events=(newer,)))
        await self.notes.note("note/b", "1")
        reactor = self.reactor(copying())
        async with following(reactor):
            await come_to(reactor.follower, 3)
        assert (await self.copies("a"), await self.copies("b")) == (["1"], ["1"])
        assert await self.parked() == [ParkedKey(CURSOR, "note/a", "UnknownEventType in copying", 2)]

    async def test_what_is_not_available_is_tried_again_and_parks_nothing(self) -> None:
        tries: list[str] = []

        async def away_at_first(event: RecordedEvent) -> list[Issue]:
            tries.append(event.stream)
            if len(tries) == 1:
                raise Unavailable("not now")
            return await copy(event)

        await self.notes.note("note/a", "1")
        await self.apply_all(self.reactor(copying(each(away_at_first))))
        assert tries[:2] == ["note/a", "note/a"]

        async def copied() -> bool:
            return await self.copies("a") == ["1"]

        await until(copied)
        assert await self.parked() == []

    async def test_the_projections_it_comes_after_have_applied_what_it_sees(self) -> None:
        documents = CutDocuments(self.log.documents, kept=0)
        model = self.model()
        model.activate("texts.v1.0")
        projector = self.runner(documents=documents, model=model)
        seen: list[tuple[str, int]] = []

        async def look(event: RecordedEvent) -> list[Issue]:
            found = await model.get(TENANT, "a")
            seen.append((event.event.text, found["length"] if found else 0))
            return []

        reactor = self.reactor(copying(each(look), after=("texts",)), [model])
        async with following(reactor), following(projector):
            await self.notes.write("note/a", Noted("1"))
            await arrived(documents.reached)
            await asyncio.sleep(0.05)
            assert (seen, reactor.follower.position(TENANT)) == ([], 0)
            documents.resume.set()
            await come_to(reactor.follower, 1)
            await self.notes.note("note/a", "2", "3")
            await come_to(reactor.follower, 3)
        assert [text for text, _ in seen] == ["1", "2", "3"]
        assert all(length >= int(text) for text, length in seen)
