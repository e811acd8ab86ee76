"""Taking in from a real Kafka: members that come in the middle of a handler, a store that fails, a broker that is gone."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from atelier_common.bus.kafka import KafkaBus, Topic, settle_topics
from atelier_common.bus.port import Delivery, Message
from atelier_common.commit import Commit
from atelier_common.conformance.bus import fetch
from atelier_common.conformance.notes import FOLDER_TOPIC, TOPIC, Log, Notes, Reader, WatchedBackfill
from atelier_common.conformance.running_world import arrived
from atelier_common.documents.memory import MemoryDocuments
from atelier_common.errors import Unavailable
from atelier_common.eventstore.documents import DocumentEventStore
from atelier_common.eventstore.port import AppendOutcome, EventStore

from infra.dev import kafka

pytestmark = pytest.mark.servers

STREAMS = [f"note/{number}" for number in range(12)]


class HeldStore:
    """An event store whose appends wait for ``go``; ``reached`` is set when the first one does. Passes the rest on."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self.reached = asyncio.Event()
        self.go = asyncio.Event()

    async def append(self, commits: Sequence[Commit]) -> list[AppendOutcome]:
        self.reached.set()
        await self.go.wait()
        return await self._store.append(commits)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class Neighbours:
    """Notes that were published to Kafka, and the readers of one service that take them in."""

    def __init__(self, address: str, prefix: str) -> None:
        self.address, self.prefix = address, prefix
        self.notes = Notes(_new_log(), KafkaBus(address, prefix=prefix))
        self.backfill = WatchedBackfill()
        self.backfill.owner = self.notes
        self.log = _new_log()
        self.readers: list[Reader] = []

    async def publish(self, *texts: str) -> None:
        for stream in STREAMS:
            await self.notes.note(stream, *texts)
            await self.notes.bus.publish(TOPIC, await self.notes.messages(stream))

    async def replica(self, store: EventStore | None = None) -> Reader:
        """One more replica of the reading service, on a bus of its own."""
        log = Log(store or self.log.store, self.log.documents)
        reader = Reader(log, KafkaBus(self.address, prefix=self.prefix), self.backfill)
        await reader.inlet.join()
        self.readers.append(reader)
        return reader

    async def take_in_all(self, *readers: Reader) -> None:
        """Until all that was published is there, and every reader then has found nothing twice in a row."""
        idle = 0
        async with asyncio.timeout(60):
            while idle < 2:
                taken = sum([await reader.inlet.step(timeout=0.3) for reader in readers])
                # A group that is dealt out anew gives its members nothing for a while.
                idle = 0 if taken or not await self._all_there() else idle + 1

    async def _all_there(self) -> bool:
        published = [len(await self.notes.messages(stream)) for stream in STREAMS]
        return all(len(texts) >= count for texts, count in zip((await self.held()).values(), published, strict=True))

    async def held(self) -> dict[str, list[str | int]]:
        reader = self.readers[0]
        return {stream: await reader.held(stream) for stream in STREAMS}


def _new_log() -> Log:
    documents = MemoryDocuments()
    return Log(DocumentEventStore(documents), documents)


@asynccontextmanager
async def neighbours(address: str) -> AsyncIterator[Neighbours]:
    prefix = f"test-{uuid.uuid4().hex}."
    await settle_topics(address, [Topic(TOPIC, 3), Topic(FOLDER_TOPIC, 1)], prefix)
    both = Neighbours(address, prefix)
    for log in (both.notes.log, both.log):
        await log.store.start()
    yield both
    for reader in both.readers:
        await reader.inlet.leave()
    await both.notes.bus.close()
    for log in (both.notes.log, both.log):
        await log.store.close()


async def test_a_member_that_joins_in_the_middle_of_a_handler_loses_and_doubles_nothing(kafka_address: str) -> None:
    async with neighbours(kafka_address) as both:
        await both.publish("1", "2", "3")
        slow_store = HeldStore(both.log.store)
        slow = await both.replica(slow_store)
        handling = asyncio.create_task(slow.inlet.step(timeout=30))
        await arrived(slow_store.reached)

        quick, taken = await both.replica(), 0
        async with asyncio.timeout(60):
            while not taken:
                taken = await quick.inlet.step(timeout=0.5)
        assert not handling.done()
        assert any((await both.held()).values()), "what was the slow one's is the quick one's now, and in the log"

        slow_store.go.set()
        await handling
        await both.take_in_all(slow, quick)
        assert await both.held() == {stream: ["1", "2", "3"] for stream in STREAMS}
        assert [len(await slow.commits(stream)) for stream in STREAMS] == [3] * len(STREAMS)

        for reader in (slow, quick):
            await reader.inlet.leave()
        assert await (await both.replica()).inlet.step(timeout=2.0) == 0, "every offset is committed"


