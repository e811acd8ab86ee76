"""What a lease must do on every document database. An adapter's test is :meth:`make_documents`; nothing is skipped."""

import asyncio

import pytest

from atelier_common.conformance.interruption import InterruptedDocuments
from atelier_common.conformance.material import PATIENCE_SECONDS, TENANT, until
from atelier_common.conformance.on_documents import OnDocuments
from atelier_common.documents.port import SYSTEM, Replace
from atelier_common.lease import LEASES, Lease, lead, not_newer_than

SHORT_MS = 120
LONG_MS = 60_000


class LeaseSuite(OnDocuments):
    """Subclass it and give :meth:`make_documents`. No test reads this machine's clock: the server's alone decides."""

    def lease(self, owner: str, ttl_ms: int = LONG_MS) -> Lease:
        return Lease(self.documents, "work", owner, ttl_ms)

    async def test_of_many_who_ask_at_once_one_leads(self) -> None:
        for round in range(1, 21):
            leases = [self.lease(f"owner {n}") for n in range(8)]
            led = await asyncio.gather(*(lease.acquire() for lease in leases))
            leaders = [lease for lease, leads in zip(leases, led, strict=True) if leads]
            assert [lease.epoch for lease in leaders] == [round]
            assert sorted(lease.epoch for lease in leases) == [0] * 7 + [round]
            await leaders[0].release()

    async def test_a_held_lease_is_taken_over_only_when_it_has_run_out(self) -> None:
        first, second = self.lease("first"), self.lease("second")
        assert await first.acquire()
        assert not await second.acquire()
        # However slow this machine is, a lease of a minute was held while the other asked; now it ends soon.
        first.ttl_ms = SHORT_MS
        assert await first.renew()
        ends = await self.expires()

        await until(second.acquire)
        taken_over = await self.expires() - LONG_MS
        assert taken_over >= ends
        assert (first.epoch, second.epoch) == (1, 2)
        assert not await first.renew()
        assert first.epoch == 0
        assert not await first.acquire()

    async def expires(self) -> int:
        """When the lease runs out by the server's clock."""
        held = await self.documents.find(SYSTEM, LEASES, "work")
        assert held is not None
        return int(held["expires"])

    async def test_a_lease_that_is_renewed_stays(self) -> None:
        first, second = self.lease("first", 1_000), self.lease("second")
        assert await first.acquire()
        end = asyncio.get_running_loop().time() + 1.5
        while asyncio.get_running_loop().time() < end:
            assert await first.renew()
            assert not await second.acquire()
            await asyncio.sleep(0.02)
        assert first.epoch == 1

    async def test_a_stale_leaders_write_is_refused_once_the_next_one_wrote(self) -> None:
        def write(epoch: int, position: int) -> Replace:
            body = {"epoch": epoch, "position": position}
            return Replace(TENANT, "cursors", "log", body, not_newer_than(epoch), upsert=True)

        stale, next_one = self.lease("stale", SHORT_MS), self.lease("next")
        assert await stale.acquire()
        paused_with = stale.epoch
        assert await self.documents.write([write(paused_with, 10)]) == [True]
        await until(next_one.acquire)
        assert await self.documents.write([write(next_one.epoch, 11), write(next_one.epoch, 12)]) == [True, True]

        assert await self.documents.write([write(paused_with, 11)]) == [False]
        assert await self.documents.find(TENANT, "cursors", "log") == {"epoch": next_one.epoch, "position": 12}

    async def test_a_released_lease_is_free_at_once_and_epochs_go_on(self) -> None:
        first, second = self.lease("first"), self.lease("second")
        assert await first.acquire()
        await first.release()
        assert await second.acquire()
        assert second.epoch == 2
        await first.release()
        assert await second.renew()

    async def test_a_lease_whose_answer_was_lost_is_given_back_too(self) -> None:
        lost = Lease(InterruptedDocuments(self.documents, 2, "after"), "work", "first", LONG_MS)
        with pytest.raises(ConnectionError):
            await lost.acquire()
        assert not await self.lease("second").acquire()
        await lost.release()
        assert await self.lease("second").acquire()

    async def test_an_owner_whose_reply_was_lost_gets_its_lease_back_under_a_new_epoch(self) -> None:
        assert await self.lease("first").acquire()
        again = self.lease("first")
        assert await again.acquire()
        assert again.epoch == 2

    async def test_leases_of_different_names_have_nothing_to_do_with_each_other(self) -> None:
        assert await Lease(self.documents, "one", "a").acquire()
        assert await Lease(self.documents, "two", "b").acquire()

    async def test_work_runs_in_one_place_and_moves_when_its_leader_is_gone(self) -> None:
        running: list[tuple[str, int]] = []

        async def work(owner: str, epoch: int) -> None:
            running.append((owner, epoch))
            try:
                await asyncio.sleep(3600)
            finally:
                running.remove((owner, epoch))

        def leader(owner: str, ttl_ms: int) -> asyncio.Task[None]:
            return asyncio.create_task(lead(self.lease(owner, ttl_ms), lambda epoch: work(owner, epoch)))

        first = leader("first", LONG_MS)
        await until(lambda: _is(running, [("first", 1)]))
        second = leader("second", 300)
        await asyncio.sleep(0.5)
        assert running == [("first", 1)]
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await until(lambda: _is(running, [("second", 2)]))
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        assert running == []

    async def test_work_that_fails_is_taken_up_again(self) -> None:
        epochs: list[int] = []

        async def work(epoch: int) -> None:
            epochs.append(epoch)
            raise ConnectionError("once more")

        task = asyncio.create_task(lead(self.lease("first", SHORT_MS), work))
        await until(lambda: _is(epochs[:3], [1, 2, 3]))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def test_work_ends_when_another_has_taken_over(self) -> None:
        begun, ended = asyncio.Event(), asyncio.Event()

        async def work(_epoch: int) -> None:
            begun.set()
            try:
                await asyncio.sleep(3600)
            finally:
                ended.set()

        task = asyncio.create_task(lead(self.lease("first", 300), work))
        await asyncio.wait_for(begun.wait(), PATIENCE_SECONDS)
        assert await self.lease("first").acquire()
        await asyncio.wait_for(ended.wait(), PATIENCE_SECONDS)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def test_who_is_told_to_end_while_the_work_of_a_lost_lease_ends_does_end(self) -> None:
        begun, ending = asyncio.Event(), asyncio.Event()

        async def work(_epoch: int) -> None:
            begun.set()
            try:
                await asyncio.sleep(3600)
            finally:
                ending.set()
                await asyncio.sleep(0.1)

        task = asyncio.create_task(lead(self.lease("first", 300), work))
        await asyncio.wait_for(begun.wait(), PATIENCE_SECONDS)
        assert await self.lease("first").acquire()
        await asyncio.wait_for(ending.wait(), PATIENCE_SECONDS)
        task.cancel()
        await asyncio.wait({task}, timeout=PATIENCE_SECONDS)
        assert task.cancelled()


async def _is(found: object, wanted: object) -> bool:
    return found == wanted
