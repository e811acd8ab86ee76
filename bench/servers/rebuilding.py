"""Rebuild a read model from a long log, while others read it.

work        a log of ``--count`` events, two in a commit, 1,000,000 unless said. It is written as it lies after sequencing, in big
            inserts: through a sequencer a million would take longer than all the rest. A service that leads has a read model of it, one
            document for each of 5,000 streams; ``Service.rebuild`` builds it anew beside the one that is read. Meanwhile one task reads
            the model, a document at a time, a hundred times a second
reference   a bare read of the log before: every commit's document by the bare driver in the order of ids, 500 at a time, its body
            read from its JSON, nothing done with it
durability  the model's documents are written with write concern majority and journal; the reference writes nothing
ratio       events a second over the reference's. Reads that failed or went back have to be none; the longest is told
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import orjson
from atelier_common.bus.memory import MemoryBus
from atelier_common.clock import SystemClock
from atelier_common.commit import Commit, RecordedEvent
from atelier_common.documents.mongo import MongoDocuments
from atelier_common.documents.port import Body, Insert
from atelier_common.eventstore.documents import DocumentEventStore
from atelier_common.eventstore.layout import LOG, commit_document, commit_id, segment_id
from atelier_common.eventstore.sequencer import BATCH
from atelier_common.projection import Projection, ReadModel
from atelier_common.service import Service

from bench.counting import NOTE, Added, registry
from bench.measuring import Line
from bench.servers.real import TENANT, Servers, bare_database, documents, on_servers

COUNT = 1_000_000
EVENTS = 2
STREAMS = 5_000
_AT_ONCE = BATCH
_MODEL = "tally"


def measure(count: int = COUNT) -> list[Line]:
    """All figures."""
    return on_servers(_measure, count)


def _keys(recorded: RecordedEvent) -> Sequence[str]:
    return (recorded.stream,)


def _apply(document: Body | None, recorded: RecordedEvent, _key: str) -> Body:
    before = document or {"count": 0}
    return {"count": before["count"] + 1, "at": recorded.event.at}


async def _measure(found: Servers, count: int) -> list[Line]:
    async with documents(found, "rebuild") as own, bare_database(found, "rebuild") as raw:
        commits = -(-count // EVENTS)
        await _write(own, commits)
        await _meet(own)
        store = DocumentEventStore(own)
        service, model = _service(store, own, 2)
        await service.start()
        await _until_built(store, model, commits)
        began = time.perf_counter()
        await _bare(raw)
        bare = time.perf_counter() - began
        reading = _Reading(model, min(STREAMS, commits))
        task = asyncio.create_task(reading.run())
        began = time.perf_counter()
        await service.rebuild(_MODEL)
        took = time.perf_counter() - began
        reading.done = True
        await task
        await service.stop()
    return [
        Line("rebuilt: ours over a bare read of the log", bare / took, "x", at_least=0.3),
        Line("ours", commits * EVENTS / took, "events/s"),
        Line("bare read", commits * EVENTS / bare, "events/s"),
        Line("reads that failed or went back", reading.wrong, f"of {reading.reads:,}", at_most=0),
        Line("longest read", 1_000 * reading.longest, "ms"),
        Line("rebuilt from (1,000,000 are asked for)", commits * EVENTS, "events"),
    ]


def _service(store: DocumentEventStore, own: MongoDocuments, version: int) -> tuple[Service, ReadModel]:
    service = Service("bench", registry, store=store, documents=own, bus=MemoryBus(), clock=SystemClock())
    return service, service.project(Projection(_MODEL, version, _keys, _apply))


async def _meet(own: MongoDocuments) -> None:
    """Have an earlier version of the model read by everybody, so that the present one is built beside it and not batch by batch."""
    service, _ = _service(DocumentEventStore(own, sequencing=False), own, 1)
    service.stand_aside()
    await service.start()
    await service.stop()


async def _until_built(store: DocumentEventStore, model: ReadModel, commits: int) -> None:
    assert await store.head(TENANT) == commits
    while await model.position(TENANT) < commits:
        await asyncio.sleep(0.05)


async def _write(own: MongoDocuments, count: int) -> None:
    """Commits of ``EVENTS`` events each, a version of every stream before the next of any, and the segments that place them."""
    store = DocumentEventStore(own, sequencing=False)
    await store.start()
    await store.incarnation(TENANT)
    stored = tuple(registry.encode(Added(NOTE, number)) for number in range(EVENTS))
    for start in range(0, count, _AT_ONCE):
        writes: list[Insert] = []
        for number in range(start, min(count, start + _AT_ONCE)):
            before, stream = divmod(number, STREAMS)
            name = f"counting/{stream:05d}"
            commit = Commit(TENANT, name, before + 1, stored, f"c{number}", "", None, "bench", number, f"c{number}", ())
            writes.append(Insert(TENANT, LOG, commit_id(name, commit.version), _placed(commit, number + 1)))
        placed = [(write.body["stream"], write.body["version"]) for write in writes]
        number = start // _AT_ONCE + 1
        segment = {"number": number, "first": start + 1, "last": start + len(placed), "commits": placed}
        segment["cleared"] = number
        writes.append(Insert(TENANT, LOG, segment_id(number), segment))
        assert all(await own.write(writes))


def _placed(commit: Commit, position: int) -> Body:
    """The document of a commit that has its position and waits no more."""
    document = commit_document(commit, 0)
    del document["pending"]
    return {**document, "position": position}


async def _bare(raw: Any) -> None:
    cursor = raw[LOG].find({"body": {"$exists": True}}).sort("_id", 1).batch_size(500)
    while documents_read := await cursor.to_list(500):
        for document in documents_read:
            orjson.loads(document["body"])


class _Reading:
    """Reads one document after the other; what was counted before must never be counted less."""

    def __init__(self, model: ReadModel, streams: int) -> None:
        self._model = model
        self._streams = streams
        self.done = False
        self.reads = self.wrong = 0
        self.longest = 0.0

    async def run(self) -> None:
        counted: dict[str, int] = {}
        while not self.done:
            key = f"counting/{self.reads % self._streams:05d}"
            began = time.perf_counter()
            document = await self._model.get(TENANT, key)
            self.longest = max(self.longest, time.perf_counter() - began)
            count = 0 if document is None else document["count"]
            self.wrong += count == 0 or count < counted.get(key, 0)
            counted[key] = count
            self.reads += 1
            await asyncio.sleep(0.01)
