"""What a partition has before a member of a group, and since when, on a real broker."""

import time
import uuid

import pytest
from atelier_common.bus.kafka import KafkaBus, Topic, Waiting, settle_topics
from atelier_common.bus.port import Message

pytestmark = pytest.mark.servers


async def test_what_was_sent_and_is_not_committed_waits_since_the_oldest_of_it_was_sent(kafka_address: str) -> None:
    prefix = f"waiting-{uuid.uuid4().hex}."
    await settle_topics(kafka_address, [Topic("notes", 1)], prefix)
    bus = KafkaBus(kafka_address, prefix=prefix)
    try:
        began = int(time.time() * 1000)
        await bus.publish("notes", [Message("one", b"first", ()), Message("one", b"second", ())])
        member = bus.subscribe("readers", ["notes"])
        fetched = []
        while len(fetched) < 2:
            fetched += await member.fetch(10, 5.0)
        (waiting,) = await bus.waiting()
        assert (waiting.group, waiting.topic, waiting.partition, waiting.messages) == ("readers", "notes", 0, 2)
        assert waiting.since_ms is not None
        assert began <= waiting.since_ms <= int(time.time() * 1000)
        await member.commit(fetched)
        assert await bus.waiting() == [Waiting("readers", "notes", 0, 0, None)]
    finally:
        await bus.close()
