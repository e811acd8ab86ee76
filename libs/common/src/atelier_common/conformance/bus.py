"""What every bus must do. An adapter's test is ``make_bus``; nothing is skipped.

Publishing may be acknowledged at once or only when every group has committed, so the suite publishes in the background.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from atelier_common.bus.port import Bus, BusSubscription, Delivery, Message, PartitionLost
from atelier_common.errors import Unavailable

TOPIC = "notes.note"
OTHER_TOPIC = "notes.folder"
GROUP = "readers"
OTHER_GROUP = "printers"
_PATIENCE = 30.0


def messages(key: str, first: int, last: int) -> list[Message]:
    return [Message(key, b"%d" % number, (("number", b"%d" % number),)) for number in range(first, last + 1)]


def values(deliveries: Sequence[Delivery]) -> list[int]:
    return [int(delivery.message.value) for delivery in deliveries]


async def fetch(member: BusSubscription, count: int, at_once: int = 100) -> list[Delivery]:
    """Exactly ``count`` messages, not committed."""
    found: list[Delivery] = []
    while len(found) < count:
        some = await member.fetch(min(at_once, count - len(found)), _PATIENCE)
        assert some, f"only {len(found)} of {count} messages came"
        found += some
    return found


async def nothing_comes(member: BusSubscription) -> bool:
    return await member.fetch(1, 0.05) == []


class BusSuite:
    """Subclass it and give :meth:`make_bus`."""

    async def make_bus(self) -> Bus:
        """A new bus with :data:`TOPIC` and :data:`OTHER_TOPIC` empty."""
        raise NotImplementedError

    @pytest.fixture
    async def bus(self) -> Any:
        bus = await self.make_bus()
        self._publishing: list[asyncio.Task[None]] = []
        yield bus
        await bus.close()
        await asyncio.gather(*self._publishing, return_exceptions=True)

    async def publish(self, bus: Bus, topic: str, sent: Sequence[Message]) -> asyncio.Task[None]:
        """Publish in the background; lets it go as far as it can without a reader."""
        task = asyncio.create_task(bus.publish(topic, sent))
        self._publishing.append(task)
        await asyncio.sleep(0)
        return task

    async def test_a_message_comes_as_it_was_sent(self, bus: Bus) -> None:
        sent = Message("north/note/ä🎓", b"\x00\xff", (("content-type", b"application/protobuf"), ("empty", b"")))
        member = bus.subscribe(GROUP, [TOPIC])
        publishing = await self.publish(bus, TOPIC, [sent])
        (delivery,) = await fetch(member, 1)
        assert delivery.message == sent
        assert delivery.topic == TOPIC
        await member.commit([delivery])
        await asyncio.wait_for(publishing, _PATIENCE)

    async def test_one_key_stays_in_order_over_many_publishings(self, bus: Bus) -> None:
        member = bus.subscribe(GROUP, [TOPIC])
        read: dict[str, list[int]] = {}
        for start in range(1, 101, 20):
            sent = [m for n in range(start, start + 20) for key in ("a", "b", "c") for m in messages(key, n, n)]
            publishing = await self.publish(bus, TOPIC, sent)
            found = await fetch(member, 60, at_once=7)
            for delivery in found:
                read.setdefault(delivery.message.key, []).append(int(delivery.message.value))
            await member.commit(found)
            await asyncio.wait_for(publishing, _PATIENCE)
        assert read == {key: list(range(1, 101)) for key in ("a", "b", "c")}

    async def test_offsets_are_dense_in_a_partition(self, bus: Bus) -> None:
        member = bus.subscribe(GROUP, [TOPIC])
        await self.publish(bus, TOPIC, messages("a", 1, 10))
        found = await fetch(member, 10)
        assert {delivery.partition for delivery in found} == {found[0].partition}
        assert [delivery.offset - found[0].offset for delivery in found] == list(range(10))

    async def test_every_group_gets_every_message(self, bus: Bus) -> None:
        one, other = bus.subscribe(GROUP, [TOPIC]), bus.subscribe(OTHER_GROUP, [TOPIC])
        publishing = await self.publish(bus, TOPIC, messages("a", 1, 5))
        first = await fetch(one, 5)
        await one.commit(first)
        second = await fetch(other, 5)
        await other.commit(second)
        assert values(first) == values(second) == [1, 2, 3, 4, 5]
        await asyncio.wait_for(publishing, _PATIENCE)

    async def test_a_group_reads_only_its_topics(self, bus: Bus) -> None:
        member, other = bus.subscribe(GROUP, [TOPIC]), bus.subscribe(OTHER_GROUP, [TOPIC, OTHER_TOPIC])
        await self.publish(bus, OTHER_TOPIC, messages("a", 1, 3))
        await self.publish(bus, TOPIC, messages("a", 11, 12))
        assert values(await fetch(member, 2)) == [11, 12]
        assert sorted(values(await fetch(other, 5))) == [1, 2, 3, 11, 12]
        assert await nothing_comes(member)

    async def test_what_was_not_committed_comes_again_to_the_next_member(self, bus: Bus) -> None:
        first = bus.subscribe(GROUP, [TOPIC])
        await self.publish(bus, TOPIC, messages("a", 1, 6))
        found = await fetch(first, 6)
        await first.commit(found[:2])
        await first.close()

        second = bus.subscribe(GROUP, [TOPIC])
        again = await fetch(second, 4)
        assert values(again) == [3, 4, 5, 6]
        await second.commit(again)
        await second.close()

        assert await nothing_comes(bus.subscribe(GROUP, [TOPIC]))

    async def test_a_commit_never_goes_back(self, bus: Bus) -> None:
        first = bus.subscribe(GROUP, [TOPIC])
        await self.publish(bus, TOPIC, messages("a", 1, 4))
        found = await fetch(first, 4)
        await first.commit(found[:3])
        await first.commit(found[:1])
        await first.close()
        assert values(await fetch(bus.subscribe(GROUP, [TOPIC]), 1)) == [4]

    async def test_within_a_group_each_message_goes_to_one_member(self, bus: Bus) -> None:
        members = [bus.subscribe(GROUP, [TOPIC]) for _ in range(2)]
        sent = [message for key in "abcdefghij" for message in messages(key, 1, 5)]
        await self.publish(bus, TOPIC, sent)
        found: list[Delivery] = []
        while len(found) < len(sent):
            for member in members:
                some = await member.fetch(7, 0.05)
                found += some
                await member.commit(some)
        assert len(found) == len({(d.message.key, d.message.value) for d in found}) == len(sent)

    async def test_a_member_that_lost_its_partition_cannot_commit(self, bus: Bus) -> None:
        first = bus.subscribe(GROUP, [TOPIC])
        await self.publish(bus, TOPIC, messages("a", 1, 2))
        found = await fetch(first, 2)
        await first.close()
        second = bus.subscribe(GROUP, [TOPIC])
        with pytest.raises(PartitionLost):
            await first.commit(found)
        assert values(await fetch(second, 2)) == [1, 2]

    async def test_seeking_back_reads_again(self, bus: Bus) -> None:
        member = bus.subscribe(GROUP, [TOPIC])
        await self.publish(bus, TOPIC, messages("a", 1, 5))
        found = await fetch(member, 5)
        await member.commit(found[:1])
        await member.seek(found[2].topic, found[2].partition, found[2].offset)
        assert values(await fetch(member, 3)) == [3, 4, 5]

    async def test_a_paused_partition_is_silent_until_it_is_resumed(self, bus: Bus) -> None:
        member = bus.subscribe(GROUP, [TOPIC, OTHER_TOPIC])
        await self.publish(bus, TOPIC, messages("a", 1, 1))
        (first,) = await fetch(member, 1)
        member.pause(first.topic, first.partition)
        await self.publish(bus, TOPIC, messages("a", 2, 2))
        assert await nothing_comes(member)
        member.resume(first.topic, first.partition)
        assert values(await fetch(member, 1)) == [2]

    async def test_a_waiting_reader_is_woken(self, bus: Bus) -> None:
        member = bus.subscribe(GROUP, [TOPIC])
        waiting = asyncio.create_task(member.fetch(10, _PATIENCE))
        await asyncio.sleep(0.02)
        assert not waiting.done()
        await self.publish(bus, TOPIC, messages("a", 1, 1))
        assert values(await asyncio.wait_for(waiting, _PATIENCE)) == [1]

    async def test_a_fetch_takes_no_more_than_asked_for(self, bus: Bus) -> None:
        member = bus.subscribe(GROUP, [TOPIC])
        await self.publish(bus, TOPIC, [m for key in "abcdef" for m in messages(key, 1, 5)])
        counts: list[int] = []
        while sum(counts) < 30:
            counts.append(len(await member.fetch(4, _PATIENCE)))
        assert (sum(counts), max(counts)) == (30, 4)

    async def test_a_group_expected_before_it_joins_misses_nothing(self, bus: Bus) -> None:
        bus.expect(GROUP, [TOPIC])
        other = bus.subscribe(OTHER_GROUP, [TOPIC])
        await self.publish(bus, TOPIC, messages("a", 1, 3))
        await other.commit(await fetch(other, 3))
        assert values(await fetch(bus.subscribe(GROUP, [TOPIC]), 3)) == [1, 2, 3]

    async def test_publishing_to_a_topic_without_readers_is_acknowledged(self, bus: Bus) -> None:
        await asyncio.wait_for(bus.publish(TOPIC, messages("a", 1, 3)), _PATIENCE)

    async def test_a_closed_bus_acknowledges_nothing(self, bus: Bus) -> None:
        bus.subscribe(GROUP, [TOPIC])
        await bus.close()
        with pytest.raises(Unavailable):
            await bus.publish(TOPIC, messages("a", 1, 1))
