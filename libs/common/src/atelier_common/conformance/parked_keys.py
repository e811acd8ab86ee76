"""What must hold of keys that a consumer parks: whole and in order they wait, others go on, and they catch up.

An adapter's test is ``make_log``; nothing is skipped.
"""

from dataclasses import replace

import pytest

from atelier_common.bus.envelope import decode, encode
from atelier_common.bus.port import Message
from atelier_common.conformance.material import TENANT
from atelier_common.conformance.notes import (
    COUNTED,
    TOPIC,
    Noted,
    Reader,
)
from atelier_common.conformance.reading_world import OLDER_RELEASE, ReadingWorld
from atelier_common.consumer import CONSUMER
from atelier_common.documents.port import SYSTEM
from atelier_common.errors import Unavailable
from atelier_common.parking import ParkedKey, Parking


class ParkedKeysSuite(ReadingWorld):
    """Subclass it and give :meth:`make_log`; the suite starts the stores and closes them."""

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
        for first in range(4, 304, 10):
            await self.notes.write("note/a", *(Noted(f"{number}") for number in range(first, first + 10)))
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
