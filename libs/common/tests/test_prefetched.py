"""What a member of a group has read ahead: in order per partition, in turns, nothing of what is held back."""

from atelier_common.bus.port import Delivery, Message
from atelier_common.bus.prefetched import Prefetched


def of(partition: int, *offsets: int) -> list[Delivery]:
    return [Delivery("notes", partition, offset, Message("key", b"12345", ())) for offset in offsets]


def test_each_partition_comes_in_order_and_no_more_than_asked_for() -> None:
    prefetched = Prefetched()
    prefetched.put([*of(0, 1, 2), *of(1, 7), *of(0, 3)])
    assert prefetched.take(2) == of(0, 1, 2)
    assert prefetched.take(10) == [*of(1, 7), *of(0, 3)]
    assert prefetched.take(10) == []


def test_a_partition_with_much_does_not_keep_the_others_waiting() -> None:
    prefetched = Prefetched()
    prefetched.put([*of(0, *range(100)), *of(1, 7)])
    assert prefetched.take(50) == of(0, *range(50))
    assert prefetched.take(1) == of(1, 7)


def test_what_is_held_back_waits_until_it_is_released() -> None:
    prefetched = Prefetched()
    prefetched.hold_back(("notes", 0))
    prefetched.put([*of(0, 1), *of(1, 7)])
    assert prefetched.take(10) == of(1, 7)
    prefetched.release(("notes", 0))
    assert prefetched.take(10) == of(0, 1)


def test_what_waits_is_counted_in_bytes_until_it_is_taken_or_dropped() -> None:
    prefetched = Prefetched()
    prefetched.put(of(0, 1, 2, 3))
    assert (prefetched.size(("notes", 0)), prefetched.size(("notes", 1))) == (15, 0)
    prefetched.take(1)
    assert prefetched.size(("notes", 0)) == 10
    prefetched.drop(("notes", 0))
    assert prefetched.size(("notes", 0)) == 0
    assert prefetched.take(10) == []


def test_what_is_dropped_stays_held_back_and_what_is_cleared_does_not() -> None:
    prefetched = Prefetched()
    prefetched.hold_back(("notes", 0))
    prefetched.put(of(0, 1))
    prefetched.drop(("notes", 0))
    prefetched.put(of(0, 1))
    assert prefetched.take(10) == []
    prefetched.clear()
    prefetched.put(of(0, 1))
    assert prefetched.take(10) == of(0, 1)
