"""Take contract events in from Kafka, into the own log and a read model.

work        6,000 events (``--count``) of some 300 bytes on four partitions, three of each stream, written by a neighbour's publisher
            beforehand; a service that starts as the clock does, with a consumer, its own log and one read model (a document per
            stream), until the read model stands at the end of the log. In three rounds, each of them events of its own
reference   a bare aiokafka consumer of the same messages in a group of its own, and bare bulk inserts of as many documents as ours
            writes for them, of the same size: a commit and a read model's document for each event, 500 messages at a time, each bulk
            acknowledged before the next, then the offsets committed
durability  both: write concern majority with journal, offsets committed after
ratio       events a second over the reference's, round by round, the two taking turns; median and spread
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer
from atelier.assessment.v1.events_pb2 import MasteryChanged
from atelier_common import process
from atelier_common.backfill import Neighbours
from atelier_common.bus.kafka import KafkaBus, Topic, settle_topics
from atelier_common.clock import SystemClock
from atelier_common.commands import Commands
from atelier_common.commit import RecordedEvent
from atelier_common.consumer import Subscription
from atelier_common.documents.port import Body
from atelier_common.events import EventRegistry
from atelier_common.eventstore.documents import DocumentEventStore
from atelier_common.eventstore.layout import COMMITS
from atelier_common.projection import Projection
from atelier_common.service import Service

from bench.measuring import Line, rates, ratios
from bench.servers import facts
from bench.servers.real import Servers, bare_database, documents, real_servers, until_sequenced

COUNT = 6_000
ROUNDS = 3
_BATCH = 500
_MODEL = "standing"


def measure(count: int = COUNT) -> list[Line]:
    """All figures."""
    with real_servers() as found:
        return process.run(_measure(found, count))


async def _measure(found: Servers, count: int) -> list[Line]:
    each = count // ROUNDS
    ours: list[float] = []
    reference: list[float] = []
    for number in range(ROUNDS):
        prefix = f"{found.prefix}.{number}."
        async with _said(found, prefix, number, each) as neighbours, documents(found, f"consume_{number}") as own:
            ours.append(each / await _taken_in(found, prefix, own, each, neighbours))
            async with bare_database(found, f"consume_{number}") as raw:
                size = len((await raw[COMMITS].find_one({}))["body"])
        async with documents(found, f"bare_{number}"), bare_database(found, f"bare_{number}") as bare:
            reference.append(each / await _bare(found, prefix, bare, each, size))
    return [
        ratios("taken in and projected: ours over the bare consumer and bulk writes", ours, reference, 0.5),
        rates("ours", ours, "events/s"),
        rates("bare", reference, "events/s"),
        Line("taken in a round", each, "events"),
    ]


@asynccontextmanager
async def _said(found: Servers, prefix: str, number: int, count: int) -> AsyncIterator[Neighbours]:
    """A neighbour has published so many events, and can be asked of them."""
    await settle_topics(found.kafka, [Topic(facts.TOPIC, facts.PARTITIONS)], prefix)
    async with documents(found, f"source_{number}") as own:
        store = DocumentEventStore(own)
        bus = KafkaBus(found.kafka, prefix=prefix)
        service = Service(facts.SOURCE, facts.registry, store=store, documents=own, bus=bus, clock=SystemClock())
        service.publish(facts.translate, frozenset({"Moved"}))
        await service.start()
        await facts.write(Commands(store), "measured", count)
        await until_sequenced(store, "measured", count)
        assert service.publisher is not None
        while service.publisher.follower.position("measured") < count:
            await asyncio.sleep(0.01)
        await service.stop()
        await bus.close()
        yield Neighbours({facts.SOURCE: service.publisher.contracts})


def _keys(recorded: RecordedEvent) -> Sequence[str]:
    return (f"{recorded.event.learner_id}:{recorded.event.competency_id}",)


def _apply(_document: Body | None, recorded: RecordedEvent, _key: str) -> Body:
    said = recorded.event
    return {"learner_id": said.learner_id, "estimate": said.estimate, "evidence": list(said.latest_evidence_ids)}


async def _taken_in(found: Servers, prefix: str, own: Any, count: int, neighbours: Neighbours) -> float:
    """Seconds from the start of the service until its read model has every event."""
    store = DocumentEventStore(own)
    bus = KafkaBus(found.kafka, prefix=prefix)
    backfills = {facts.SOURCE: neighbours.at(facts.SOURCE)}
    service = Service(
        "pathing", EventRegistry(), store=store, documents=own, bus=bus, clock=SystemClock(), backfills=backfills
    )
    service.subscribe(Subscription(facts.SOURCE, (facts.TOPIC,), {facts.CHANGED: MasteryChanged}))
    service.project(Projection(_MODEL, 1, _keys, _apply, (), frozenset({facts.CHANGED})))
    began = time.perf_counter()
    await service.start()
    while service.builds.runners[_MODEL].follower.position("measured") < count:
        await asyncio.sleep(0.005)
    took = time.perf_counter() - began
    await service.stop()
    await bus.close()
    return took


async def _bare(found: Servers, prefix: str, bare: Any, count: int, size: int) -> float:
    commits, model = bare["commits"], bare["model"]
    consumer = AIOKafkaConsumer(
        f"{prefix}{facts.TOPIC}",
        bootstrap_servers=found.kafka,
        group_id=f"{prefix}bare",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    began = time.perf_counter()
    await consumer.start()
    try:
        taken = 0
        while taken < count:
            batches = await consumer.getmany(timeout_ms=1_000, max_records=_BATCH)
            messages = [message for batch in batches.values() for message in batch]
            if not messages:
                continue
            places = range(taken, taken + len(messages))
            await commits.insert_many([{"_id": place, "body": "x" * size} for place in places], ordered=False)
            said = [MasteryChanged.FromString(message.value) for message in messages]
            await model.insert_many(
                [
                    {
                        "_id": place,
                        "learner_id": one.learner_id,
                        "estimate": one.estimate,
                        "evidence": list(one.latest_evidence_ids),
                    }
                    for place, one in zip(places, said, strict=True)
                ],
                ordered=False,
            )
            await consumer.commit()
            taken += len(messages)
        return time.perf_counter() - began
    finally:
        await consumer.stop()
