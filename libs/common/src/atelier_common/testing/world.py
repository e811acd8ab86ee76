"""Two small services, several replicas of each, and people who use them: what the seeded simulation runs.

``source`` counts: every addition is journalled by a reaction, shown by a read model, published, and timers ring alarms.
``sink`` takes the additions in, mirrors each by a reaction and shows them. So at the end every number can be told from
every other.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from google.protobuf.wrappers_pb2 import Int64Value

from atelier_common.backfill import Neighbours
from atelier_common.bus.memory import MemoryBus
from atelier_common.commands import Request
from atelier_common.commit import Commit, Context, RecordedEvent
from atelier_common.consumer import Subscription
from atelier_common.decider import Decider
from atelier_common.documents.memory import MemoryDocuments
from atelier_common.documents.port import Body
from atelier_common.errors import AtelierError
from atelier_common.events import EventRegistry
from atelier_common.eventstore.documents import DocumentEventStore
from atelier_common.eventstore.layout import LOG
from atelier_common.projection import Projection, by_stream_key
from atelier_common.publisher import ContractEvent, ContractLog
from atelier_common.reaction import Issue, Reaction, each
from atelier_common.service import Service
from atelier_common.testing.simulation import FaultyBus, LoopClock, SeededFaults, Weather, loop_milliseconds
from atelier_common.timers import Timer

ADDED = "atelier.source.counter.v1.added"
TOPIC = "source.counter"
TENANTS = ("north", "south")
COUNTERS = 6
JOURNALS = 4
PATIENCE_SECONDS = 6.0
"""People come back slowly enough that leaders change many times while they work."""
SETTLING_SECONDS = 60.0
"""Longer than every lease, retry and alarm."""
STALE_SCANS = ((LOG, "_id"), (LOG, "last"), (LOG, "pending"))


@dataclass(frozen=True, slots=True)
class Add:
    amount: int
    now: int = 0


@dataclass(frozen=True, slots=True)
class Added:
    amount: int


def counting(registry: EventRegistry, category: str, event: type[Added]) -> Decider[Add, int, Added]:
    """An aggregate that adds up; adding nothing is an accepted no-op."""
    registry.event(f"{category}.added")(event)

    def decide(command: Add, _total: int) -> list[Added]:
        return [event(command.amount)] if command.amount else []

    def result(_command: Add, _events: object, total: int) -> int:
        return total

    return Decider(category, registry, lambda: 0, decide, lambda total, added: total + added.amount, result)


def total(document: Body | None, recorded: RecordedEvent, _key: str) -> Body:
    """Sum, count and the place of the last: tells a missed, doubled or misplaced event."""
    amount = recorded.event.value if isinstance(recorded.event, Int64Value) else recorded.event.amount
    held = document or {"total": 0, "count": 0}
    return {"total": held["total"] + amount, "count": held["count"] + 1, "last": [recorded.stream, recorded.version]}


@dataclass(frozen=True, slots=True)
class CounterAdded(Added): ...


@dataclass(frozen=True, slots=True)
class JournalAdded(Added): ...


@dataclass(frozen=True, slots=True)
class AlarmAdded(Added): ...


@dataclass(frozen=True, slots=True)
class MirrorAdded(Added): ...


class Kinds:
    """The aggregates of one process with their registry."""

    def __init__(self) -> None:
        self.registry = EventRegistry()
        self.counter = counting(self.registry, "counter", CounterAdded)
        self.journal = counting(self.registry, "journal", JournalAdded)
        self.alarm = counting(self.registry, "alarm", AlarmAdded)
        self.mirror = counting(self.registry, "mirror", MirrorAdded)


def publish(recorded: RecordedEvent) -> ContractEvent | None:
    """Only additions to counters leave."""
    if recorded.type != "counter.added":
        return None
    return ContractEvent(ADDED, Int64Value(value=recorded.event.amount))


@dataclass
class Replica:
    """One process: a service, its way to its database, and its fate."""

    service: Service
    kinds: Kinds
    faults: SeededFaults
    stopped: bool = False

    async def stop(self) -> None:
        self.stopped = True
        self.faults.crashed.set()
        await self.service.stop()


@dataclass
class World:
    """Everything the simulation holds, made from one seed."""

    seed: int
    weather: Weather = field(default_factory=Weather)
    replicas_each: int = 2

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.clock = LoopClock(1_800_000_000_000, speed=60)
        self.databases = {name: MemoryDocuments(loop_milliseconds) for name in ("source", "sink")}
        self.bus = MemoryBus(partitions=3)
        self.neighbours = Neighbours()
        self.replicas: dict[str, list[Replica]] = {"source": [], "sink": []}
        self.acknowledged: dict[tuple[str, str, str], int] = {}
        self.given: dict[str, int] = dict.fromkeys(TENANTS, 0)
        self.alarms: dict[str, set[str]] = {tenant: set() for tenant in TENANTS}
        self.effects = self.struck = self.crashes = self.unparked = 0
        self.poisoned = True
        self._made = 0
        kinds = Kinds()
        self.neighbours.add(ContractLog("source", self.store("source"), kinds.registry, publish))

    def store(self, name: str, faults: SeededFaults | None = None) -> DocumentEventStore:
        """A log without a sequencer: a reader's."""
        return DocumentEventStore(
            self.databases[name].client(faults),
            sequencing=False,
            new_incarnation=self._new_incarnation,
            now=loop_milliseconds,
        )

    def _new_incarnation(self) -> str:
        return f"{self.random.getrandbits(64):016x}"

    def fate(self) -> SeededFaults:
        return SeededFaults(self.random, self.weather, STALE_SCANS)

    def replica(self, name: str) -> Replica:
        """One more process of a service, not started."""
        self._made += 1
        owner, faults, kinds = f"{name}-{self._made}", self.fate(), Kinds()
        documents = self.databases[name].client(faults)
        store = DocumentEventStore(
            documents,
            owner=owner,
            new_incarnation=self._new_incarnation,
            lease_ttl_ms=6_000,
            idle_seconds=0.5,
            now=loop_milliseconds,
        )
        service = Service(
            name,
            kinds.registry,
            store=store,
            documents=documents,
            bus=FaultyBus(self.bus, faults),
            clock=self.clock,
            backfills={"source": self.neighbours.at("source")},
            owner=owner,
        )
        (self._equip_source if name == "source" else self._equip_sink)(service, kinds)
        return Replica(service, kinds, faults)

    def _equip_source(self, service: Service, kinds: Kinds) -> None:
        async def journal(recorded: RecordedEvent) -> list[Issue]:
            self._choke_on(recorded.event.amount, 3)
            page = f"{recorded.version % JOURNALS}"
            return [Issue(recorded, kinds.journal, page, Add(recorded.event.amount, recorded.recorded_at))]

        async def ring(timer: Timer) -> None:
            request = Request(kinds.alarm, timer.id, Add(1, timer.due_ms), timer.context())
            await service.commands.execute(request)

        added = frozenset({"counter.added"})
        service.project(Projection("totals", 1, by_stream_key, self._total, types=added))
        service.project(Projection("journals", 1, by_stream_key, total, types=frozenset({"journal.added"})))
        service.react(Reaction("when_added_then_journal", added, each(journal), after=("totals",)))
        service.publish(publish)
        service.on_timer("ring", ring)

    def _equip_sink(self, service: Service, kinds: Kinds) -> None:
        async def mirror(recorded: RecordedEvent) -> list[Issue]:
            key = recorded.stream.rpartition("/")[2]
            return [Issue(recorded, kinds.mirror, key, Add(recorded.event.value, recorded.recorded_at))]

        service.subscribe(Subscription("source", (TOPIC,), {ADDED: Int64Value}))
        service.project(Projection("received", 1, by_stream_key, total, types=frozenset({ADDED})))
        service.react(Reaction("when_added_then_mirror", frozenset({ADDED}), each(mirror)))

    def _total(self, document: Body | None, recorded: RecordedEvent, key: str) -> Body:
        self._choke_on(recorded.event.amount, 7)
        return total(document, recorded, key)

    def _choke_on(self, amount: int, poison: int) -> None:
        """A release with a mistake in it: one amount cannot be handled, while ``poisoned``."""
        if self.poisoned and amount == poison:
            raise ValueError(f"cannot handle {amount}")

    async def operate(self) -> None:
        """An operator, who tries to unpark whatever is parked, with a release that mends the mistake at times."""
        while True:
            await asyncio.sleep(self.random.uniform(0, 1.0))
            for replica in [replica for crowd in self.replicas.values() for replica in crowd]:
                for tenant in TENANTS:
                    await self._unpark(replica.service, tenant)
            self.poisoned = self.weather.crash > 0 and self.random.random() < 0.5

    async def _unpark(self, service: Service, tenant: str) -> None:
        with suppress(ConnectionError):
            for parked in await service.parked(tenant):
                # Still poisoned, led elsewhere, or out of reach: there is a next time.
                with suppress(AtelierError, ConnectionError, ValueError):
                    await service.unpark(tenant, parked.consumer, parked.key)
                    self.unparked += 1

    async def keep_running(self, name: str) -> None:
        """See to it that the service has its replicas: start what is missing, bury what has crashed."""
        crowd = self.replicas[name]
        while True:
            for replica in [replica for replica in crowd if replica.faults.crashed.is_set()]:
                crowd.remove(replica)
                await self._bury(replica)
            while len(crowd) < self.replicas_each:
                replica = self.replica(name)
                try:
                    await replica.service.start()
                    crowd.append(replica)
                except ConnectionError:
                    await self._bury(replica)
            await asyncio.sleep(self.random.uniform(0.05, 1.0))

    async def _bury(self, replica: Replica) -> None:
        self.crashes += 1
        await replica.stop()
        self._count(replica)

    def _count(self, replica: Replica) -> None:
        self.effects += replica.faults.effects
        self.struck += replica.faults.struck

    async def stop(self) -> None:
        for crowd in self.replicas.values():
            for replica in crowd:
                await replica.stop()
                self._count(replica)

    async def use(self, person: str, commands: int) -> None:
        """Somebody who adds, asks again until there is an answer, is impatient at times, and sets alarms."""
        for number in range(commands):
            tenant = self.random.choice(TENANTS)
            command_id = f"{person} {number}"
            key, amount = f"{self.random.randrange(COUNTERS)}", self.random.randrange(0, 10)
            self.given[tenant] += amount
            copies = 2 if self.random.random() < 0.2 else 1
            await asyncio.gather(*(self._insist(tenant, command_id, key, amount) for _ in range(copies)))
            if self.random.random() < 0.1:
                await self._set_alarm(tenant, command_id)
            await asyncio.sleep(self.random.uniform(0, PATIENCE_SECONDS))

    async def _insist(self, tenant: str, command_id: str, key: str, amount: int) -> None:
        while True:
            replica = await self._somebody("source")
            context = Context(tenant, "somebody", command_id, self.clock.now())
            request = Request(replica.kinds.counter, key, Add(amount, self.clock.now()), context)
            try:
                async with asyncio.timeout(20):
                    accepted = await replica.service.commands.execute(request)
            except (AtelierError, ConnectionError, TimeoutError):
                await asyncio.sleep(self.random.uniform(0, 0.5))
                continue
            told = self.acknowledged.setdefault((tenant, accepted.stream, command_id), accepted.version)
            assert told == accepted.version, f"{command_id} was told version {told} and then {accepted.version}"
            return

    async def _set_alarm(self, tenant: str, timer_id: str) -> None:
        due = self.clock.now() + self.random.randrange(0, 20 * 60_000)
        while True:
            replica = await self._somebody("source")
            try:
                await replica.service.timers.schedule(tenant, timer_id, due, "ring")
                self.alarms[tenant].add(timer_id)
                return
            except ConnectionError:
                await asyncio.sleep(self.random.uniform(0, 0.5))

    async def _somebody(self, name: str) -> Replica:
        while not self.replicas[name]:
            await asyncio.sleep(0.1)
        return self.random.choice(self.replicas[name])

    async def follow(self, name: str, tenant: str, read: list[Commit]) -> None:
        """A reader at the end of the log, whose database is as unreliable as everybody's."""
        store = self.store(name, self.fate())
        while True:
            try:
                page = await store.read_log(tenant, len(read), self.random.choice((1, 10, 200)))
            except ConnectionError:
                store = self.store(name, self.fate())
                continue
            for commit in page:
                read.append(commit)
                assert commit.position == len(read), f"position {commit.position} where {len(read)} belongs"
            await asyncio.sleep(self.random.uniform(0, 1.0))


