"""A house on real servers that a fault may break, and a district in it that lives through the fault."""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

from atelier_common.documents.mongo import connect
from atelier_common.documents.port import SYSTEM
from atelier_common.lease import LEASES
from atelier_hosting.process import SERVICES

from infra.dev import kafka, mongo
from infra.dev.house import House, HouseClient, Replica
from infra.dev.proxy import Proxy
from tests.faults.servers import checkers, releases
from tests.faults.servers.load import Provider, Reader
from tests.support import school
from tests.support.in_a_house import PATIENCE, bring_in, plan, settled
from tests.support.nursery import Nursery

LEASE_MS = 4_000
WEEK = "2040-W10"
_ROLES = ("district-admin", "operator", "partner")
_LARGE = 1_000
_TENANTS = itertools.count(1)


@dataclass
class Servers:
    """Servers that a test may kill: nobody else uses them."""

    kafka: kafka.Kafka
    mongo: mongo.Mongo
    nursery: Nursery


@dataclass
class District:
    """The fictional school as one tenant: its people, and every statement of theirs that was ever acknowledged."""

    tenant: str
    people: Sequence[school.Pupil]
    learner_ids: dict[str, str]
    acknowledged: dict[str, str] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))


@dataclass
class Stage:
    """What a fault may lay hands on. Its district lives through one fault after the other, until it has grown large."""

    house: House
    servers: Servers
    proxies: dict[str, Proxy]
    district: District | None = None

    async def leader(self, service: str, lease: str = "") -> Replica:
        """Who holds the lease that followers of the log (or ``sequencer``) work under."""
        owner = await self._owner(service, lease)
        return next(one for one in self.house.of(service) if _name(one) == owner)

    async def leads(self, replica: Replica) -> bool:
        """Whether it holds the lease that followers of its service's log work under."""
        return await self._owner(replica.service, "") == _name(replica)

    async def _owner(self, service: str, lease: str) -> str:
        documents = connect(self.servers.mongo.address, self.house.database(service))
        try:
            held = await documents.find(SYSTEM, LEASES, lease or f"{service}:followers")
        finally:
            await documents.close()
        assert held is not None
        return str(held["owner"])

    async def exchange(self, replica: Replica, release: str = "") -> None:
        """End a process in order and start another in its place, of ``release`` (none: the present one)."""
        await asyncio.to_thread(replica.process.stop)
        named = release and f"{releases.__name__}:{release}"
        replica.process.launch = partial(self.servers.nursery.launch, release=named)
        await asyncio.to_thread(replica.process.start)

    async def whole(self) -> None:
        """Until every process runs and says that it is ready."""
        for replica in self.house.running:
            if not replica.process.alive:
                replica.process.start(wait=False)
        for replica in self.house.running:
            await asyncio.to_thread(replica.process.wait)

    async def populated(self) -> District:
        """The district, brought in and planned where there is none yet or the one before has become slow to check."""
        if self.district is None or len(self.district.acknowledged) > _LARGE:
            self.district = await _bring_in(self.house)
        return self.district


@dataclass
class Scene:
    """One run of a fault: the stage, a client in the district, and what goes on there meanwhile.

    ``long`` asks for the full duration where a fault has a short form. ``may_be_gone`` are statements acknowledged after the backup
    that a fault put back: the only ones that may be lost.
    """

    stage: Stage
    district: District
    client: HouseClient
    random: Random
    provider: Provider
    reader: Reader
    long: bool = False
    may_be_gone: set[str] = field(default_factory=set)

    @property
    def house(self) -> House:
        return self.stage.house


Fault = Callable[[Scene], Awaitable[None]]


@dataclass(frozen=True)
class Outcome:
    """What one run came to. Times in seconds; ``wrong`` is empty where every promise was kept. ``again``: statements that a restore
    lost, as it may, and that were posted again.
    """

    fault: str
    seed: int
    acknowledged: int = 0
    refused: int = 0
    again: int = 0
    unreadable: float = 0.0
    recovery: float = 0.0
    wrong: list[str] = field(default_factory=list)


