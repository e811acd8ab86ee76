"""What the sequencer must keep on every document database, whatever happens to it between two of its steps.

An adapter's test is :meth:`make_documents`; nothing is skipped.
"""

import asyncio
import random
from collections.abc import Iterable
from typing import Any, get_args

import pytest

from atelier_common.conformance.interruption import InterruptedDocuments, Moment
from atelier_common.conformance.material import PATIENCE_SECONDS, append, commit, until
from atelier_common.conformance.sequencing_world import STREAMS, SequencingWorld, is_held_up
from atelier_common.documents.port import Body, Delete, Documents, Insert
from atelier_common.eventstore import documents as eventstore_documents
from atelier_common.eventstore import sequencer
from atelier_common.eventstore.documents import DocumentEventStore
from atelier_common.eventstore.layout import LOG
from atelier_common.eventstore.port import Appended
from atelier_common.eventstore.sequencer import Sequencer
from atelier_common.eventstore.sequencing import SequencerLoop

MOMENTS: tuple[Moment, ...] = get_args(Moment)


class SequencingSuite(SequencingWorld):
    """Subclass it and give :meth:`make_documents`."""

    async def test_what_is_written_gets_its_place(self) -> None:
        await self.write("t", 1, 5)
        assert await self.drain("t") == 15
        assert await self.drain("t") == 0
        await self.write("t", 6, 7)
        assert await self.drain("t") == 6
        await self.check("t", 7)

    async def test_what_one_process_writes_gets_its_places_in_the_order_of_writing(self) -> None:
        written = ["c/1", "a/1", "d/1", "b/1"]
        for half in (written[:2], written[2:]):
            await append(self.store, *(commit(stream, 1, tenant="t") for stream in half))
        assert await self.drain("t") == len(written)
        assert [one.stream for one in await self.store.read_log("t", 0, 10)] == written

    async def test_more_than_one_segment_can_hold(self) -> None:
        for version in range(1, 441, 11):
            batch = [commit(stream, version + n, tenant="t") for stream in STREAMS for n in range(11)]
            await append(self.store, *batch)
        assert await self.drain("t") == 1320
        await self.check("t", 440)

    async def test_no_segment_is_longer_than_readers_look_for_however_many_wait_for_those_behind_them(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sequencer, "BATCH", 3)
        for module in (sequencer, eventstore_documents):
            monkeypatch.setattr(module, "LONGEST_SEGMENT", 5)
        for versions, now in ((range(1, 9), 9_000), (range(9, 10), 1_000)):
            # Whose clock is behind is taken first, and what comes before it is taken along.
            writer = DocumentEventStore(self.documents, sequencing=False, now=lambda now=now: now)  # type: ignore[misc]
            for version in versions:
                await append(writer, *(commit(stream, version, tenant="t") for stream in STREAMS))
        assert await self.drain("t") == 27
        await self.check("t", 9)
        assert max(len(body["commits"]) for body in await self.segments("t")) == 5
        for after in range(27):
            assert [one.position for one in await DocumentEventStore(self.documents).read_log("t", after, 1)] == [
                after + 1
            ]

    async def test_a_call_or_its_reply_may_be_lost_at_every_step(self) -> None:
        interruptions = 0
        for moment in MOMENTS:
            for at in range(1, 100):
                tenant = f"{moment} {at}"
                await self.leave_uncleared(tenant, 2)
                await self.write(tenant, 3, 4)
                interrupted = InterruptedDocuments(self.documents, at, moment)
                sequencer = Sequencer(interrupted, tenant)
                try:
                    while await sequencer.step():
                        pass
                    await sequencer.clear()
                except ConnectionError:
                    await self.write(tenant, 5, 5)
                    await self.drain(tenant, interrupted)
                if not interrupted.reached.is_set():
                    break
                interruptions += 1
                await self.check(tenant, 5)
        # Both moments met the same calls: head, the segments behind the cleared one, the commits of each and clearing them, pending and
        # predecessors, insert, the empty pending that ends the work, and clearing.
        assert interruptions == 2 * 10

    async def test_a_stale_sequencer_wakes_between_any_two_steps_of_another(self) -> None:
        pauses = 0
        for moment in MOMENTS:
            for at in range(1, 100):
                tenant = f"{moment} {at}"
                await self.leave_uncleared(tenant, 1)
                await self.write(tenant, 2, 2)
                paused = InterruptedDocuments(self.documents, at, moment, pause=True)
                stale = asyncio.create_task(self.drain(tenant, paused))
                if not await is_held_up(stale, paused):
                    break
                pauses += 1
                # While it sleeps another one takes over, for more than one segment.
                for version in range(3, 6):
                    await self.write(tenant, version, version)
                    await self.drain(tenant)
                await self.write(tenant, 6, 6)
                paused.resume.set()
                await asyncio.wait_for(stale, PATIENCE_SECONDS)
                await self.drain(tenant)
                await self.check(tenant, 6)
        assert pauses == 2 * 8

    async def test_who_was_stopped_before_it_cleared_marks_writes_over_nothing_that_a_restore_put_there(self) -> None:
        stopped = InterruptedDocuments(self.documents, pause=True)
        sequencer = Sequencer(stopped, "t")
        await self.write("t", 1, 1)
        await sequencer.step()
        stopped.interrupt_next("before")
        stale = asyncio.create_task(sequencer.clear())
        await asyncio.wait_for(stopped.reached.wait(), PATIENCE_SECONDS)
        for id, document in await self.commits("t"):
            of_another_history = {**document, "pending": document["pending"] + 1, "body": "{}"}
            await self.documents.write([Delete("t", LOG, id)])
            await self.documents.write([Insert("t", LOG, id, of_another_history)])
        put_back = await self.commits("t")
        stopped.resume.set()
        await asyncio.wait_for(stale, PATIENCE_SECONDS)
        assert await self.commits("t") == put_back

    async def test_several_live_sequencers_and_fifty_writers(self) -> None:
        writing = True

        async def sequence() -> None:
            sequencer = Sequencer(self.documents, "t")
            while writing or await self.store.pending_since("t") is not None:
                await sequencer.step()
                await asyncio.sleep(0)

        async def write() -> None:
            for _ in range(3):
                stream = random.choice(STREAMS)
                while True:
                    version = len(await self.store.read_stream("t", stream)) + 1
                    outcome = (await self.store.append([commit(stream, version, f"{version}", tenant="t")]))[0]
                    if isinstance(outcome, Appended):
                        break

        sequencers = [asyncio.create_task(sequence()) for _ in range(3)]
        await asyncio.wait_for(asyncio.gather(*(write() for _ in range(50))), 60)
        writing = False
        await asyncio.wait_for(asyncio.gather(*sequencers), 60)
        log = await self.store.read_log("t", 0, limit=1000)
        assert [c.position for c in log] == list(range(1, 151))
        for stream in STREAMS:
            assert [c.version for c in log if c.stream == stream] == list(
                range(1, len(await self.store.read_stream("t", stream)) + 1)
            )

    async def test_several_live_sequencers_that_know_their_own_process_s_commits(self) -> None:
        """As above; each sequencer, besides, is told what is appended beside it, and none has a lease."""
        leaders = [self.a_leader() for _ in range(3)]
        replicas = [replica for replica, _ in leaders]
        writing = True

        async def sequence(loop: SequencerLoop) -> None:
            while writing or await self.store.pending_since("t") is not None:
                await loop.round()
                await asyncio.sleep(random.choice((0, 0, 0.005)))

        async def write(replica: DocumentEventStore) -> None:
            for _ in range(5):
                stream = random.choice(STREAMS)
                while True:
                    version = len(await replica.read_stream("t", stream)) + 1
                    outcome = (await replica.append([commit(stream, version, f"{version}", tenant="t")]))[0]
                    if isinstance(outcome, Appended):
                        break

        sequencers = [asyncio.create_task(sequence(loop)) for _, loop in leaders]
        async with asyncio.timeout(60):
            await asyncio.gather(*(write(replicas[number % 3]) for number in range(30)))
            writing = False
            await asyncio.gather(*sequencers)
        log = await self.store.read_log("t", 0, limit=1000)
        assert [c.position for c in log] == list(range(1, 151))
        assert len({(c.stream, c.version) for c in log}) == 150
        for stream in STREAMS:
            versions = [c.version for c in log if c.stream == stream]
            assert versions == list(range(1, len(versions) + 1))
        for replica in replicas:
            assert await replica.read_log("t", 0, limit=1000) == log

    async def test_what_a_leader_has_appended_itself_it_does_not_look_for(self) -> None:
        counted = InterruptedDocuments(self.documents)
        leader = DocumentEventStore(counted)
        await leader.start()
        await append(leader, commit("a/1", 1, tenant="t"))

        async def placed(version: int) -> None:
            rung = leader.changed.listen()
            while leader.known_head("t") < version:
                await leader.changed.wait(rung, 5)
                rung = leader.changed.listen()

        await placed(1)
        before, began = counted.calls, asyncio.get_running_loop().time()
        for version in range(2, 22):
            await append(leader, commit("a/1", version, tenant="t"))
            await placed(version)
        looks = 4 * (1 + 4 * (asyncio.get_running_loop().time() - began))
        assert counted.calls - before <= 20 + looks
        await leader.close()

    async def test_what_is_remembered_of_a_stream_is_not_asked_for(self) -> None:
        counted = InterruptedDocuments(self.documents)
        store = DocumentEventStore(counted, sequencing=False)
        await append(store, *(commit("a/1", version, tenant="t") for version in range(1, 5)))
        before = counted.calls
        assert [one.version for one in await store.read_stream("t", "a/1", after=1, limit=3)] == [2, 3, 4]
        assert counted.calls == before
        await append(self.store, commit("a/1", 5, tenant="t"))
        assert [one.version for one in await store.read_stream("t", "a/1", after=1)] == [2, 3, 4, 5]
        assert [one.version for one in await store.read_stream("t", "a/1", after=3, limit=9)] == [4, 5]

    async def test_a_part_is_one_question(self) -> None:
        counted = InterruptedDocuments(self.documents)
        await DocumentEventStore(counted, sequencing=False).put_part("t", b"a part")
        assert counted.calls == 1

    async def test_a_scan_that_missed_a_predecessor_does_not_break_the_order_of_a_stream(self) -> None:
        await self.write("t", 1, 3)
        missing = MissesCommits(self.documents, {("a/1", 1), ("a/1", 2), ("b/1", 2)})
        sequencer = Sequencer(missing, "t")
        assert await sequencer.step() == 9
        await sequencer.clear()
        await self.check("t", 3)

    async def test_a_reader_stops_in_front_of_a_commit_that_it_cannot_see_yet(self) -> None:
        await self.write("t", 1, 3)
        await self.drain("t")
        log = await self.store.read_log("t", 0)
        hidden = (log[4].stream, log[4].version)
        behind = MissesCommits(self.documents, {hidden}, everywhere=True)
        reader = DocumentEventStore(behind, sequencing=False)
        assert [c.position for c in await reader.read_log("t", 0)] == [1, 2, 3, 4]
        assert await reader.read_log("t", 4) == []
        behind.missed.clear()
        assert [c.position for c in await reader.read_log("t", 4)] == [5, 6, 7, 8, 9]

    async def test_a_commit_has_a_position_as_soon_as_its_segment_stands(self) -> None:
        await self.leave_uncleared("t", 1)
        assert len(await self.documents.scan("t", LOG, "pending")) == 3
        assert sorted([await self.store.position_of("t", stream, 1) or 0 for stream in STREAMS]) == [1, 2, 3]

    async def test_who_remembers_an_end_that_is_none_any_more_finds_the_new_one(self) -> None:
        await self.write("t", 1, 1)
        remembers = Sequencer(self.documents, "t")
        assert await remembers.step() == 3
        await self.write("t", 2, 2)
        await self.drain("t")
        await self.write("t", 3, 3)
        assert (await remembers.step(), remembers.more) == (0, True)
        assert await remembers.step() == 3
        await remembers.clear()
        await self.check("t", 3)

    async def test_what_another_has_appended_costs_the_leader_two_questions_and_its_readers_none(self) -> None:
        counted = InterruptedDocuments(self.documents)
        store = DocumentEventStore(counted, sequencing=False)
        sequencer = Sequencer(counted, "t", store.note_placed)
        await append(store, commit("a/1", 1, tenant="t"))
        await sequencer.step()
        await append(store, commit("a/1", 2, tenant="t"))
        before, rung = counted.calls, store.changed.listen()
        assert await sequencer.step() == 1
        assert (counted.calls - before, rung.is_set()) == (2, True)
        assert store.known_head("t") == 2
        assert [c.position for c in await store.read_log("t", 0, limit=2)] == [1, 2]
        assert await store.position_of("t", "a/1", 2) == 2
        assert counted.calls - before == 2

    async def test_when_the_leader_goes_another_replica_goes_on(self) -> None:
        replicas = [DocumentEventStore(self.documents, owner=f"{n}", lease_ttl_ms=200) for n in range(3)]
        for replica in replicas:
            await replica.start()
        for version, replica in enumerate(replicas, 1):
            await self.write("t", version, version)

            async def placed(version: int = version) -> bool:
                return await self.store.head("t") == 3 * version

            await until(placed)
            await replica.close()
        await self.drain("t")
        await self.check("t", 3)

    async def test_an_idle_sequencer_looks_rarely(self) -> None:
        counted = InterruptedDocuments(self.documents)
        idle = DocumentEventStore(counted, idle_seconds=0.25)
        await idle.start()
        await append(idle, commit("a/1", 1, tenant="t"))

        async def placed() -> bool:
            return await self.store.head("t") == 1

        await until(placed)
        await asyncio.sleep(0.6)
        before = counted.calls
        await asyncio.sleep(1.0)
        assert 1 <= counted.calls - before <= 12
        await idle.close()


class MissesCommits(InterruptedDocuments):
    """Does not see some commits yet: in scans or, with ``everywhere``, at all."""

    def __init__(self, documents: Documents, missed: set[tuple[str, int]], *, everywhere: bool = False) -> None:
        super().__init__(documents)
        self.missed = missed
        self._everywhere = everywhere

    def _seen(self, body: Body) -> bool:
        return (body.get("stream"), body.get("version")) not in self.missed

    async def find_many(self, tenant: str, collection: str, ids: Iterable[str]) -> dict[str, Body]:
        found = await super().find_many(tenant, collection, ids)
        return {id: body for id, body in found.items() if self._seen(body) or not self._everywhere}

    async def scan(
        self,
        tenant: str,
        collection: str,
        field: str = "_id",
        low: Any = None,
        high: Any = None,
        limit: int = 1000,
        descending: bool = False,
    ) -> list[tuple[str, Body]]:
        more = limit + len(self.missed)
        found = await super().scan(tenant, collection, field, low, high, more, descending)
        return [(id, body) for id, body in found if self._seen(body)][:limit]