async def _use(world: World, people: int, commands: int) -> None:
    await asyncio.gather(*(world.use(f"person {number}", commands) for number in range(people)))


async def live(world: World, people: int, commands: int) -> dict[tuple[str, str], list[Commit]]:
    """Let ``people`` use the world while everything fails around them, then clear up and let all work come to its end.

    Returns what the readers at the end of each (service, tenant)'s log have read from its first position on.
    """
    tails: dict[tuple[str, str], list[Commit]] = {(name, tenant): [] for name in world.databases for tenant in TENANTS}
    background: list[asyncio.Task[None]] = []
    background += [asyncio.create_task(world.keep_running(name)) for name in world.replicas]
    background.append(asyncio.create_task(world.operate()))
    background += [asyncio.create_task(world.follow(name, tenant, read)) for (name, tenant), read in tails.items()]
    using = asyncio.create_task(_use(world, people, commands))
    await asyncio.wait([using, *background], return_when=asyncio.FIRST_COMPLETED)
    if using.done():
        await using
        world.weather.clear_up()
        await asyncio.sleep(SETTLING_SECONDS)
    failures = [task.exception() for task in background if task.done()]
    for task in (using, *background):
        task.cancel()
    await asyncio.gather(using, *background, return_exceptions=True)
    await world.stop()
    for failure in failures:
        raise failure or RuntimeError("a part of the world ended before its time")
    return tails
