"""A process does not stand still for servers that are away: what it would do with them waits, and stops when it is told to end."""

import asyncio

import pytest
from atelier_common.bus.kafka import WrongTopic
from atelier_common.bus.memory import MemoryBus
from atelier_common.bus.port import Message
from atelier_common.errors import Unavailable
from atelier_common.testing.simulation import simulate
from atelier_hosting.awaiting import AwaitedBus, insist, unless

NOTE = Message("key", b"value", ())


def test_what_is_published_and_fetched_waits_until_the_bus_is_open() -> None:
    async def live() -> None:
        inner = MemoryBus()
        bus = AwaitedBus(inner)
        member, beside = bus.subscribe("readers", ["notes"]), inner.subscribe("others", ["notes"])
        publishing = asyncio.create_task(bus.publish("notes", [NOTE]))
        await asyncio.sleep(60)
        assert not publishing.done()
        assert await beside.fetch(10, 0.1) == []
        # What is there already is not read either: its topic may be other than declared.
        await inner.publish("notes", [NOTE])
        assert await member.fetch(10, 1.0) == []

        bus.open()
        await publishing
        assert [one.message for one in await member.fetch(10, 1.0)] == [NOTE, NOTE]
        await bus.close()

    simulate(live())


def test_a_server_that_is_away_is_asked_until_it_is_there_and_the_reason_told_each_time() -> None:
    async def live() -> None:
        tries, reasons = 0, list[str]()

        async def work() -> None:
            nonlocal tries
            tries += 1
            if tries < 4:
                raise Unavailable(f"not yet {tries}")

        await insist("the broker", work, reasons.append)
        assert reasons == [f"waits for the broker: not yet {number}" for number in (1, 2, 3)]

    simulate(live())


def test_what_is_wrong_for_good_is_not_waited_for() -> None:
    async def live() -> None:
        async def work() -> None:
            raise WrongTopic("topic notes has 2 partitions and must have 3")

        with pytest.raises(WrongTopic):
            await insist("the broker", work, lambda _: None)

    simulate(live())


def test_a_start_is_broken_off_when_the_process_is_told_to_end() -> None:
    async def live() -> None:
        told, ended = asyncio.Event(), asyncio.Event()

        async def start() -> None:
            try:
                await asyncio.sleep(3600)
            finally:
                ended.set()

        asyncio.get_running_loop().call_later(5, told.set)
        assert not await unless(told, start())
        assert ended.is_set()

    simulate(live())


def test_a_start_that_comes_to_its_end_says_so_and_one_that_fails_fails() -> None:
    async def live() -> None:
        async def fail() -> None:
            raise OSError("no such folder")

        assert await unless(asyncio.Event(), asyncio.sleep(1))
        with pytest.raises(OSError, match="no such folder"):
            await unless(asyncio.Event(), fail())

    simulate(live())
