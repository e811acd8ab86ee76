"""What the publisher must keep on every log: in order, nothing lost, the same message from the same commit for ever.

An adapter's test is ``make_log``; nothing is skipped.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from atelier_common import ingested
from atelier_common.bus.envelope import NOTHING, decode
from atelier_common.conformance.material import OTHER_TENANT, PATIENCE_SECONDS, TENANT, append, until
from atelier_common.conformance.notes import (
    COUNTED,
    FOLDER_TOPIC,
    NOTED,
    SERVICE,
    TOPIC,
    Counted,
    Doodled,
    KeptPrivate,
    Log,
    Noted,
    Notes,
    WatchedBus,
    translate,
)
from atelier_common.documents.port import Replace
from atelier_common.errors import UnknownEventType
from atelier_common.events import EventRegistry
from atelier_common.follower import LeadershipLost
from atelier_common.ids import event_id
from atelier_common.publisher import Publisher
from atelier_common.telemetry import names


@asynccontextmanager
async def running(publisher: Publisher, epoch: int = 1) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(publisher.run(epoch))
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, LeadershipLost):
            await task


class PublishingSuite:
    """Subclass it and give :meth:`make_log`; the suite starts the stores and closes them."""

    async def make_log(self) -> Log:
        """A new, empty log and the documents beside it, not started."""
        raise NotImplementedError

    bus: WatchedBus
    notes: Notes

    @pytest.fixture(autouse=True)
    async def _notes(self) -> Any:
        log = await self.make_log()
        await log.store.start()
        self.bus = WatchedBus()
        self.notes = Notes(log, self.bus)
        yield
        await log.store.close()

    async def cursor(self, tenant: str = TENANT) -> int:
        found = await self.notes.log.documents.find(tenant, "cursors", "publisher")
        return 0 if found is None else int(found["position"])

    async def published(self, publisher: Publisher, tenant: str = TENANT) -> None:
        """Wait until the publisher's cursor has passed everything that was written."""
        streams = await self.notes.log.store.list_streams(tenant, "")
        commits = sum([len(await self.notes.log.store.read_stream(tenant, stream)) for stream in streams])

        async def passed() -> bool:
            return publisher.follower.position(tenant) >= commits

        await until(passed)

    async def publish_all(self, epoch: int = 1) -> None:
        """A publisher that starts with nothing in memory sends what is left, and goes in order."""
        publisher = self.notes.new_publisher()
        async with running(publisher, epoch):
            await self.published(publisher)
            await publisher.follower.save()

    async def test_every_contract_event_is_sent_once_in_the_order_of_its_stream(self) -> None:
        for number in range(10):
            for stream in ("note/a", "note/b", "folder/c"):
                await self.notes.write(stream, Noted(f"{number}"))
        await self.publish_all()
        for stream in ("note/a", "note/b", "folder/c"):
            assert self.bus.places(stream) == [(version, 0) for version in range(1, 11)]
        assert len(self.bus.sent) == 30
        assert await self.cursor() == 30

    async def test_a_message_says_where_it_comes_from(self) -> None:
        await self.notes.write("note/a", KeptPrivate(), Noted("first"), Counted(2))
        await self.publish_all()
        incarnation = await self.notes.log.store.incarnation(TENANT)
        (first, second) = [decode(message) for _, message in self.bus.sent]
        assert (first.service, first.tenant, first.stream, first.incarnation) == (
            SERVICE,
            TENANT,
            "note/a",
            incarnation,
        )
        assert (first.id, second.id) == (
            event_id(incarnation, "note/a", 1, 1),
            event_id(incarnation, "note/a", 1, 2),
        )
        assert (first.type, second.type) == (NOTED, COUNTED)
        assert (first.subject, second.subject) == ("text", "")
        assert first.correlation_id == "first command of note/a"
        assert first.causation_ids == ("cause of note/a@1",)
        assert first.trace == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        assert [message.key for _, message in self.bus.sent] == [f"{TENANT}/note/a"] * 2

    async def test_a_stream_travels_in_the_topic_of_its_category(self) -> None:
        await self.notes.write("note/a", Noted("one"))
        await self.notes.write("folder/a", Noted("two"))
        await self.publish_all()
        assert sorted((topic, decode(m).stream) for topic, m in self.bus.sent) == [
            (FOLDER_TOPIC, "folder/a"),
            (TOPIC, "note/a"),
        ]

    async def test_each_message_names_the_previous_contract_event_of_its_stream(self) -> None:
        await self.notes.write("note/a", Noted("1"), KeptPrivate(), Counted(1))
        await self.notes.write("note/a", KeptPrivate())
        await self.notes.write("note/b", Noted("1"))
        await self.notes.write("note/a")
        await self.notes.write("note/a", Doodled())
        await self.notes.write("note/a", KeptPrivate(), Noted("2"))
        await self.publish_all()
        chain = [(e.place, e.previous) for _, m in self.bus.sent if (e := decode(m)).stream == "note/a"]
        assert chain == [
            ((1, 0), NOTHING),
            ((1, 2), (1, 0)),
            ((4, 0), (1, 2)),
            ((5, 1), (4, 0)),
        ]

    async def test_a_publisher_that_remembers_nothing_makes_the_same_messages(self) -> None:
        for version in range(1, 7):
            await self.notes.write("note/a", *([Noted(f"{version}")] if version % 3 else [KeptPrivate()]))
            await self.publish_all(epoch=version)
        one_by_one = [message for _, message in self.bus.sent]
        assert len(one_by_one) == 4
        self.bus.sent.clear()
        (cursor,) = await self.notes.log.documents.write(
            [Replace(TENANT, "cursors", "publisher", {"position": 0, "epoch": 6})]
        )
        assert cursor
        await self.publish_all(epoch=7)
        assert [message for _, message in self.bus.sent] == one_by_one

    async def test_a_publisher_that_is_told_which_types_leave_makes_the_same_messages(self) -> None:
        log, every = self.notes.log, self.notes.new_publisher()
        types = frozenset({"noted", "counted", "doodled"})
        told = Publisher(SERVICE, log.store, log.documents, self.notes.registry, self.bus, translate, types)
        async with running(told):
            for version in range(1, 13):
                private, said = KeptPrivate(), Noted(f"{version}")
                await self.notes.write("note/a", *((private,) if version % 4 else (private, said, Counted(version))))
                if version % 3 == 0:
                    await self.published(told)
        assert self.bus.places("note/a") == [(4, 1), (4, 2), (8, 1), (8, 2), (12, 1), (12, 2)]
        assert [message for _, message in self.bus.sent] == await every.contracts.contract_events(TENANT, "note/a")
        assert await told.contracts.contract_events(TENANT, "note/a", (4, 1)) == [m for _, m in self.bus.sent[1:]]

    async def test_a_publisher_that_is_told_which_types_leave_still_stops_at_one_of_a_newer_release(self) -> None:
        await self.notes.write("note/a", Noted("1"))
        await self.notes.write("note/b", Counted(1))
        await self.notes.write("note/c", Noted("2"))
        older = EventRegistry()
        older.event("noted")(Noted)
        log = self.notes.log
        publisher = Publisher(SERVICE, log.store, log.documents, older, self.bus, translate, frozenset({"noted"}))
        async with running(publisher):

            async def stuck() -> bool:
                return publisher.follower.last_error is not None

            await until(stuck)
        assert [decode(message).stream for _, message in self.bus.sent] == ["note/a"]

    async def test_backfill_gives_the_very_messages_that_were_published(self) -> None:
        await self.notes.write("note/a", Noted("1"), Counted(1))
        await self.notes.write("note/a", KeptPrivate())
        await self.notes.write("note/a", Noted("2"))
        await self.publish_all()
        sent = [message for _, message in self.bus.sent]
        contracts = self.notes.new_publisher().contracts
        assert await contracts.contract_events(TENANT, "note/a") == sent
        assert await contracts.contract_events(TENANT, "note/a", (1, 0)) == sent[1:]
        assert await contracts.contract_events(TENANT, "note/a", (1, 1)) == sent[2:]
        assert await contracts.contract_events(TENANT, "note/a", (3, 0)) == []
        assert await contracts.contract_events(TENANT, "note/nothing") == []

    async def test_backfill_lists_every_stream_of_the_topics_asked_for(self) -> None:
        for number in range(25):
            await self.notes.write(f"note/{number:02}", Noted("x"))
        await self.notes.write("folder/a", Noted("x"))
        await self.notes.write("note/else", Noted("x"), tenant=OTHER_TENANT)
        contracts = self.notes.publisher.contracts
        assert await contracts.streams(TENANT, [TOPIC]) == [f"note/{number:02}" for number in range(25)]
        assert await contracts.streams(TENANT, [TOPIC, FOLDER_TOPIC, TOPIC]) == [
            "folder/a",
            *[f"note/{number:02}" for number in range(25)],
        ]
        assert await contracts.streams(TENANT, ["elsewhere.note"]) == []

    async def test_each_tenants_log_is_published_by_itself(self) -> None:
        await self.notes.note("note/a", "1", "2")
        await self.notes.note("note/a", "1", "2", "3", tenant=OTHER_TENANT)
        publisher = self.notes.new_publisher()
        async with running(publisher):
            await self.published(publisher)
            await self.published(publisher, OTHER_TENANT)
        assert sorted(decode(message).tenant for _, message in self.bus.sent) == [TENANT] * 2 + [OTHER_TENANT] * 3
        assert (await self.cursor(), await self.cursor(OTHER_TENANT)) == (2, 3)

    async def test_what_a_neighbour_said_is_not_passed_on(self) -> None:
        await self.notes.note("note/a", "mine")
        (message,) = await self.notes.messages("note/a")
        theirs = replace(decode(message), service="note", stream="theirs")
        await append(self.notes.log.store, ingested.ingest(theirs, self.notes.registry.encode(Noted("theirs")), 1))
        await self.publish_all()
        assert [decode(message).stream for _, message in self.bus.sent] == ["note/a"]
        assert await self.cursor() == 2
        assert await self.notes.messages("note/theirs") == []

    async def test_what_was_acknowledged_is_counted_by_topic(self, monkeypatch: pytest.MonkeyPatch) -> None:
        counted: list[tuple[int, str]] = []

        class Counter:
            def add(self, amount: int, attributes: dict[str, str]) -> None:
                counted.append((amount, attributes[names.TOPIC]))

        monkeypatch.setattr("atelier_common.publisher._PUBLISHED", Counter())
        await self.notes.note("note/a", "1", "2")
        await self.notes.note("folder/b", "3")
        await self.publish_all()
        assert sorted(counted) == [(1, FOLDER_TOPIC), (2, TOPIC)]

    async def test_a_failed_send_moves_nothing_and_is_sent_again(self) -> None:
        await self.notes.note("note/a", "1", "2", "3")
        self.bus.broken.add(TOPIC)
        publisher = self.notes.new_publisher()
        async with running(publisher):

            async def tried() -> bool:
                return self.bus.attempts >= 2

            await until(tried)
            assert await self.cursor() == 0
            assert publisher.follower.last_error is not None
            self.bus.broken.clear()
            await self.published(publisher)
        assert self.bus.places("note/a") == [(1, 0), (2, 0), (3, 0)]

    async def test_the_cursor_moves_only_over_what_is_acknowledged_without_a_hole(self) -> None:
        await self.notes.note("note/a", "1", "2")
        await self.notes.note("folder/b", "3")
        await self.notes.note("note/a", "4")
        self.bus.broken.add(FOLDER_TOPIC)
        publisher = self.notes.new_publisher()
        async with running(publisher):

            async def stuck() -> bool:
                return await self.cursor() == 2 and self.bus.attempts > 4

            await until(stuck)
            assert await self.cursor() == 2
            self.bus.broken.clear()
            await self.published(publisher)
        assert self.bus.places("folder/b") == [(1, 0)]
        assert list(dict.fromkeys(self.bus.places("note/a"))) == [(1, 0), (2, 0), (3, 0)]

    async def test_a_publisher_that_dies_between_acknowledgement_and_cursor_repeats_but_loses_nothing(self) -> None:
        await self.notes.note("note/a", "1", "2")
        self.bus.mute.add(TOPIC)
        publisher = self.notes.new_publisher()
        async with running(publisher):

            async def sent() -> bool:
                return len(self.bus.sent) >= 2

            await until(sent)
        self.bus.mute.clear()
        first = [message for _, message in self.bus.sent][:2]
        assert await self.cursor() == 0

        self.bus.sent.clear()
        await self.notes.note("note/a", "3")
        await self.publish_all(epoch=2)
        assert [message for _, message in self.bus.sent][:2] == first
        assert self.bus.places("note/a") == [(1, 0), (2, 0), (3, 0)]
        assert await self.cursor() == 3

    async def test_a_stale_publisher_is_fenced_by_the_epoch(self) -> None:
        await self.notes.note("note/a", "1")
        stale, fresh = self.notes.new_publisher(), self.notes.new_publisher()
        async with running(stale, 1) as old:
            await self.published(stale)
            async with running(fresh, 2):

                async def claimed() -> bool:
                    found = await self.notes.log.documents.find(TENANT, "cursors", "publisher")
                    return found is not None and found["epoch"] == 2

                await until(claimed)
                await self.notes.note("note/a", "2", "3")
                await self.published(fresh)
                with pytest.raises(LeadershipLost):
                    await asyncio.wait_for(asyncio.shield(old), PATIENCE_SECONDS)
                await fresh.follower.save()
        found = await self.notes.log.documents.find(TENANT, "cursors", "publisher")
        assert found == {"position": 3, "epoch": 2}
        assert set(self.bus.places("note/a")) == {(1, 0), (2, 0), (3, 0)}

    async def test_an_event_of_a_newer_release_stops_publishing_right_before_it(self) -> None:
        await self.notes.write("note/a", Noted("1"))
        await self.notes.write("note/b", Counted(1))
        await self.notes.write("note/c", Noted("2"))
        older = EventRegistry()
        older.event("noted")(Noted)
        log = self.notes.log
        publisher = Publisher(SERVICE, log.store, log.documents, older, self.bus, translate)
        async with running(publisher):

            async def stuck() -> bool:
                return publisher.follower.last_error is not None

            await until(stuck)
        assert [decode(message).stream for _, message in self.bus.sent] == ["note/a"]
        assert await self.cursor() == 1
        with pytest.raises(UnknownEventType):
            await publisher.contracts.contract_events(TENANT, "note/b")
        await self.publish_all(epoch=2)
        assert [decode(message).stream for _, message in self.bus.sent] == ["note/a", "note/b", "note/c"]

    async def test_it_is_woken_by_a_new_commit(self) -> None:
        publisher = self.notes.new_publisher()
        async with running(publisher):
            await asyncio.sleep(0.05)
            started = asyncio.get_running_loop().time()
            await self.notes.note("note/a", "1")
            await self.published(publisher)
            assert asyncio.get_running_loop().time() - started < 0.9, "it was found by polling"
