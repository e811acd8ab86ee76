"""The bus on a real Kafka broker."""

import uuid

import pytest
from atelier_common.bus.kafka import KafkaBus, Topic, WrongTopic, settle_topics
from atelier_common.bus.port import Bus
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
