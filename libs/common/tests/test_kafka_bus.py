"""The bus on a real Kafka broker."""

import asyncio
import time
import uuid
from statistics import median

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from atelier_common.bus.kafka import COMMITTED_WITHIN, KafkaBus, Topic, WrongTopic, settle_topics
from atelier_common.bus.port import Bus, Message
from atelier_common.conformance.bus import OTHER_TOPIC, TOPIC, BusSuite

pytestmark = pytest.mark.servers


class TestKafkaBus(BusSuite):
    address: str

    @pytest.fixture(autouse=True)
    def _address(self, kafka_address: str) -> None:
        self.address = kafka_address

    async def make_bus(self) -> Bus:
        prefix = f"test-{uuid.uuid4().hex}."
        await settle_topics(self.address, [Topic(TOPIC, 3), Topic(OTHER_TOPIC, 3)], prefix)
        return KafkaBus(self.address, prefix=prefix)


async def test_a_topic_is_settled_twice_and_by_several_at_once(kafka_address: str) -> None:
    topic = Topic(f"settled-{uuid.uuid4().hex}", 2, settings={"retention.ms": "3600000", "cleanup.policy": "delete"})
    await settle_topics(kafka_address, [topic])
    await settle_topics(kafka_address, [topic])


async def test_a_topic_with_other_partitions_or_settings_is_refused_by_name(kafka_address: str) -> None:
    name = f"settled-{uuid.uuid4().hex}"
    await settle_topics(kafka_address, [Topic(name, 2, settings={"retention.ms": "3600000"})])
    with pytest.raises(WrongTopic, match=f"{name} has 2 partitions and must have 3"):
        await settle_topics(kafka_address, [Topic(name, 3)])
    with pytest.raises(WrongTopic, match=rf"{name} has retention\.ms=3600000 and must have 7200000"):
        await settle_topics(kafka_address, [Topic(name, 2, settings={"retention.ms": "7200000"})])


async def test_a_member_that_is_slow_gets_all_of_a_large_backlog_in_order(kafka_address: str) -> None:
    """Three megabytes wait in one partition, of which one may be read ahead."""
    prefix = f"backlog-{uuid.uuid4().hex}."
    await settle_topics(kafka_address, [Topic("notes", 1)], prefix)
    bus = KafkaBus(kafka_address, prefix=prefix)
    try:
        await bus.publish("notes", [Message("one", b"%06d" % number * 1_000, ()) for number in range(500)])
        member = bus.subscribe("readers", ["notes"])
        offsets: list[int] = []
        async with asyncio.timeout(60):
            while len(offsets) < 500:
                offsets += [delivery.offset for delivery in await member.fetch(20, 5.0)]
                await asyncio.sleep(0.01)
        assert offsets == list(range(500))
        assert await member.fetch(20, 0.5) == []
    finally:
        await bus.close()


async def test_a_handler_that_takes_long_does_not_keep_waiting_what_comes_after_it(kafka_address: str) -> None:
    """The client by itself would wait for other partitions first, up to half a second each time."""
    prefix = f"busy-{uuid.uuid4().hex}."
    await settle_topics(kafka_address, [Topic("notes", 3)], prefix)
    bus = KafkaBus(kafka_address, prefix=prefix)
    try:
        member = bus.subscribe("readers", ["notes"])
        waits = []
        for _ in range(5):
            await bus.publish("notes", [Message("one", b"handled for long", ())])
            assert await member.fetch(10, 30.0)
            await bus.publish("notes", [Message("one", b"comes meanwhile", ())])
            await asyncio.sleep(0.3)
            assert await member.fetch(10, 30.0)
            await bus.publish("notes", [Message("one", b"comes after it", ())])
            began = time.monotonic()
            assert await member.fetch(10, 30.0)
            waits.append(time.monotonic() - began)
        assert median(waits) < 0.2
    finally:
        await bus.close()


async def test_the_broker_knows_soon_what_is_done_without_being_told_each_time(kafka_address: str) -> None:
    prefix = f"done-{uuid.uuid4().hex}."
    await settle_topics(kafka_address, [Topic("notes", 1)], prefix)
    bus = KafkaBus(kafka_address, prefix=prefix)
    told = AIOKafkaConsumer(bootstrap_servers=kafka_address, group_id=f"{prefix}readers", enable_auto_commit=False)
    place = TopicPartition(f"{prefix}notes", 0)
    try:
        await told.start()
        told.assign([place])
        member = bus.subscribe("readers", ["notes"])
        for number in range(30):
            await bus.publish("notes", [Message("one", b"%d" % number, ())])
            await member.commit(await member.fetch(10, 30.0))
        assert (await bus.waiting())[0].messages == 0
        async with asyncio.timeout(10 * COMMITTED_WITHIN + 5):
            while await told.committed(place) != 30:
                await asyncio.sleep(0.05)
    finally:
        await told.stop()
        await bus.close()


async def test_a_member_that_gives_its_partition_up_says_first_what_it_has_done(kafka_address: str) -> None:
    prefix = f"given-up-{uuid.uuid4().hex}."
    await settle_topics(kafka_address, [Topic("notes", 1)], prefix)
    bus = KafkaBus(kafka_address, prefix=prefix)
    try:
        first = bus.subscribe("readers", ["notes"])
        await bus.publish("notes", [Message("one", b"%d" % number, ()) for number in range(3)])
        found = await first.fetch(10, 30.0)
        await first.commit(found[:2])
        second = bus.subscribe("readers", ["notes"])
        joining = asyncio.create_task(second.fetch(10, 30.0))
        members = {first: await first.fetch(10, 15.0), second: []}
        await first.close()
        members[second] = await joining
        again = [delivery.offset for some in members.values() for delivery in some]
        assert set(again) == {2}
    finally:
        await bus.close()
