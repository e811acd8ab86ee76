"""Followers of a log: what they pass over, when their cursors are durable, and how they gather under load."""

import asyncio
from collections.abc import AsyncIterator, Sequence, Set
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest
from atelier_common.commit import Commit
from atelier_common.conformance.material import TENANT, append, until
from atelier_common.conformance.material import commit as make_commit
from atelier_common.documents.memory import MemoryDocuments
from atelier_common.documents.port import Insert, Write
from atelier_common.events import EventRegistry, StoredEvent
from atelier_common.eventstore.documents import DocumentEventStore
from atelier_common.follower import CURSORS, SHORT_REST, Follower, Handled, LeadershipLost, Rest
from atelier_common.late_cursors import DURABLE_WITHIN
from atelier_common.opening import Opener
from atelier_common.testing.simulation import simulate
from atelier_common.watching import LogWatch
from google.protobuf.wrappers_pb2 import Int64Value, StringValue

WANTED = frozenset({"wanted"})


class Rig:
    """A log in memory, and followers of it that want one type of event."""

    def __init__(self) -> None:
        self.documents = MemoryDocuments()
        self.store = DocumentEventStore(self.documents)
        self.watch = LogWatch(self.store, self.documents)
        self.seen: list[list[int]] = []
        self.takes = 0.0
        self.versions = 0

    async def append(self, *types: str) -> None:
        for type in types:
            self.versions += 1
            await append(self.store, replace(make_commit("note/a", self.versions), events=(StoredEvent(type, 1, {}),)))

    async def handle(self, _tenant: str, commits: Sequence[Commit]) -> Handled:
        self.seen.append([commit.position for commit in commits])
        await asyncio.sleep(self.takes)
        return Handled(commits[-1].position)

    def follower(self, wants: frozenset[str] = WANTED, rest: Rest = SHORT_REST) -> Follower:
        def concerns(present: Set[str]) -> bool:
            return not wants.isdisjoint(present)

        return Follower("one", self.store, self.documents, self.handle, wants=concerns, watch=self.watch, rest=rest)

    async def come_to(self, follower: Follower, position: int) -> None:
        async def there() -> bool:
            return follower.position(TENANT) >= position

        await until(there)

    async def cursor(self) -> int:
        found = await self.documents.find(TENANT, CURSORS, "one")
        return -1 if found is None else int(found["position"])


@asynccontextmanager
async def following(follower: Follower, epoch: int = 1) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(follower.run(epoch))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, LeadershipLost):
            await task


@asynccontextmanager
async def a_rig() -> AsyncIterator[Rig]:
    rig = Rig()
    await rig.store.start()
    try:
        yield rig
    finally:
        await rig.store.close()


def test_what_does_not_concern_it_is_passed_over_and_costs_no_write() -> None:
    async def live() -> None:
        async with a_rig() as rig, following(follower := rig.follower()):
            await rig.append("wanted")
            await rig.come_to(follower, 1)
            for position in range(2, 9):
                await rig.append("other")
                await rig.come_to(follower, position)
            assert rig.seen == [[1]]
            assert await rig.cursor() == 1, "nothing was done since, so nothing is to be kept at once"
            await rig.append("wanted")
            await rig.come_to(follower, 9)
            assert rig.seen == [[1], [9]]

    simulate(live())


def test_the_cursor_is_durable_soon_also_where_nothing_more_comes() -> None:
    async def live() -> None:
        async with a_rig() as rig, following(follower := rig.follower()):
            await rig.append("wanted")
            await rig.come_to(follower, 1)
            await rig.append("wanted")
            await rig.come_to(follower, 2)
            assert await rig.cursor() == 1
            await asyncio.sleep(DURABLE_WITHIN + 0.05)
            assert await rig.cursor() == 2

    simulate(live())


def test_under_steady_work_the_cursor_never_lags_by_more_than_it_may() -> None:
    async def live() -> None:
        async with a_rig() as rig, following(follower := rig.follower()):
            time = asyncio.get_running_loop().time
            done: dict[int, float] = {}
            for position in range(1, 200):
                await asyncio.sleep(0.01)
                await rig.append("wanted")
                await rig.come_to(follower, position)
                done[position] = time()
                kept = await rig.cursor()
                assert all(time() - done[late] <= DURABLE_WITHIN + 0.1 for late in range(kept + 1, position + 1))
            assert kept > 1

    simulate(live())


def test_what_was_done_after_the_durable_cursor_is_done_again_after_a_crash() -> None:
    async def live() -> None:
        async with a_rig() as rig:
            async with following(follower := rig.follower()):
                await rig.append("wanted")
                await rig.come_to(follower, 1)
                await rig.append("wanted", "other")
                await rig.come_to(follower, 3)
                assert await rig.cursor() == 1
            async with following(again := rig.follower(), 2):
                await rig.come_to(again, 3)
            assert rig.seen[-1] == [2, 3]

    simulate(live())


