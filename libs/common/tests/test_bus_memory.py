"""The broker in memory is a bus, with one partition and with many."""

from atelier_common.bus.memory import MemoryBus
from atelier_common.bus.port import Bus
from atelier_common.conformance.bus import GROUP, TOPIC, BusSuite, messages


class TestMemoryBus(BusSuite):
    async def make_bus(self) -> Bus:
        return MemoryBus()


class TestMemoryBusOfOnePartition(BusSuite):
    async def make_bus(self) -> Bus:
        return MemoryBus(partitions=1)


async def test_partitions_are_dealt_out_again_when_a_member_comes_or_goes() -> None:
    bus = MemoryBus(partitions=4)
    await bus.publish(TOPIC, messages("a", 1, 1))
    first = bus.subscribe(GROUP, [TOPIC])
    assert first.assigned == {(TOPIC, 0), (TOPIC, 1), (TOPIC, 2), (TOPIC, 3)}
    second = bus.subscribe(GROUP, [TOPIC])
    assert len(first.assigned) == len(second.assigned) == 2
    assert first.assigned | second.assigned == {(TOPIC, 0), (TOPIC, 1), (TOPIC, 2), (TOPIC, 3)}
    await first.close()
    assert second.assigned == {(TOPIC, 0), (TOPIC, 1), (TOPIC, 2), (TOPIC, 3)}
