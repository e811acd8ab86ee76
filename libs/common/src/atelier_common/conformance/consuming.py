"""What the consumer must keep on every log: each fact once and in order; what cannot be kept waits whole; nothing is skipped.

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
from atelier_common.bus.memory import MemoryBus
from atelier_common.bus.port import Message
from atelier_common.conformance.material import OTHER_TENANT, TENANT, append, until
from atelier_common.conformance.notes import (
    COUNTED,
    NOTED,
    SERVICE,
    START,
    SUBSCRIPTION,
    TOPIC,
    TOPICS,
    Counted,
    Doodled,
    KeptPrivate,
    Log,
    Noted,
    Notes,
    Reader,
    WatchedBackfill,
)
from atelier_common.consumer import CONSUMER, Subscription, group_of
from atelier_common.documents.port import SYSTEM
from atelier_common.errors import Unavailable
from atelier_common.follower import LeadershipLost
from atelier_common.parking import ParkedKey, Parking

OLDER_RELEASE = Subscription(SERVICE, TOPICS, {NOTED: SUBSCRIPTION.types[NOTED]}, SUBSCRIPTION.unsubscribed)
"""A reader that does not know :data:`COUNTED` yet."""


class ConsumingSuite:
    """Subclass it and give :meth:`make_log`; the suite starts the stores and closes them."""

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

    # Each fact once, in order, as its owner said it.

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

    # Gaps.

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

    # Parking.

    async def park_counted(self) -> None:
        """``note/a`` is parked at its second event by a release that does not know it; ``note/b`` went on."""
        await self.restart(OLDER_RELEASE)
        await self.notes.write("note/a", Noted("1"))
        await self.notes.write("note/a", Counted(2))
        await self.notes.write("note/a", Noted("3"))
        await self.notes.note("note/b", "1", "2")
        await self.settle("note/a", "note/b")

    async def test_an_unknown_type_parks_its_key_and_no_other(self) -> None:
        await self.park_counted()
        await self.notes.note("note/a", "4")
        await self.notes.note("note/b", "3")
        await self.send("note/a", 4)
        await self.send("note/b", 3)
        await self.reader.take_in()
        assert await self.reader.held("note/a") == ["1"]
        assert await self.reader.held("note/b") == ["1", "2", "3"]
        assert await self.reader.parked() == {"note/a": "unknown-type"}
        waiting = await Parking(self.reader.log.documents).waiting(TENANT, CONSUMER, "notes/note/a")
        assert waiting is not None
        assert [decode(message).place for message in waiting.messages] == [(2, 0), (3, 0), (4, 0)]

    async def test_a_release_that_knows_the_type_catches_up_in_order_without_the_owner(self) -> None:
        await self.park_counted()
        self.backfill.away = True
        await self.restart()
        assert await self.reader.held("note/a") == ["1", 2, "3"]
        assert await self.reader.parked() == {}
        await self.notes.note("note/a", "4")
        await self.send("note/a", 4)
        await self.reader.take_in()
        assert await self.reader.held("note/a") == ["1", 2, "3", "4"]

    async def test_unparking_too_early_says_why_and_keeps_everything(self) -> None:
        await self.park_counted()
        with pytest.raises(Unavailable, match=COUNTED):
            await self.reader.inlet.unpark(TENANT, "note/a")
        assert await self.reader.held("note/a") == ["1"]
        assert await self.reader.parked() == {"note/a": "unknown-type"}
        await self.restart()
        assert await self.reader.held("note/a") == ["1", 2, "3"]

    async def test_a_redelivered_message_does_not_wait_twice(self) -> None:
        await self.park_counted()
        await self.send("note/a")
        await self.send("note/a")
        await self.reader.take_in()
        waiting = await Parking(self.reader.log.documents).waiting(TENANT, CONSUMER, "notes/note/a")
        assert waiting is not None
        assert [decode(message).place for message in waiting.messages] == [(2, 0), (3, 0)]
        await self.restart()
        assert await self.reader.held("note/a") == ["1", 2, "3"]

    async def test_more_than_there_is_room_for_is_asked_of_the_owner(self) -> None:
        await self.park_counted()
        await self.notes.note("note/a", *(f"{number}" for number in range(4, 304)))
        await self.send("note/a")
        await self.reader.take_in()
        waiting = await Parking(self.reader.log.documents).waiting(TENANT, CONSUMER, "notes/note/a")
        assert waiting is not None
        assert (len(waiting.messages), waiting.complete) == (200, False)
        await self.restart()
        assert await self.reader.held("note/a") == ["1", 2, *(f"{number}" for number in range(3, 304))]
        assert await self.reader.parked() == {}

    async def test_a_replica_that_does_not_know_of_the_parking_parks_too(self) -> None:
        await self.park_counted()
        await self.reader.inlet.leave()
        other = Reader(self.reader.log, self.bus, self.backfill, OLDER_RELEASE)
        await other.inlet.join()
        other.inlet._parked.clear()
        await self.notes.note("note/a", "4")
        await self.send("note/a", 4)
        await other.take_in()
        assert await other.held("note/a") == ["1"]
        await other.inlet.leave()
        await self.restart()
        assert await self.reader.held("note/a") == ["1", 2, "3", "4"]
        assert await self.reader.parked() == {}

    async def test_a_key_unparked_by_another_replica_goes_on_here(self) -> None:
        await self.park_counted()
        stale = self.reader
        other = Reader(stale.log, self.bus, self.backfill)
        await other.inlet.unpark(TENANT, "note/a")
        assert await stale.parked() == {}
        await self.notes.note("note/a", "4")
        await self.send("note/a", 4)
        await stale.take_in()
        assert [commit.version for commit in await stale.commits("note/a")] == [1, 2, 3, 4]
        assert await stale.parked() == {}

    async def test_a_malformed_message_parks_its_key_and_is_replaced_by_what_the_owner_says(self) -> None:
        await self.notes.note("note/a", "1", "2", "3")
        await self.notes.note("note/b", "1")
        good = await self.notes.messages("note/a")
        bad = replace(good[1], headers=tuple(header for header in good[1].headers if header[0] != "ce_id"))
        await self.send("note/a", 1)
        await self.reader.take_in()
        await self.notes.note("note/a", "4")
        bad_again = replace(bad, value=b"\xff")
        (late,) = (await self.notes.messages("note/a"))[3:]
        await self.bus.publish(TOPIC, [bad, bad_again, late])
        await self.settle("note/b")
        assert await self.reader.parked() == {"note/a": "malformed"}
        assert await self.reader.held("note/b") == ["1"]
        await self.reader.inlet.unpark(TENANT, "note/a")
        assert await self.reader.held("note/a") == ["1", "2", "3", "4"]
        assert await self.reader.parked() == {}

    async def test_a_payload_that_is_not_what_its_type_says_parks_its_key(self) -> None:
        await self.notes.note("note/a", "1")
        await self.settle("note/a")
        await self.notes.note("note/a", "2")
        message = (await self.notes.messages("note/a"))[1]
        await self.bus.publish(TOPIC, [replace(message, value=b"\xff\xff")])
        await self.reader.take_in()
        assert await self.reader.parked() == {"note/a": "malformed"}
        with pytest.raises(Unavailable, match="still waits"):
            await self.reader.inlet.unpark(TENANT, "note/a")
        assert await self.reader.held("note/a") == ["1"]

    async def test_a_fact_too_large_for_a_commit_parks_its_key(self) -> None:
        await self.notes.note("note/a", "1")
        await self.settle("note/a")
        envelope = decode((await self.notes.messages("note/a"))[0])
        large = replace(envelope, place=(2, 0), previous=(1, 0), payload=b"x" * 900_000)
        await self.bus.publish(TOPIC, [encode(large)])
        await self.notes.note("note/b", "1")
        await self.settle("note/b")
        assert await self.reader.parked() == {"note/a": "too-large"}
        assert await self.reader.held("note/b") == ["1"]

    async def test_a_message_that_says_nothing_of_itself_is_parked_for_the_operator(self) -> None:
        await self.bus.publish(TOPIC, [Message("scribble", b"\x00", ())])
        await self.reader.take_in()
        assert await self.reader.parked(SYSTEM) == {"scribble": "malformed"}

    async def test_an_event_of_another_service_in_this_topic_is_parked(self) -> None:
        await self.notes.note("note/a", "1")
        envelope = decode((await self.notes.messages("note/a"))[0])
        await self.bus.publish(TOPIC, [encode(replace(envelope, service="impostor"))])
        await self.reader.take_in()
        assert await self.reader.held("note/a") == []
        assert await self.reader.parked() == {"note/a": "malformed"}

    async def test_other_parked_keys_of_the_service_are_left_alone(self) -> None:
        parking = Parking(self.reader.log.documents)
        await parking.park(TENANT, ParkedKey("projection:x", "a", "broken", 3))
        await parking.park(TENANT, ParkedKey(CONSUMER, "elsewhere/note/a", "unknown-type: x", 0))
        await self.restart()
        await self.notes.note("note/a", "1")
        await self.settle("note/a")
        assert await self.reader.held("note/a") == ["1"]
        assert len(await parking.parked(TENANT)) == 2

    # Failure: nothing skipped, nothing doubled.

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

    # Restores.

    async def restore_owner(self, streams: dict[str, int]) -> None:
        self.notes = await self.notes.restored(await self.new_log(), streams)
        self.backfill.owner = self.notes

    async def test_a_restored_owner_is_followed_stream_by_stream(self) -> None:
        for stream in ("note/same", "note/lost-tail", "note/other-tail", "note/lost"):
            await self.notes.note(stream, "1", "2", "3")
            await self.settle(stream)
        await self.restore_owner({"note/same": 3, "note/lost-tail": 2, "note/other-tail": 2})
        await self.notes.note("note/other-tail", "3 anew", "4")
        await self.notes.note("note/fresh", "1")
        await self.send("note/other-tail", 4)
        await self.reader.take_in()

        assert await self.reader.held("note/same") == ["1", "2", "3"]
        assert await self.reader.held("note/lost-tail") == ["1", "2", "3", "2"]
        assert await self.reader.held("note/other-tail") == ["1", "2", "3", "3 anew", "4"]
        assert await self.reader.held("note/lost") == ["1", "2", "3"]
        assert await self.reader.held("note/fresh") == ["1"]
        incarnation = await self.notes.log.store.incarnation(TENANT)
        for stream in ("note/same", "note/lost-tail", "note/other-tail", "note/lost"):
            found = ingested.identity((await self.reader.commits(stream))[-1])
            assert found is not None
            assert found[0] == incarnation

        for stream in ("note/same", "note/lost-tail", "note/lost"):
            await self.notes.note(stream, "later")
            await self.settle(stream)
        assert await self.reader.held("note/same") == ["1", "2", "3", "later"]
        assert await self.reader.held("note/lost-tail") == ["1", "2", "3", "2", "later"]
        assert await self.reader.held("note/lost") == ["1", "2", "3", "later"]
        assert await self.reader.parked() == {}

    async def test_a_restored_owner_is_noticed_without_any_message(self) -> None:
        await self.notes.note("note/a", "1", "2", "3")
        await self.settle("note/a")
        await self.restore_owner({"note/a": 2})
        await self.reader.inlet.look_after()
        assert await self.reader.held("note/a") == ["1", "2", "3", "2"]
        length = len(await self.reader.commits("note/a"))
        await self.reader.inlet.look_after()
        assert len(await self.reader.commits("note/a")) == length

    async def test_an_owner_restored_twice_is_followed_twice(self) -> None:
        await self.notes.note("note/a", "1", "2", "3")
        await self.settle("note/a")
        await self.restore_owner({"note/a": 2})
        await self.reader.inlet.look_after()
        await self.restore_owner({"note/a": 1})
        await self.reader.inlet.look_after()
        assert await self.reader.held("note/a") == ["1", "2", "3", "2", "1"]
        await self.notes.note("note/a", "2 anew")
        await self.settle("note/a")
        assert await self.reader.held("note/a") == ["1", "2", "3", "2", "1", "2 anew"]

    async def test_a_late_message_of_an_old_incarnation_is_dropped(self) -> None:
        await self.notes.note("note/a", "1", "2")
        await self.settle("note/a")
        await self.notes.note("note/a", "3 that was lost")
        late = await self.notes.messages("note/a")
        await self.restore_owner({"note/a": 2})
        await self.notes.note("note/a", "3 anew")
        await self.settle("note/a")
        await self.bus.publish(TOPIC, late)
        await self.reader.take_in()
        assert await self.reader.held("note/a") == ["1", "2", "3 anew"]
        assert await self.reader.parked() == {}

    async def test_while_a_restored_owner_is_away_its_topics_wait(self) -> None:
        await self.notes.note("note/a", "1")
        await self.settle("note/a")
        await self.restore_owner({"note/a": 1})
        await self.notes.note("note/a", "2")
        self.backfill.away = False
        await self.send("note/a", 2)
        self.backfill.away = True
        for _ in range(2):
            with pytest.raises(Unavailable):
                await self.reader.inlet.step()
        assert await self.reader.held("note/a") == ["1"]
        self.backfill.away = False
        assert await self.reader.take_in() == 1
        assert await self.reader.held("note/a") == ["1", "2"]

    async def test_a_reader_restored_alone_fetches_what_its_log_lost(self) -> None:
        for stream in ("note/a", "note/b"):
            await self.notes.note(stream, "1", "2", "3")
            await self.settle(stream)
        restored = await self.new_log()
        for stream, versions in (("@log", 1), ("note/a", 1), ("note/b", 3)):
            for commit in (await self.reader.commits(stream))[:versions]:
                await append(restored.store, replace(commit, position=0))
        await self.reader.inlet.leave()
        self.reader = await self.join(restored)
        await self.reader.inlet.look_after()
        assert await self.reader.held("note/a") == ["1", "2", "3"]
        assert await self.reader.held("note/b") == ["1", "2", "3"]
        assert len(await self.reader.commits("note/b")) == 3

    async def test_a_key_parked_before_a_restore_catches_up_after_it(self) -> None:
        await self.park_counted()
        await self.restore_owner({"note/a": 3, "note/b": 2})
        await self.reader.inlet.look_after()
        assert await self.reader.parked() == {"note/a": "unknown-type"}
        await self.restart()
        assert await self.reader.held("note/a") == ["1", 2, "3"]
        assert await self.reader.parked() == {}

    # All of it together.

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
        for number in range(120):
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
