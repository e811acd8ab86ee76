"""Publish contract events of some 300 bytes from a log to Kafka.

work        a log of 15,000 commits (``--count``) in three tenants, in order already; the kernel's publisher, leading in a service of its
            own that starts as the clock does, until its cursor stands at the log's end: one tenant a round
reference   the same commits read by the bare driver in the order of their ids, 500 at a time, their event read from its JSON, made
            into the same protobuf message, encoded, and sent by a bare aiokafka producer with the kernel's settings (idempotent,
            acks=all) and the same key; done when all are acknowledged
durability  both: acks=all on the same broker
ratio       events a second over the reference's, round by round, the two taking turns; median and spread
"""

import asyncio
import time
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer
from atelier_common.bus.kafka import KafkaBus, Topic, settle_topics
from atelier_common.clock import SystemClock
from atelier_common.commands import Commands
from atelier_common.eventstore.documents import DocumentEventStore
from atelier_common.eventstore.layout import LOG
from atelier_common.service import Service

from bench.measuring import Line, Rounds
from bench.servers import facts
from bench.servers.real import Servers, bare_database, documents, on_servers, until_sequenced

COUNT = 15_000
ROUNDS = 3
_BATCH = 500


def measure(count: int = COUNT) -> list[Line]:
    """All figures."""
    return on_servers(_measure, Rounds(count, ROUNDS))


async def _measure(found: Servers, rounds: Rounds) -> list[Line]:
    each = rounds.each
    topic = Topic(facts.TOPIC, facts.PARTITIONS)
    await settle_topics(found.kafka, [topic], f"{found.prefix}.")
    await settle_topics(found.kafka, [topic], f"{found.prefix}.bare.")
    async with documents(found, "publish") as own, bare_database(found, "publish") as raw:
        store = DocumentEventStore(own)
        await store.start()
        for number in range(ROUNDS):
            tenant = f"measured-{number}"
            await facts.write(Commands(store), tenant, each)
            await until_sequenced(store, tenant, each)
            bus = KafkaBus(found.kafka, prefix=f"{found.prefix}.")
            service = Service(facts.SOURCE, facts.registry, store=store, documents=own, bus=bus, clock=SystemClock())
            service.publish(facts.translate, frozenset({"Moved"}))
            began = time.perf_counter()
            await service.start()
            assert service.publisher is not None
            while service.publisher.follower.position(tenant) < each:
                await asyncio.sleep(0.005)
            rounds.ours.append(each / (time.perf_counter() - began))
            await service.stop()
            await bus.close()
            store = DocumentEventStore(own)
            await store.start()
            began = time.perf_counter()
            await _bare(found, raw, tenant)
            rounds.reference.append(each / (time.perf_counter() - began))
        await store.close()
    return rounds.lines("published: ours over the bare reader and producer", "events", 0.6)


async def _bare(found: Servers, raw: Any, tenant: str) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=found.kafka, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        cursor = raw[LOG].find({"_tenant": tenant, "body": {"$exists": True}}).sort("_id", 1).batch_size(_BATCH)
        while made := await cursor.to_list(_BATCH):
            sent = []
            for document in made:
                body = orjson.loads(document["body"])
                moved = facts.Moved(**body["e"][0][2])
                payload = facts.message_of(moved).SerializeToString(deterministic=True)
                key = f"{tenant}/{document['stream']}".encode()
                sent.append(await producer.send(f"{found.prefix}.bare.{facts.TOPIC}", payload, key=key))
            await asyncio.gather(*sent)
    finally:
        await producer.stop()