def test_one_who_goes_in_order_leaves_nothing_to_do_again() -> None:
    async def live() -> None:
        async with a_rig() as rig:
            async with following(follower := rig.follower()):
                await rig.append("wanted", "wanted", "other")
                await rig.come_to(follower, 3)
                await follower.save()
            rig.seen.clear()
            async with following(again := rig.follower(), 2):
                await rig.append("wanted")
                await rig.come_to(again, 4)
            assert rig.seen == [[4]]

    simulate(live())


def test_one_who_was_replaced_notices_soon_though_nothing_concerns_it() -> None:
    async def live() -> None:
        async with a_rig() as rig, following(old := rig.follower()) as stale:
            await rig.append("wanted")
            await rig.come_to(old, 1)
            async with following(new := rig.follower(), 2):
                await rig.come_to(new, 1)
                await rig.append("other")
                with pytest.raises(LeadershipLost):
                    await asyncio.wait_for(asyncio.shield(stale), DURABLE_WITHIN + 0.1)

    simulate(live())


def test_a_type_that_is_not_known_concerns_everybody() -> None:
    registry = EventRegistry()
    registry.contract("wanted", Int64Value)
    registry.contract("other", StringValue)
    opener = Opener(Rig().store, registry)
    assert not opener.concerns(WANTED, {"other"})
    assert opener.concerns(WANTED, {"other", "wanted"})
    assert opener.concerns(WANTED, {"of a newer release"})
    assert opener.concerns(None, {"other"})


def test_the_first_after_a_pause_is_handled_at_once_and_under_load_more_comes_together() -> None:
    async def live() -> None:
        async with a_rig() as rig, following(follower := rig.follower()):
            rig.takes = 0.005
            await rig.append("wanted")
            began = asyncio.get_running_loop().time()
            await rig.come_to(follower, 1)
            assert asyncio.get_running_loop().time() - began < 0.01
            for _ in range(300):
                await rig.append("wanted")
                await asyncio.sleep(0.001)
            await rig.come_to(follower, 301)
            turns = len(rig.seen) - 1
            assert turns < 300 / 10
            assert [position for turn in rig.seen for position in turn] == list(range(1, 302))

    simulate(live())


def test_whoever_waits_for_it_ends_its_rest() -> None:
    async def live() -> None:
        async with a_rig() as rig, following(follower := rig.follower(rest=Rest(1_000.0, 10.0))):
            time = asyncio.get_running_loop().time
            rig.takes = 0.01
            await rig.append("wanted")
            await rig.come_to(follower, 1)
            await rig.append("wanted")
            began = time()
            await asyncio.sleep(1.0)
            assert follower.position(TENANT) == 1, "it rests"
            follower.hurry()
            await rig.come_to(follower, 2)
            assert time() - began < 1.1
            await rig.append("wanted")
            await rig.come_to(follower, 3)
            assert time() - began > 9.0, "and rests after that"

    simulate(live())


def test_a_failing_look_at_the_log_leaves_nobody_behind() -> None:
    async def live() -> None:
        async with a_rig() as rig:
            head = rig.store.head

            async def failing(_tenant: str) -> int:
                raise ConnectionError("not now")

            rig.store.head = failing  # type: ignore[method-assign]  # a fault in the middle of the watch's look
            async with following(follower := rig.follower()):
                await rig.append("wanted", "other")
                await rig.come_to(follower, 2)
                rig.store.head = head  # type: ignore[method-assign]
                await rig.append("other", "wanted")
                await rig.come_to(follower, 4)
            assert [position for turn in rig.seen for position in turn if position in (1, 4)] == [1, 4]

    simulate(live())


def test_a_batch_of_writes_that_fails_is_handled_again_and_the_cursor_waits() -> None:
    async def live() -> None:
        async with a_rig() as rig:
            failures = iter([ConnectionError("not now")])
            write = rig.documents.write

            async def failing(writes: Sequence[Write]) -> list[bool]:
                if any(isinstance(each, Insert) and each.collection == "made" for each in writes):
                    for failure in failures:
                        raise failure
                return await write(writes)

            async def handle(_tenant: str, commits: Sequence[Commit]) -> Handled:
                rig.seen.append([commit.position for commit in commits])
                made = tuple(Insert(TENANT, "made", str(commit.position), {}) for commit in commits)
                return Handled(commits[-1].position, made)

            rig.documents.write = failing  # type: ignore[method-assign]  # a fault at the follower's own write
            follower = Follower("one", rig.store, rig.documents, handle, watch=rig.watch)
            async with following(follower):
                await rig.append("wanted")
                await rig.come_to(follower, 1)
            assert rig.seen == [[1], [1]]
            assert await rig.cursor() == 1

    simulate(live())
