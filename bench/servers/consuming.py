"""Take contract events in from Kafka, into the own log and a read model.

work        30,000 events (``--count``) of some 300 bytes on four partitions, three of each stream, written by a neighbour's publisher
            beforehand; a service that has met this neighbour before (one event), with a consumer, its own log and one read model (a
            document per stream), until the read model stands at the end of the log. In three rounds, each of them events of its own
reference   a bare aiokafka consumer of the same messages in a group of its own, and bare bulk inserts of as many documents as ours
            writes for them, of the same size: a commit and a read model's document for each event, 500 messages at a time, each bulk
            acknowledged before the next, then the offsets committed
clock       on both sides from the first messages that are fetched: connecting, taking leases and joining a group, which Kafka answers
            when it likes, are left out of both
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
from atelier_common.backfill import Neighbours
from atelier_common.bus.kafka import KafkaBus, KafkaSubscription, Topic, settle_topics
from atelier_common.bus.port import Delivery
from atelier_common.clock import SystemClock
from atelier_common.commands import Commands
from atelier_common.commit import RecordedEvent
from atelier_common.consumer import Subscription
from atelier_common.documents.mongo import MongoDocuments
from atelier_common.documents.port import Body
from atelier_common.events import EventRegistry
from atelier_common.eventstore.documents import DocumentEventStore
from atelier_common.eventstore.layout import LOG
from atelier_common.projection import Projection
from atelier_common.service import Service

from bench.measuring import Line, Rounds
from bench.servers import facts
from bench.servers.real import Servers, bare_database, documents, on_servers

COUNT = 30_000
ROUNDS = 3
_BATCH = 500
_MODEL = "standing"
_MET = 2
"""Commits of the first contact: an event, and the mark of whom it was that was met."""


def measure(count: int = COUNT) -> list[Line]:
    """All figures."""
    return on_servers(_measure, Rounds(count, ROUNDS))


async def _measure(found: Servers, rounds: Rounds) -> list[Line]:
    for number in range(ROUNDS):
        prefix = f"{found.prefix}.{number}."
        async with _neighbour(found, prefix, number) as neighbour, documents(found, f"consume_{number}") as own:
            await _say(neighbour, 1)
            await _taken_in(found, prefix, own, _MET, neighbour)
            await _say(neighbour, rounds.each)
            took = await _taken_in(found, prefix, own, rounds.each + _MET - 1, neighbour)
            rounds.ours.append(rounds.each / took)
            async with bare_database(found, f"consume_{number}") as raw:
                size = len((await raw[LOG].find_one({"body": {"$exists": True}}))["body"])
        async with documents(found, f"bare_{number}"), bare_database(found, f"bare_{number}") as bare:
            rounds.reference.append(rounds.each / await _bare(found, prefix, bare, rounds.each, size))
    return rounds.lines("taken in and projected: ours over the bare consumer and bulk writes", "events", 0.5)


@asynccontextmanager
async def _neighbour(found: Servers, prefix: str, number: int) -> AsyncIterator[Service]:
    """A service that publishes what is written to its log."""
    await settle_topics(found.kafka, [Topic(facts.TOPIC, facts.PARTITIONS)], prefix)
    async with documents(found, f"source_{number}") as own:
        store = DocumentEventStore(own)
        bus = KafkaBus(found.kafka, prefix=prefix)
        service = Service(facts.SOURCE, facts.registry, store=store, documents=own, bus=bus, clock=SystemClock())
        service.publish(facts.translate, frozenset({"Moved"}))
        await service.start()
        try:
            yield service
        finally:
            await service.stop()
            await bus.close()


async def _say(neighbour: Service, count: int) -> None:
    """Have the neighbour publish its first ``count`` events, those of them that it has not published yet."""
    await facts.write(Commands(neighbour.store), "measured", count)
    assert neighbour.publisher is not None
    while neighbour.publisher.follower.position("measured") < count:
        await asyncio.sleep(0.01)


def _keys(recorded: RecordedEvent) -> Sequence[str]:
    return (f"{recorded.event.learner_id}:{recorded.event.competency_id}",)


def _apply(_document: Body | None, recorded: RecordedEvent, _key: str) -> Body:
    said = recorded.event
    return {"learner_id": said.learner_id, "estimate": said.estimate, "evidence": list(said.latest_evidence_ids)}


class _Noting(KafkaBus):
    """A bus that notes when its member was first given anything."""

    first = 0.0

    def subscribe(self, group: str, topics: Sequence[str]) -> KafkaSubscription:
        member = super().subscribe(group, topics)
        fetch = member.fetch

        async def noted(max_messages: int, timeout: float) -> list[Delivery]:
            fetched = await fetch(max_messages, timeout)
            if fetched and not self.first:
                self.first = time.perf_counter()
            return fetched

        member.fetch = noted  # type: ignore[method-assign]  # the service makes its member itself
        return member


async def _taken_in(found: Servers, prefix: str, own: MongoDocuments, count: int, neighbour: Service) -> float:
    """Seconds from the first messages until the read model stands at ``count`` in the log."""
    assert neighbour.publisher is not None
    bus = _Noting(found.kafka, prefix=prefix)
    service = Service(
        "pathing",
        EventRegistry(),
        store=DocumentEventStore(own),
        documents=own,
        bus=bus,
        clock=SystemClock(),
        backfills={facts.SOURCE: Neighbours({facts.SOURCE: neighbour.publisher.contracts}).at(facts.SOURCE)},
    )
    service.subscribe(Subscription(facts.SOURCE, (facts.TOPIC,), {facts.CHANGED: MasteryChanged}))
    service.project(Projection(_MODEL, 1, _keys, _apply, (), frozenset({facts.CHANGED})))
    await service.start()
    while service.builds.runners[_MODEL].follower.position("measured") < count:
        await asyncio.sleep(0.005)
    ended = time.perf_counter()
    await service.stop()
    await bus.close()
    return ended - bus.first


async def _bare(found: Servers, prefix: str, bare: Any, count: int, size: int) -> float:
    commits, model = bare["commits"], bare["model"]
    consumer = AIOKafkaConsumer(
        f"{prefix}{facts.TOPIC}",
        bootstrap_servers=found.kafka,
        group_id=f"{prefix}bare",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        taken = 0
        began = 0.0
        while taken < count:
            batches = await consumer.getmany(timeout_ms=1_000, max_records=_BATCH)
            messages = [message for batch in batches.values() for message in batch]
            if not messages:
                continue
            began = began or time.perf_counter()
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
