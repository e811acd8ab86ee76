"""What the consumer must keep on every log: each fact once and in order, whoever dies whenever; gaps filled.

An adapter's test is ``make_log``; nothing is skipped.
"""

import asyncio
import contextlib
import random
from dataclasses import replace
from typing import Any

import pytest

from atelier_common import ingested
from atelier_common.bus.direct import DirectBus
from atelier_common.bus.envelope import decode, encode
from atelier_common.conformance.material import OTHER_TENANT, until
from atelier_common.conformance.notes import (
    COUNTED,
    NOTED,
    SERVICE,
    START,
    TOPIC,
    TOPICS,
    Counted,
    Doodled,
    KeptPrivate,
    Noted,
    Reader,
)
from atelier_common.conformance.reading_world import OLDER_RELEASE, ReadingWorld
from atelier_common.consumer import group_of
from atelier_common.errors import Unavailable
from atelier_common.follower import LeadershipLost
from atelier_common.parking import Parking


class ConsumingSuite(ReadingWorld):
    """Subclass it and give :meth:`make_log`; the suite starts the stores and closes them."""

    async def test_a_fact_stands_in_the_own_log_as_its_owner_said_it(self) -> None:
        await self.notes.write("note/a", KeptPrivate(), Noted("first"), Counted(7))
        await self.settle("note/a")
        envelopes = [decode(message) for message in await self.notes.messages("note/a")]
        first, second = await self.reader.commits("note/a")
        assert [commit.command_id for commit in (first, second)] == [envelope.id for envelope in envelopes]
        assert [ingested.identity(commit) for commit in (first, second)] == [
            (envelopes[0].incarnation, (1, 1)),
            (envelopes[0].incarnation, (1, 2)),
        ]
        assert [event.type for event in (*first.events, *second.events)] == [NOTED, COUNTED]
        assert await self.reader.held("note/a") == ["first", 7]
        assert first.actor == "service:notes"
        assert first.recorded_at == START + 1
        assert first.correlation_id == "first command of note/a"
        assert first.causation_ids == ("cause of note/a@1",)
        assert first.trace == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    async def test_many_streams_arrive_whole_and_in_order(self) -> None:
        streams = [f"note/{number}" for number in range(12)]
        for version in range(5):
            for stream in streams:
                await self.notes.note(stream, f"{version}")
        await self.settle(*streams)
        for stream in streams:
            assert await self.reader.held(stream) == ["0", "1", "2", "3", "4"]
        assert await self.reader.parked() == {}

    async def test_a_double_and_an_older_message_are_dropped(self) -> None:
        await self.notes.note("note/a", "1", "2", "3")
        await self.settle("note/a")
        await self.send("note/a", 1, 2, 3, 3, 2, 1)
        assert await self.reader.take_in() == 6
        assert await self.reader.held("note/a") == ["1", "2", "3"]
        await self.restart()
        await self.send("note/a", 2, 3, 1)
        assert await self.reader.take_in() == 3
        assert await self.reader.held("note/a") == ["1", "2", "3"]
        assert len(await self.reader.commits("note/a")) == 3

    async def test_what_is_held_of_all_streams_of_a_batch_is_looked_up_at_once(self) -> None:
        streams = [f"note/{number}" for number in range(8)]
        for stream in streams:
            await self.notes.note(stream, "1", "2")
        await self.settle(*streams)
        for stream in streams:
            await self.notes.note(stream, "3", "4")
        await self.restart()
        for stream in streams:
            await self.send(stream, 2, 3)
        assert await self.reader.take_in() == 16
        assert self.reader.store.looked_up == 1
        for stream in streams:
            await self.send(stream, 4)
        assert await self.reader.take_in() == 8
        assert self.reader.store.looked_up == 1
        for stream in streams:
            assert await self.reader.held(stream) == ["1", "2", "3", "4"]

    async def test_tenants_never_meet(self) -> None:
        await self.notes.note("note/a", "mine")
        await self.notes.note("note/a", "theirs", "theirs too", tenant=OTHER_TENANT)
        await self.send("note/a")
        await self.send("note/a", tenant=OTHER_TENANT)
        await self.reader.take_in()
        assert await self.reader.held("note/a") == ["mine"]
        assert await self.reader.held("note/a", OTHER_TENANT) == ["theirs", "theirs too"]

    async def test_an_unsubscribed_type_leaves_no_event_and_no_gap(self) -> None:
        await self.notes.write("note/a", Noted("1"))
        await self.notes.write("note/a", Doodled())
        await self.notes.write("note/a", Noted("2"))
        await self.send("note/a", 1)
        await self.reader.take_in()
        asked = len(self.backfill.asked)
        await self.send("note/a", 2)
        await self.reader.take_in()
        await self.restart()
        await self.send("note/a", 3)
        await self.reader.take_in()
        assert await self.reader.held("note/a") == ["1", "2"]
        assert len(self.backfill.asked) == asked
        assert await self.reader.parked() == {}

    async def test_what_was_said_before_the_first_contact_is_fetched(self) -> None:
        await self.notes.note("note/a", "1", "2", "3")
        await self.notes.note("note/b", "1", "2")
        await self.notes.note("folder/c", "1")
        await self.send("note/a", 3)
        await self.reader.take_in()
        assert await self.reader.held("note/a") == ["1", "2", "3"]
        assert await self.reader.held("note/b") == ["1", "2"]
        assert await self.reader.held("folder/c") == ["1"]

    async def test_a_gap_is_filled_from_the_owner(self) -> None:
        await self.notes.note("note/a", "1")
        await self.settle("note/a")
        await self.notes.note("note/a", "2", "3", "4")
        self.backfill.asked.clear()
        await self.send("note/a", 4)
        await self.reader.take_in()
        assert await self.reader.held("note/a") == ["1", "2", "3", "4"]
        assert self.backfill.asked == ["note/a"]
        await self.send("note/a", 2, 3)
        await self.reader.take_in()
        assert await self.reader.held("note/a") == ["1", "2", "3", "4"]

    async def test_a_gap_behind_new_facts_of_the_same_batch_is_filled(self) -> None:
        await self.notes.note("note/a", "1")
        await self.settle("note/a")
        await self.notes.note("note/a", "2", "3", "4", "5")
        await self.send("note/a", 2, 4, 5)
        await self.reader.take_in()
        assert await self.reader.held("note/a") == ["1", "2", "3", "4", "5"]

    async def test_a_gap_that_the_owner_cannot_fill_parks_the_key(self) -> None:
        await self.notes.note("note/a", "1")
        await self.settle("note/a")
        envelope = decode((await self.notes.messages("note/a"))[0])
        for stream in ("note/a", "note/never-written"):
            await self.bus.publish(TOPIC, [encode(replace(envelope, stream=stream, place=(5, 0), previous=(4, 0)))])
        await self.notes.note("note/b", "1")
        await self.settle("note/b")
        assert await self.reader.held("note/a") == ["1"]
        assert await self.reader.held("note/b") == ["1"]
        assert await self.reader.parked() == {"note/a": "gap", "note/never-written": "gap"}

    async def test_while_the_owner_is_away_only_the_key_with_the_gap_waits(self) -> None:
        await self.notes.note("note/a", "1")
        await self.notes.note("note/b", "1")
        await self.settle("note/a", "note/b")
        await self.notes.note("note/a", "2", "3", "4")
        await self.notes.note("note/b", "2")
        self.backfill.away = True
        await self.send("note/a", 3)
        await self.send("note/b", 2)
        await self.send("note/a", 4)
        await self.reader.take_in()
        assert await self.reader.held("note/a") == ["1"]
        assert await self.reader.held("note/b") == ["1", "2"]
        assert await self.reader.parked() == {"note/a": "owner-away"}

        await self.reader.inlet.look_after()
        assert await self.reader.parked() == {"note/a": "owner-away"}
        self.backfill.away = False
        await self.reader.inlet.look_after()
        assert await self.reader.held("note/a") == ["1", "2", "3", "4"]
        assert await self.reader.parked() == {}

    async def test_offsets_are_committed_only_after_everything_is_stored(self) -> None:
        await self.notes.note("note/a", "1", "2")
        await self.settle("note/a")
        await self.notes.note("note/a", "3", "4")
        await self.send("note/a", 3, 4)
        self.reader.store.fails = "before"
        for _ in range(3):
            with pytest.raises(Unavailable):
                await self.reader.inlet.step()
        assert await self.reader.held("note/a") == ["1", "2"]
        self.reader.store.fails = None
        assert await self.reader.take_in() == 2
        assert await self.reader.held("note/a") == ["1", "2", "3", "4"]

    async def test_an_append_whose_reply_is_lost_is_settled_by_what_the_log_holds(self) -> None:
        await self.notes.note("note/a", "1", "2")
        await self.settle("note/a")
        await self.notes.note("note/a", "3", "4")
        await self.send("note/a", 3, 4)
        self.reader.store.fails = "after"
        with pytest.raises(Unavailable):
            await self.reader.inlet.step()
        self.reader.store.fails = None
        assert await self.reader.take_in() == 2
        assert await self.reader.held("note/a") == ["1", "2", "3", "4"]

    async def test_a_consumer_killed_between_append_and_offset_repeats_but_doubles_nothing(self) -> None:
        await self.notes.note("note/a", "1", "2", "3")
        await self.send("note/a")
        member = self.reader.inlet._member
        assert member is not None
        deliveries = await member.fetch(10, 1.0)
        await self.reader.inlet._settle([self.reader.inlet._intake.read(d.message) for d in deliveries])
        await self.restart()
        assert await self.reader.take_in() == 3
        assert await self.reader.held("note/a") == ["1", "2", "3"]

    async def test_two_replicas_that_meet_the_same_messages_store_them_once(self) -> None:
        await self.notes.note("note/a", "1")
        await self.settle("note/a")
        other = await self.join(self.reader.log)
        await self.notes.note("note/a", *(f"{number}" for number in range(2, 22)))
        arrivals = [self.reader.inlet._intake.read(message) for message in await self.notes.messages("note/a")]
        outcomes = await asyncio.gather(
            *(reader.inlet._intake.take_in(arrivals) for reader in (self.reader, other)), return_exceptions=True
        )
        assert outcomes.count({}) >= 1
        await self.send("note/a")
        await self.reader.take_in()
        await other.take_in()
        assert await self.reader.held("note/a") == [f"{number}" for number in range(1, 22)]
        assert await self.reader.parked() == {}

    async def test_a_partition_lost_meanwhile_is_no_error(self) -> None:
        await self.notes.note("note/a", "1")
        await self.send("note/a")
        other = await self.join(self.reader.log)
        for _ in range(3):
            await self.reader.take_in()
            await other.take_in()
        await self.reader.inlet.leave()
        await self.send("note/a")
        await other.take_in()
        assert await other.held("note/a") == ["1"]

    async def test_parking_that_fails_commits_no_offset(self, monkeypatch: pytest.MonkeyPatch) -> None:
        await self.notes.note("note/a", "1")
        await self.settle("note/a")
        await self.notes.write("note/a", Counted(2))
        await self.restart(OLDER_RELEASE)
        await self.send("note/a", 2)

        async def refuse(*_: Any) -> None:
            raise Unavailable("the documents are away")

        with monkeypatch.context() as failing:
            failing.setattr(Parking, "hold", refuse)
            with pytest.raises(Unavailable):
                await self.reader.inlet.step()
        assert await self.reader.take_in() == 1
        assert await self.reader.parked() == {"note/a": "unknown-type"}

    @pytest.mark.parametrize("seed", range(4))
    async def test_whoever_dies_whenever_every_stream_arrives_whole(self, seed: int) -> None:
        chance = random.Random(seed)
        bus = DirectBus({group_of("reader", SERVICE): TOPICS}, capacity=20)
        self.notes.bus = bus
        written: dict[str, list[str | int]] = {f"note/{number}": [] for number in range(6)}

        async def publish(epoch: int) -> None:
            while True:
                try:
                    await self.notes.new_publisher(batch=chance.randint(1, 9)).run(epoch)
                except LeadershipLost:
                    continue  # a write of its predecessor came in between; as whoever holds a lease does
                except asyncio.CancelledError:
                    return

        async def read() -> None:
            inlet = Reader(self.reader.log, bus, self.backfill).inlet
            with contextlib.suppress(asyncio.CancelledError):
                await inlet.run()

        publishing, reading, epoch = asyncio.create_task(publish(1)), asyncio.create_task(read()), 1
        for number in range(60):
            stream = chance.choice(list(written))
            if chance.random() < 0.3:
                await self.notes.write(stream, Counted(number), KeptPrivate(), Doodled(), Noted(f"{number}"))
                written[stream] += [number, f"{number}"]
            else:
                await self.notes.note(stream, f"{number}")
                written[stream].append(f"{number}")
            await asyncio.sleep(chance.choice((0, 0, 0.002)))
            if chance.random() < 0.1:
                publishing.cancel()
                epoch += 1
                publishing = asyncio.create_task(publish(epoch))
            if chance.random() < 0.1:
                reading.cancel()
                reading = asyncio.create_task(read())

        async def whole() -> bool:
            return all([await self.reader.held(stream) == expected for stream, expected in written.items()])

        await until(whole)
        publishing.cancel()
        reading.cancel()
        await asyncio.gather(publishing, reading)
        assert {stream: await self.reader.held(stream) for stream in written} == written
        assert await self.reader.parked() == {}
