"""What must hold of commits that leave together with their positions, on every document database, whatever happens on their way.

An adapter's test is ``make_documents``; nothing is skipped.
"""

import asyncio
from typing import get_args

from atelier_common.conformance.interruption import InterruptedDocuments, Moment
from atelier_common.conformance.material import PATIENCE_SECONDS, append, commit
from atelier_common.conformance.sequencing_world import STREAMS, SequencingWorld, is_held_up
from atelier_common.eventstore.layout import LOG
from atelier_common.eventstore.port import Appended
from atelier_common.eventstore.sequencer import Sequencer

MOMENTS: tuple[Moment, ...] = get_args(Moment)


class AppendingSuite(SequencingWorld):
    """Subclass it and give :meth:`make_documents`."""

    async def test_who_knows_the_end_appends_and_gives_positions_with_one_question(self) -> None:
        counted = InterruptedDocuments(self.documents)
        sequencer = Sequencer(counted, "t")
        await sequencer.step()
        for version in range(1, 4):
            before = counted.calls
            assert await sequencer.append(self.bodies("t", version)) == 3
            assert (counted.calls - before, await self.store.head("t")) == (1, 3 * version)
        await sequencer.clear()
        await self.check("t", 3)

    async def test_what_is_appended_together_gets_its_positions_in_the_order_given(self) -> None:
        leader, loop = self.a_leader()
        written = ["c/1", "a/1", "d/1", "b/1"]
        await append(leader, commit("c/1", 1, tenant="t"))
        await loop.round()
        await append(leader, *(commit(stream, 1, tenant="t") for stream in written[1:3]))
        await append(leader, commit("b/1", 1, tenant="t"), commit("a/1", 2, tenant="t"))
        assert [one.stream for one in await leader.read_log("t", 0, 10)] == [*written, "a/1"]
        assert [one.stream for one in await self.store.read_log("t", 0, 10)] == [*written, "a/1"]

    async def test_what_waits_gets_its_position_with_what_is_appended(self) -> None:
        sequencer = Sequencer(self.documents, "t")
        await sequencer.step()
        await self.write("t", 1, 1)
        assert await sequencer.append(self.bodies("t", 2)) == 3
        assert await self.store.head("t") == 6
        await sequencer.clear()
        await self.check("t", 2)

    async def test_where_one_id_is_taken_what_stands_before_it_waits_and_the_rest_goes_on(self) -> None:
        leader, loop = self.a_leader()
        await append(leader, *(commit(stream, 1, tenant="t") for stream in STREAMS))
        await loop.round()
        await append(self.store, commit("b/1", 2, "another's", tenant="t"))
        outcomes = await leader.append([commit(stream, 2, tenant="t") for stream in STREAMS])
        assert [isinstance(outcome, Appended) for outcome in outcomes] == [True, False, True]
        assert await self.store.head("t") == 4
        leader.others_appended()
        assert (await loop.round())[0] == 2
        await loop.of("t").clear()
        await self.check("t", 2)
        assert [one.command_id for one in await self.store.read_stream("t", "b/1", after=1)] == ["another's"]

    async def test_an_append_may_be_lost_or_robbed_of_its_reply_at_every_step(self) -> None:
        interruptions = 0
        for moment in MOMENTS:
            for at in range(1, 100):
                tenant = f"{moment} {at}"
                await self.leave_uncleared(tenant, 1)
                interrupted = InterruptedDocuments(self.documents, at, moment)
                sequencer = Sequencer(interrupted, tenant)
                version = 2
                try:
                    await sequencer.step()
                    for version in range(2, 5):
                        await sequencer.append(self.bodies(tenant, version))
                        if version == 3:
                            await sequencer.clear()
                except ConnectionError:
                    for again in range(version, 5):
                        await self.store.append([commit(stream, again, tenant=tenant) for stream in STREAMS])
                await self.drain(tenant)
                await self.check(tenant, 4)
                if not interrupted.reached.is_set():
                    break
                interruptions += 1
        # Both moments met: head, the commits of its segment, clearing them, pending, predecessors, three appends, and clearing in between.
        assert interruptions == 2 * 9

    async def test_what_a_stale_leader_appends_is_there_and_waits(self) -> None:
        pauses = 0
        for moment in MOMENTS:
            for at in range(1, 100):
                tenant = f"{moment} {at}"
                paused = InterruptedDocuments(self.documents, at, moment, pause=True)
                stale = Sequencer(paused, tenant)

                async def lead(stale: Sequencer = stale, tenant: str = tenant) -> None:
                    await stale.step()
                    await stale.append(self.bodies(tenant, 1))
                    await stale.append(self.bodies(tenant, 2))
                    await stale.clear()

                leading = asyncio.create_task(lead())
                if not await is_held_up(leading, paused):
                    break
                pauses += 1
                another = commit("z/1", 1, tenant=tenant)
                await append(self.store, another)
                await self.drain(tenant)
                paused.resume.set()
                await asyncio.wait_for(leading, PATIENCE_SECONDS)
                await self.drain(tenant)
                log = await self.store.read_log(tenant, 0)
                assert [one.position for one in log] == list(range(1, 8))
                assert {(one.stream, one.version) for one in log} == {
                    ("z/1", 1),
                    *((stream, version) for stream in STREAMS for version in (1, 2)),
                }
                assert await self.documents.scan(tenant, LOG, "pending") == []
        assert pauses == 2 * 5

    async def test_who_is_overtaken_while_its_append_is_on_its_way_goes_on_from_what_is_stored(self) -> None:
        slow = InterruptedDocuments(self.documents, pause=True)
        (replica, loop), (other, others) = self.a_leader(slow), self.a_leader()
        await append(replica, commit("a/1", 1, tenant="t"))
        assert await loop.round() == (1, False)
        slow.interrupt_next("after")
        appending = asyncio.create_task(append(replica, commit("a/1", 2, tenant="t")))
        await slow.reached.wait()
        assert await others.round() == (0, False)
        await append(other, commit("a/1", 3, tenant="t"))
        slow.resume.set()
        await appending
        await append(replica, commit("a/1", 4, tenant="t"))
        assert [await loop.round(), await loop.round()] == [(1, False), (0, False)]
        for reader in (self.store, replica, other):
            log = await reader.read_log("t", 0)
            assert [(one.version, one.position) for one in log] == [(1, 1), (2, 2), (3, 3), (4, 4)]