async def live_through(fault: Fault, stage: Stage, seed: int, *, long: bool = False) -> Outcome:
    """Evidence is posted and a published week read before, during and after the fault; then all checkers."""
    await stage.whole()
    district, stage.district = await stage.populated(), None
    before = len(district.acknowledged)
    async with stage.house.client(district.tenant, _ROLES) as client:
        learner_id = district.learner_ids[district.people[seed % len(district.people)].sourced_id]
        token = stage.house.issuer().issue(district.tenant, "a-learner", ("student",), 24 * 60, [learner_id])
        provider = Provider(client.http, district.people, district.acknowledged, district.numbers)
        scene = Scene(stage, district, client, Random(seed), provider, Reader(stage.house, token, learner_id), long)
        await scene.reader.everywhere()
        posting, reading = asyncio.create_task(provider.run()), asyncio.create_task(scene.reader.run())
        try:
            await asyncio.sleep(scene.random.uniform(0.5, 1.5))
            await fault(scene)
            over = time.monotonic()
            await stage.whole()
            await asyncio.sleep(0.5)
            await _ended(posting)
            await provider.finish(PATIENCE)
            await settled(client)
            recovery = time.monotonic() - over
        finally:
            await _ended(posting)
            await _ended(reading)
        again = await _posted_again(scene)
        wrong = await _checked(scene)
        if again and not wrong:
            await provider.finish(PATIENCE)
            await settled(client)
            wrong = await _checked(scene)
    if not wrong:  # a district in which something is broken would only break the next run too
        stage.district = district
    done = len(district.acknowledged) - before
    return Outcome(fault.__name__, seed, done, provider.refused, again, scene.reader.worst, recovery, wrong)


async def _posted_again(scene: Scene) -> int:
    """How many statements are gone of those that may be; their provider posts them once more when it is told to finish."""
    answers = await checkers.gone(scene.client, scene.may_be_gone)
    gone = [statement for statement, answer in answers.items() if answer.startswith("404")]
    scene.provider.take_back(gone)
    return len(gone)


async def _checked(scene: Scene) -> list[str]:
    """Everything that does not hold now."""
    acknowledged = scene.district.acknowledged
    return [
        *scene.provider.surprises,
        *await checkers.readable_by_id(scene.client, acknowledged),
        *await checkers.counted_once(scene.client, acknowledged, scene.district.learner_ids),
        *await checkers.sound(scene.client),
        *await checkers.nothing_parked(scene.client),
        *checkers.readable(scene.reader),
    ]


async def _ended(task: "asyncio.Task[None]") -> None:
    """Cancelled; what it died of before is raised."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _name(replica: Replica) -> str:
    return f"{replica.service}-{replica.number}"


async def _bring_in(house: House) -> District:
    """Framework, roster, some evidence; the week planned and published."""
    tenant, people = f"fault-{next(_TENANTS)}", school.pupils()
    async with house.client(tenant, _ROLES) as client:
        await bring_in(client, people)
        await plan(client, WEEK)
        published = f"/scheduling/v1/sites/{school.SITE}/plans/{WEEK}/publication"
        await client.post(published, {"acknowledge_owed": True})
        await settled(client)
        found = (await client.get("/profile/v1/learners", limit=100))["items"]
    names = {one.name: one.sourced_id for one in people}
    return District(tenant, people, {names[one["display_name"]]: one["learner_id"] for one in found})


@contextmanager
def servers(folder: Path, brokers: int = 1, disk_megabytes: int = 0) -> Iterator[Servers]:
    """A broker or three, and a database, on a disk of its own where a size is given."""
    with ExitStack() as stack:
        cluster = kafka.start(folder / "kafka", brokers)
        stack.callback(cluster.stop)
        database = mongo.start(folder / "mongo", disk_megabytes)
        stack.callback(database.stop)
        nursery = Nursery(folder / "nursery.log")
        stack.callback(nursery.stop)
        yield Servers(cluster, database, nursery)


@contextmanager
def house(folder: Path, on: Servers, **different: Any) -> Iterator["Stage"]:
    """Four services, assessment and scheduling doubled, each reaching the database through a proxy of its own."""
    port = urlsplit(on.mongo.address).port
    assert port is not None
    proxies = {service: Proxy(port) for service in SERVICES}
    for proxy in proxies.values():
        proxy.start()
    through = {
        service: {"ATELIER_MONGO": on.mongo.address.replace(f":{port}", f":{proxy.port}")}
        for service, proxy in proxies.items()
    }
    prefix = f"f{time.time_ns():x}."
    built = House(
        folder,
        on.kafka.address,
        on.mongo.address,
        prefix,
        lease_ms=LEASE_MS,
        simulated=False,
        launch=on.nursery.launch,
        settings_of=through,
        **{"replicas_of": {"assessment": 2, "scheduling": 2}, **different},
    )
    try:
        built.start()
        yield Stage(built, on, proxies)
    finally:
        built.stop()
        for proxy in proxies.values():
            proxy.stop()
