"""The consumer dies before or after every single effect on its database, one after the other; nothing is lost or doubled."""

import contextlib
from typing import get_args

import pytest
from atelier_common.bus.memory import MemoryBus
from atelier_common.conformance.interruption import InterruptedDocuments, Moment
from atelier_common.conformance.notes import (
    SUBSCRIPTION,
    TOPIC,
    Counted,
    Doodled,
    Log,
    Noted,
    Notes,
    Reader,
    WatchedBackfill,
)
from atelier_common.conformance.reading_world import OLDER_RELEASE
from atelier_common.consumer import Subscription
from atelier_common.documents.memory import MemoryDocuments
from atelier_common.documents.port import Documents
from atelier_common.eventstore.documents import DocumentEventStore


class Life:
    """A reader's database over all its lives, and the owner it reads."""

    def __init__(self) -> None:
        self.documents = MemoryDocuments()
        self.bus = MemoryBus(partitions=1)
        self.backfill = WatchedBackfill()
        self.calls = 0
        self.died = 0

    def new_owner(self) -> Notes:
        documents = MemoryDocuments()
        return Notes(Log(DocumentEventStore(documents, sequencing=False), documents), self.bus, placed=False)

    async def live(self, documents: Documents, subscription: Subscription) -> Reader:
        """Come up, take in everything that is there, try what waits, and go."""
        reader = Reader(
            Log(DocumentEventStore(documents, sequencing=False), documents), self.bus, self.backfill, subscription
        )
        try:
            await reader.inlet.join()
            await reader.inlet.look_after()
            await reader.take_in()
        finally:
            await reader.inlet.leave()
        return reader

    async def survive(self, subscription: Subscription, at: int, moment: Moment) -> Reader:
        """Live with an interruption at the given call, counted over all lives, then again without."""
        interrupted = InterruptedDocuments(self.documents, at - self.calls, moment)
        with contextlib.suppress(ConnectionError):
            await self.live(interrupted, subscription)
        self.calls += interrupted.calls
        self.died += interrupted.reached.is_set()
        return await self.live(self.documents, subscription)


async def run_life(at: int, moment: Moment) -> Life:
    """A gap, a type of tomorrow, a neighbour's restore; the reader dies once, at that call."""
    life = Life()
    owner = life.backfill.owner = life.new_owner()
    await owner.note("note/a", "1", "2")
    await owner.write("note/b", Noted("1"), Doodled(), Noted("2"))
    await life.bus.publish(TOPIC, [*await owner.messages("note/a"), *await owner.messages("note/b")])
    await life.survive(OLDER_RELEASE, at, moment)

    await owner.note("note/a", "3", "4")
    await owner.write("note/b", Counted(3), Noted("4"))
    await life.bus.publish(TOPIC, [(await owner.messages("note/a"))[3], *(await owner.messages("note/b"))[3:]])
    reader = await life.survive(OLDER_RELEASE, at, moment)
    assert await reader.held("note/a") == ["1", "2", "3", "4"]
    assert await reader.held("note/b") == ["1", "2"]
    assert await reader.parked() == {"note/b": "unknown-type"}

    reader = await life.survive(SUBSCRIPTION, at, moment)
    assert await reader.held("note/b") == ["1", "2", 3, "4"]
    assert await reader.parked() == {}

    again = life.backfill.owner = await owner.restored(life.new_owner().log, {"note/a": 3, "note/b": 2})
    await again.note("note/a", "4 anew", "5")
    await life.bus.publish(TOPIC, (await again.messages("note/a"))[4:])
    reader = await life.survive(SUBSCRIPTION, at, moment)
    assert await reader.held("note/a") == ["1", "2", "3", "4", "4 anew", "5"]
    assert await reader.held("note/b") == ["1", "2", 3, "4"]
    assert await reader.parked() == {}
    assert [commit.version for commit in await reader.commits("note/a")] == [1, 2, 3, 4, 5, 6, 7]
    return life


@pytest.mark.parametrize("moment", get_args(Moment))
async def test_whichever_call_is_the_last_the_next_life_makes_it_whole(moment: Moment) -> None:
    calls = (await run_life(0, moment)).calls
    assert calls > 40
    assert sum([(await run_life(at, moment)).died for at in range(1, calls + 1)]) == calls