@pytest.mark.parametrize("fails", ["before", "after"])
async def test_what_a_failing_store_did_not_take_comes_again(kafka_address: str, fails: str) -> None:
    async with neighbours(kafka_address) as both:
        await both.publish("1", "2")
        reader = await both.replica()
        reader.store.fails = fails
        for _ in range(2):
            with pytest.raises(Unavailable):
                await reader.inlet.step(timeout=30)
        reader.store.fails = None
        await both.take_in_all(reader)
        assert await both.held() == {stream: ["1", "2"] for stream in STREAMS}
        assert [len(await reader.commits(stream)) for stream in STREAMS] == [2] * len(STREAMS)


async def test_a_paused_partition_holds_up_no_other_and_loses_nothing(kafka_address: str) -> None:
    async with neighbours(kafka_address) as both:
        await both.publish("1", "2", "3")
        member = both.notes.bus.subscribe("readers", [TOPIC])
        (first,) = await fetch(member, 1)
        member.pause(first.topic, first.partition)
        others: list[Delivery] = []
        async with asyncio.timeout(60):
            while (some := await member.fetch(4, 1.0)) or len({delivery.partition for delivery in others}) < 2:
                others += some
        assert {0, 1, 2} - {delivery.partition for delivery in others} == {first.partition}
        member.resume(first.topic, first.partition)
        late = await fetch(member, 3 * len(STREAMS) - len(others) - 1)
        offsets = [(delivery.partition, delivery.offset) for delivery in (first, *others, *late)]
        assert len(set(offsets)) == 3 * len(STREAMS)
        for partition in range(3):
            mine = [offset for place, offset in offsets if place == partition]
            assert mine == list(range(len(mine)))


@pytest.mark.long
async def test_with_one_of_three_brokers_gone_writes_go_on_and_with_two_gone_who_stops_ends(tmp_path: Path) -> None:
    cluster = kafka.start(tmp_path, 3)
    bus = KafkaBus(cluster.address)
    try:
        await settle_topics(cluster.address, [Topic("things", 3)])
        member, read = bus.subscribe("readers", ["things"]), list[int]()

        async def publish(number: int) -> None:
            """As the publisher does: a failed send is sent again."""
            async with asyncio.timeout(90):
                while True:
                    try:
                        return await bus.publish("things", [_numbered(number)])
                    except Unavailable:
                        await asyncio.sleep(0.1)

        async def read_up_to(number: int) -> None:
            async with asyncio.timeout(90):
                while number not in read:
                    found = await member.fetch(100, 1.0)
                    read.extend(int(delivery.message.value) for delivery in found)

        for number in range(20):
            await publish(number)
        await read_up_to(19)
        cluster.nodes[0].kill()
        for number in range(20, 40):
            await publish(number)
        await read_up_to(39)
        assert list(dict.fromkeys(read)) == list(range(40)), "all that was acknowledged, in order"

        await member.close()
        cluster.nodes[1].kill()
        sending = asyncio.create_task(bus.publish("things", [_numbered(40)]))
        await asyncio.sleep(1.0)
        assert not sending.done(), "one broker of three is not enough"
        sending.cancel()
        async with asyncio.timeout(5.0):
            with pytest.raises(asyncio.CancelledError):
                await sending
    finally:
        await bus.close()
        cluster.stop()


async def test_who_stops_while_the_broker_stands_still_does_not_wait_for_it(tmp_path: Path) -> None:
    cluster = kafka.start(tmp_path)
    bus = KafkaBus(cluster.address)
    try:
        await settle_topics(cluster.address, [Topic("things", 3)])
        member = bus.subscribe("readers", ["things"])
        await bus.publish("things", [_numbered(0)])
        while not (found := await member.fetch(100, 1.0)):
            pass
        cluster.nodes[0].pause()
        sending = asyncio.create_task(bus.publish("things", [_numbered(1)]))
        committing = asyncio.create_task(member.commit(found))
        await asyncio.sleep(1.0)
        for task in (sending, committing):
            task.cancel()
        async with asyncio.timeout(15.0):
            await asyncio.gather(sending, committing, return_exceptions=True)
            await bus.close()
    finally:
        cluster.nodes[0].resume()
        cluster.stop()


def _numbered(number: int) -> Message:
    return Message("one key", b"%d" % number, ())
