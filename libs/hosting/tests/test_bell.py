"""Replicas ring for each other: what one appends is followed by another long before that one would look by itself."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from atelier_common.bus.memory import MemoryBus
from atelier_common.bus.port import Message
from atelier_common.conformance.material import TENANT, append, commit, until
from atelier_common.documents.memory import MemoryDocuments
from atelier_common.errors import Unavailable
from atelier_common.eventstore.documents import DocumentEventStore
from atelier_common.testing.simulation import simulate
from atelier_hosting.bell import ReplicaBell, bell_topic

SELDOM = 30.0
SOON = 0.5


@asynccontextmanager
async def replica(
    name: str, documents: MemoryDocuments, bus: MemoryBus, *, follows: Callable[[], bool] = lambda: False
) -> AsyncIterator[DocumentEventStore]:
    """One that looks by itself once in half a minute."""
    store = DocumentEventStore(documents, owner=name, idle_seconds=SELDOM)
    await store.start()
    ringing = asyncio.create_task(ReplicaBell("notes", name, store, follows, bus).run())
    try:
        yield store
    finally:
        ringing.cancel()
        await asyncio.gather(ringing, return_exceptions=True)
        await store.close()


async def asleep() -> None:
    """Until who looks less and less often looks seldom."""
    await asyncio.sleep(2 * SELDOM)


def test_what_is_appended_elsewhere_gets_its_position_at_once() -> None:
    async def live() -> None:
        documents, bus = MemoryDocuments(), MemoryBus()
        async with AsyncExitStack() as house:
            first = await house.enter_async_context(replica("first", documents, bus))
            await append(first, commit("note/a", 1))
            second = await house.enter_async_context(replica("second", documents, bus))
            await asleep()
            assert (first.sequencing, second.sequencing) == (True, False)
            await append(second, commit("note/b", 1))

            async def placed() -> bool:
                return await second.head(TENANT) == 2

            await until(placed, SOON)

    simulate(live())


def test_who_follows_hears_of_positions_given_elsewhere() -> None:
    async def live() -> None:
        documents, bus = MemoryDocuments(), MemoryBus()
        async with AsyncExitStack() as house:
            first = await house.enter_async_context(replica("first", documents, bus))
            second = await house.enter_async_context(replica("second", documents, bus, follows=lambda: True))
            await asleep()
            rung = second.changed.listen()
            await append(first, commit("note/a", 1))
            async with asyncio.timeout(SOON):
                await rung.wait()
            assert await second.head(TENANT) == 1

    simulate(live())


def test_one_replica_alone_rings_for_nobody() -> None:
    async def live() -> None:
        documents, bus = MemoryDocuments(), MemoryBus()
        listener = bus.subscribe("listener", [bell_topic("notes").name])
        async with replica("only", documents, bus, follows=lambda: True) as store:
            await append(store, commit("note/a", 1))
            await asleep()
            assert await listener.fetch(10, 0) == []

    simulate(live())


def test_a_ring_is_passed_on_to_nobody() -> None:
    async def live() -> None:
        documents, bus = MemoryDocuments(), MemoryBus()
        async with AsyncExitStack() as house:
            for name in ("first", "second", "third"):
                await house.enter_async_context(replica(name, documents, bus))
            await asleep()
            listener = bus.subscribe("listener", [bell_topic("notes").name])
            await bus.publish(bell_topic("notes").name, [Message("outside", b"", ())])
            await asleep()
            assert [one.message.key for one in await listener.fetch(10, 0)] == ["outside"]

    simulate(live())


def test_without_a_broker_they_find_out_by_themselves() -> None:
    class Away(MemoryBus):
        async def publish(self, _topic: str, _messages: object) -> None:
            raise Unavailable("no broker")

    async def live() -> None:
        documents, bus = MemoryDocuments(), Away()
        async with AsyncExitStack() as house:
            await house.enter_async_context(replica("first", documents, bus))
            second = await house.enter_async_context(replica("second", documents, bus))
            await asleep()
            await append(second, commit("note/a", 1))

            async def placed() -> bool:
                return await second.head(TENANT) == 1

            await until(placed, 2 * SELDOM)

    simulate(live())
