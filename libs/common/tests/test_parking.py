"""Parked keys: whole, in order, and never forgotten by somebody who did not see the last of them."""

from atelier_common.bus.port import Message
from atelier_common.documents.memory import MemoryDocuments
from atelier_common.parking import ParkedKey, Parking

KEY = ParkedKey("consumer", "notes/note/a", "unknown-type: x", 0)


def message(number: int, size: int = 1) -> Message:
    return Message("north/note/a", b"x" * size, (("number", b"%d" % number),))


async def test_the_first_reason_and_position_stay() -> None:
    parking = Parking(MemoryDocuments())
    await parking.park("north", ParkedKey("projection:p", "a", "first", 7))
    await parking.park("north", ParkedKey("projection:p", "a", "second", 9))
    assert await parking.parked("north") == [ParkedKey("projection:p", "a", "first", 7)]
    assert await parking.parked("south") == []
    assert await parking.parked("north", "projection") == []


async def test_messages_wait_in_the_order_in_which_they_came() -> None:
    parking = Parking(MemoryDocuments())
    await parking.hold("north", KEY, [message(1), message(2)])
    await parking.hold("north", KEY, [message(2), message(3)])
    assert await parking.hold_more("north", KEY.consumer, KEY.key, [message(4)])
    waiting = await parking.waiting("north", KEY.consumer, KEY.key)
    assert waiting is not None
    assert list(waiting.messages) == [message(1), message(2), message(3), message(4)]
    assert waiting.complete


async def test_a_key_that_is_not_parked_holds_nothing() -> None:
    parking = Parking(MemoryDocuments())
    assert not await parking.hold_more("north", KEY.consumer, KEY.key, [message(1)])
    assert await parking.waiting("north", KEY.consumer, KEY.key) is None


async def test_once_something_found_no_room_the_key_never_looks_complete_again() -> None:
    parking = Parking(MemoryDocuments())
    await parking.hold("north", KEY, [message(1), message(2, size=600_000)])
    await parking.hold_more("north", KEY.consumer, KEY.key, [message(3)])
    waiting = await parking.waiting("north", KEY.consumer, KEY.key)
    assert waiting is not None
    assert list(waiting.messages) == [message(1), message(3)]
    assert not waiting.complete


async def test_nobody_finishes_a_key_whose_last_message_he_did_not_see() -> None:
    parking = Parking(MemoryDocuments())
    await parking.hold("north", KEY, [message(1)])
    seen = await parking.waiting("north", KEY.consumer, KEY.key)
    assert seen is not None
    await parking.hold_more("north", KEY.consumer, KEY.key, [message(2)])
    assert not await parking.finish("north", KEY.consumer, KEY.key, seen.revision)
    assert not await parking.hold_only("north", KEY, [], seen.revision, complete=True)
    now = await parking.waiting("north", KEY.consumer, KEY.key)
    assert now is not None
    assert list(now.messages) == [message(1), message(2)]
    assert await parking.finish("north", KEY.consumer, KEY.key, now.revision)
    assert await parking.parked("north") == []


async def test_a_message_without_room_still_counts_as_seen_by_nobody() -> None:
    parking = Parking(MemoryDocuments())
    await parking.hold("north", KEY, [message(number) for number in range(200)])
    seen = await parking.waiting("north", KEY.consumer, KEY.key)
    assert seen is not None
    await parking.hold_more("north", KEY.consumer, KEY.key, [message(200)])
    assert not await parking.finish("north", KEY.consumer, KEY.key, seen.revision)
