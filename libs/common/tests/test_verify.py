"""Each invariant finds what breaks it, and nothing in a log that is whole."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from atelier_common import verify
from atelier_common.bus.memory import MemoryBus
from atelier_common.clock import SystemClock
from atelier_common.commit import Commit, RecordedEvent
from atelier_common.conformance.material import append, commit
from atelier_common.documents.memory import MemoryDocuments
from atelier_common.documents.port import Body, Delete, Insert, Replace
from atelier_common.events import EventRegistry, StoredEvent
from atelier_common.eventstore.documents import DocumentEventStore
from atelier_common.eventstore.layout import LOG, commit_id, segment_id
from atelier_common.eventstore.sequencer import Sequencer
from atelier_common.projecting import flip
from atelier_common.projection import Projection, by_stream_key
from atelier_common.service import Service

T = "north"


def _count(document: Body | None, _event: RecordedEvent, _key: str) -> Body:
    return {"count": (document or {"count": 0})["count"] + 1}


@dataclass(frozen=True)
class _Happened:
    number: int
    data: None


class Log:
    """Three streams of four commits, in three segments."""

    def __init__(self) -> None:
        self.documents = MemoryDocuments()
        self.store = DocumentEventStore(self.documents, sequencing=False)

    async def fill(self) -> None:
        for first in (1, 2, 4):
            versions = range(first, {1: 2, 2: 4, 4: 5}[first])
            await append(self.store, *(commit(f"{s}/1", v, tenant=T) for v in versions for s in "abc"))
            await Sequencer(self.documents, T).step()

    async def rules(self) -> set[str]:
        """As another process finds it: who wrote a commit remembers it for a while."""
        store = DocumentEventStore(self.documents, sequencing=False)
        found = [
            *await verify.check_log(store, T),
            *await verify.check_segments(self.documents, T),
            *await verify.check_cursors(store, self.documents, T),
        ]
        return {violation.rule for violation in found}

    async def change(self, collection: str, id: str, **fields: object) -> None:
        body = await self.documents.find(T, collection, id)
        assert body is not None
        assert await self.documents.write([Replace(T, collection, id, {**body, **fields})]) == [True]


@pytest.fixture
async def log() -> Log:
    log = Log()
    await log.fill()
    return log


async def test_a_whole_log_has_nothing_wrong(log: Log) -> None:
    assert await log.store.head(T) == 12
    assert await log.rules() == set()


async def test_a_lost_commit_is_a_hole(log: Log) -> None:
    await log.documents.write([Delete(T, LOG, commit_id("b/1", 2))])
    assert await log.rules() == {"dense positions", "no hole in the log"}


async def test_a_lost_commit_is_a_hole_even_to_who_wrote_it(log: Log) -> None:
    await log.documents.write([Delete(T, LOG, commit_id("b/1", 2))])
    found = [*await verify.check_log(log.store, T), *await verify.check_segments(log.documents, T)]
    assert {violation.rule for violation in found} == {"one log", "no hole in the log"}


async def test_a_lost_segment_is_found(log: Log) -> None:
    await log.documents.write([Delete(T, LOG, segment_id(2))])
    assert await log.rules() >= {"segments follow each other", "one position per commit"}


async def test_a_commit_with_two_positions_is_found(log: Log) -> None:
    await log.change(LOG, segment_id(3), commits=[["a/1", 4], ["b/1", 4], ["b/1", 4]])
    assert await log.rules() >= {"stream order", "one position per commit"}


async def test_a_stream_out_of_order_is_found(log: Log) -> None:
    await log.change(
        LOG, segment_id(2), commits=[["a/1", 3], ["a/1", 2], ["b/1", 2], ["c/1", 2], ["b/1", 3], ["c/1", 3]]
    )
    assert await log.rules() >= {"stream order", "one position per commit", "one log"}


async def test_a_command_with_two_commits_is_found(log: Log) -> None:
    await append(log.store, commit("a/1", 5, "a/1 2", tenant=T))
    await Sequencer(log.documents, T).step()
    assert await log.rules() == {"one commit per command"}


async def test_a_cursor_past_the_end_is_found(log: Log) -> None:
    await log.documents.write([Insert(T, "cursors", "publisher", {"position": 13, "epoch": 1})])
    assert await log.rules() == {"cursors stay inside the log"}


async def test_what_was_acknowledged_and_is_not_there_is_found(log: Log) -> None:
    kept, lost, moved = ("a/1", 4, "a/1 4"), ("a/1", 5, "a/1 5"), ("b/1", 3, "b/1 2")
    found = await verify.check_acknowledged(log.store, T, [kept, lost, moved])
    assert [(violation.rule, violation.subject) for violation in found] == [
        ("nothing acknowledged is lost", "a/1"),
        ("nothing acknowledged is lost", "b/1"),
    ]


@pytest.mark.parametrize(
    ("held", "wrong"),
    [
        ({"count": 4, "watermark": 10}, set()),
        ({"count": 3, "watermark": 10}, {"counts.v1.0/1"}),
        ({"count": 3, "watermark": 6}, {"counts.v1.0/1"}),
        (None, {"counts.v1.0/1"}),
    ],
)
async def test_a_read_model_that_is_no_rebuild_is_found(log: Log, held: Body | None, wrong: set[str]) -> None:
    registry = EventRegistry()
    registry.event("thing.happened")(_Happened)
    only_a = Projection("counts", 1, lambda e: by_stream_key(e) if e.stream == "a/1" else (), _count)
    await log.documents.write([Insert(T, "cursors", "projection:counts.v1.0", {"position": 12, "epoch": 1})])
    if held is not None:
        await log.documents.write([Insert(T, "counts.v1.0", "1", held)])
    found = await verify.check_read_model(only_a, "counts.v1.0", log.store, log.documents, registry, T)
    assert {violation.subject for violation in found} == wrong


class _CountingStore(DocumentEventStore):
    """Knows how often each position was read from the log."""

    reads: Counter[int]

    async def read_log(self, tenant: str, after: int, limit: int = 500) -> list[Commit]:
        page = await super().read_log(tenant, after, limit)
        self.reads.update(commit.position for commit in page)
        return page


class _CountingRegistry(EventRegistry):
    decoded = 0

    def decode(self, stored: StoredEvent) -> Any:
        self.decoded += 1
        return super().decode(stored)


async def test_a_log_is_read_and_decoded_once_for_all_read_models_and_neighbours(log: Log) -> None:
    registry = _CountingRegistry()
    registry.event("thing.happened")(_Happened)
    store = _CountingStore(log.documents, sequencing=False)
    store.reads = Counter()
    service = Service("thing", registry, store=store, documents=log.documents, bus=MemoryBus(), clock=SystemClock())
    for name in ("first", "second", "third"):
        projection = Projection(name, 1, by_stream_key, _count)
        model = service.project(projection)
        await flip(log.documents, projection, 0, model)
        await log.documents.write(
            [
                Insert(T, "cursors", f"projection:{name}.v1.0", {"position": 12, "epoch": 1}),
                Insert(T, f"{name}.v1.0", "1", {"count": 12, "watermark": 12}),
            ]
        )
    service.publish(lambda _event: None)
    assert await verify.check_service(service, T, {}) == []
    assert store.reads == dict.fromkeys(range(1, 13), 1)
    assert registry.decoded == 12


async def test_a_document_that_goes_on_while_it_is_compared_is_followed_to_its_own_watermark(log: Log) -> None:
    registry = EventRegistry()
    registry.event("thing.happened")(_Happened)
    counts = Projection("counts", 1, by_stream_key, _count)
    await log.documents.write([Insert(T, "cursors", "projection:counts.v1.0", {"position": 7, "epoch": 1})])
    await log.documents.write([Insert(T, "counts.v1.0", "1", {"count": 9, "watermark": 9})])
    assert await verify.check_read_model(counts, "counts.v1.0", log.store, log.documents, registry, T) == []
    await log.change("counts.v1.0", "1", count=8)
    found = await verify.check_read_model(counts, "counts.v1.0", log.store, log.documents, registry, T)
    assert [violation.subject for violation in found] == ["counts.v1.0/1"]
