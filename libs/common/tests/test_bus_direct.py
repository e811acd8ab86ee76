"""The standalone's bus: acknowledged means committed by every group, because nothing else makes it durable."""

import asyncio

import pytest
from atelier_common.bus.direct import DirectBus
from atelier_common.bus.port import Bus
from atelier_common.conformance.bus import GROUP, OTHER_GROUP, TOPIC, BusSuite, fetch, messages, values
from atelier_common.errors import Unavailable


class TestDirectBus(BusSuite):
    async def make_bus(self) -> Bus:
        return DirectBus()


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_publishing_is_acknowledged_when_the_last_group_has_committed() -> None:
    bus = DirectBus()
    one, other = bus.subscribe(GROUP, [TOPIC]), bus.subscribe(OTHER_GROUP, [TOPIC])
    publishing = asyncio.create_task(bus.publish(TOPIC, messages("a", 1, 3)))
    found = await fetch(one, 3)
    await one.commit(found)
    await other.commit((await fetch(other, 3))[:2])
    await settle()
    assert not publishing.done()
    await other.commit(found[2:])
    await asyncio.wait_for(publishing, 1)


async def test_a_group_that_was_named_and_does_not_run_makes_publishing_wait() -> None:
    bus = DirectBus({GROUP: [TOPIC]})
    publishing = asyncio.create_task(bus.publish(TOPIC, messages("a", 1, 1)))
    await settle()
    assert not publishing.done()
    late = bus.subscribe(GROUP, [TOPIC])
    await late.commit(await fetch(late, 1))
    await asyncio.wait_for(publishing, 1)


async def test_a_group_that_keeps_account_is_not_waited_for_and_still_told() -> None:
    bus = DirectBus({GROUP: [TOPIC]})
    bus.expect(OTHER_GROUP, [TOPIC], keeps_account=True)
    publishing = asyncio.create_task(bus.publish(TOPIC, messages("a", 1, 3)))
    member = bus.subscribe(GROUP, [TOPIC])
    found = await fetch(member, 3)
    await member.commit(found)
    await asyncio.wait_for(publishing, 1)
    accountant = bus.subscribe(OTHER_GROUP, [TOPIC])
    assert values(await fetch(accountant, 3)) == values(found)


async def test_a_group_that_stopped_makes_publishing_wait() -> None:
    bus = DirectBus()
    member = bus.subscribe(GROUP, [TOPIC])
    await member.close()
    publishing = asyncio.create_task(bus.publish(TOPIC, messages("a", 1, 1)))
    await settle()
    assert not publishing.done()
    publishing.cancel()
    await asyncio.gather(publishing, return_exceptions=True)


async def test_no_more_than_its_capacity_waits_for_a_slow_group() -> None:
    bus = DirectBus(capacity=10)
    member = bus.subscribe(GROUP, [TOPIC])
    publishing = [asyncio.create_task(bus.publish(TOPIC, messages("a", start, start + 3))) for start in range(1, 21, 4)]
    await settle()
    first = await member.fetch(100, 1)
    assert values(first) == [1, 2, 3, 4, 5, 6, 7, 8]
    read = values(first)
    await member.commit(first)
    while len(read) < 20:
        found = await fetch(member, 4)
        read += values(found)
        await member.commit(found)
    assert read == list(range(1, 21))
    await asyncio.wait_for(asyncio.gather(*publishing), 5)


async def test_more_than_the_capacity_at_once_still_passes_in_order() -> None:
    bus = DirectBus(capacity=3)
    member = bus.subscribe(GROUP, [TOPIC])
    publishing = asyncio.create_task(bus.publish(TOPIC, messages("a", 1, 10)))
    read: list[int] = []
    while len(read) < 10:
        found = await member.fetch(100, 1)
        read += values(found)
        await member.commit(found)
    assert read == list(range(1, 11))
    await asyncio.wait_for(publishing, 1)


async def test_closing_wakes_a_waiting_publisher_without_an_acknowledgement() -> None:
    bus = DirectBus({GROUP: [TOPIC]})
    publishing = asyncio.create_task(bus.publish(TOPIC, messages("a", 1, 1)))
    await settle()
    await bus.close()
    with pytest.raises(Unavailable):
        await asyncio.wait_for(publishing, 1)
