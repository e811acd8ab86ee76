"""What is looked up for an operator, on a service in memory."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import pytest
from atelier_common.bus.kafka import KafkaBus, Waiting
from atelier_common.bus.memory import MemoryBus
from atelier_common.clock import SystemClock
from atelier_common.commit import RecordedEvent
from atelier_common.conformance.material import until
from atelier_common.conformance.notes import SUBSCRIPTION, Log, Noted, Notes, registry
from atelier_common.consumer import Subscription
from atelier_common.documents.memory import MemoryDocuments
from atelier_common.documents.port import Body
from atelier_common.errors import Unavailable
from atelier_common.eventstore.documents import DocumentEventStore
from atelier_common.projection import Projection
from atelier_common.service import Service
from atelier_hosting import vitals
from atelier_hosting.vitals import Vitals
from opentelemetry.metrics import CallbackOptions

OWNER = "replica-0"


def apply(_document: Body | None, event: RecordedEvent, _key: str) -> Body:
    if event.event.text == "unreadable":
        raise ValueError("cannot be applied")
    return {"text": event.event.text}


class Broker:
    """What this process would be told by Kafka."""

    def __init__(self) -> None:
        self.told: list[Waiting] = []
        self.away = False

    async def waiting(self) -> list[Waiting]:
        if self.away:
            raise Unavailable("no broker answers")
        return self.told


class Watched:
    """A service that keeps notes, and what is shown of it."""

    def __init__(self, *, sequencing: bool = True) -> None:
        self.documents = MemoryDocuments()
        self.store = DocumentEventStore(self.documents, owner=OWNER, sequencing=sequencing)
        self.bus = MemoryBus()
        self.service = Service(
            "keeper",
            registry(),
            store=self.store,
            documents=self.documents,
            bus=self.bus,
            clock=SystemClock(),
            owner=OWNER,
        )
        keys = lambda event: [event.stream.partition("/")[2]]  # noqa: E731  # as short as what it says
        self.service.project(Projection("texts", 1, keys, apply, types=frozenset({"noted"})))
        self.notes = Notes(Log(self.store, self.documents), self.bus, placed=False)
        self.broker = Broker()
        self.vitals = Vitals(self.service, self.store, self.documents, cast(KafkaBus, self.broker), OWNER)

    async def shown(self, gauge: str) -> dict[str, float]:
        """The values by the last of their attributes, after a look."""
        await self.vitals.look()
        found = getattr(vitals, gauge).observe(CallbackOptions())
        return {str(next(reversed((one.attributes or {"": ""}).values()))): one.value for one in found}


@asynccontextmanager
async def at_work(watched: Watched) -> AsyncIterator[None]:
    await watched.service.start()

    async def leads() -> bool:
        return watched.service.leading

    await until(leads)
    try:
        yield
    finally:
        await watched.service.stop()


async def test_a_parked_key_is_counted_where_it_is_led_and_nowhere_else() -> None:
    watched = Watched()
    assert await watched.shown("_PARKED") == {}
    async with at_work(watched):
        assert await watched.shown("_PARKED") == {"consumer": 0}
        await watched.notes.write("note/a", Noted("unreadable"))
        await watched.notes.write("note/b", Noted("plain"))
        (follower,) = await watched.shown("_FOLLOWER_LAG")

        async def parked_and_gone_on() -> bool:
            parked, lags = await watched.shown("_PARKED"), await watched.shown("_FOLLOWER_LAG")
            return parked == {"consumer": 0, follower: 1} and lags == {follower: 0}

        await until(parked_and_gone_on)


async def test_a_commit_that_nobody_gives_a_position_grows_old() -> None:
    watched = Watched(sequencing=False)
    async with at_work(watched):
        assert await watched.shown("_PENDING_AGE") == {"": 0}
        began = time.time()
        await watched.notes.write("note/a", Noted("plain"))

        async def older() -> bool:
            return (await watched.shown("_PENDING_AGE"))[""] > 0.05

        await until(older)
        assert (await watched.shown("_PENDING_AGE"))[""] <= time.time() - began + 0.002


async def test_who_leads_is_shown_and_how_often_that_has_changed() -> None:
    watched = Watched()
    async with at_work(watched):
        assert await watched.shown("_LEASE_HELD") == {"keeper:followers": 1, "sequencer": 1}
    assert (await watched.shown("_LEASE_HELD"))["keeper:followers"] == 0
    async with at_work(watched):
        assert (await watched.shown("_LEASE_EPOCH"))["keeper:followers"] == 2


@pytest.mark.parametrize(
    ("told", "lag", "age"),
    [
        (Waiting("keeper-from-notes", "notes.note", 3, 0, None), {"3": 0}, {"3": 0}),
        (Waiting("keeper-from-notes", "notes.note", 3, 7, None), {"3": 7}, {}),
        (Waiting("keeper-bell-replica-0", "keeper.bell", 0, 7, 1), {}, {}),
    ],
    ids=["nothing waits", "nothing of it was fetched", "not one of its neighbours"],
)
async def test_what_a_partition_has_before_this_replica(told: Waiting, lag: Any, age: Any) -> None:
    watched = Watched()
    watched.service.subscribe(Subscription(SUBSCRIPTION.source, SUBSCRIPTION.topics, SUBSCRIPTION.types))
    watched.broker.told = [told]
    assert await watched.shown("_CONSUMER_LAG") == lag
    assert await watched.shown("_CONSUMER_AGE") == age
    watched.broker.told = [Waiting("keeper-from-notes", "notes.note", 3, 1, int(time.time() * 1000) - 5_000)]
    assert 5 <= (await watched.shown("_CONSUMER_AGE"))["3"] < 60
    watched.broker.away = True
    assert await watched.shown("_CONSUMER_LAG") == await watched.shown("_CONSUMER_AGE") == {}
