"""Four services, two processes of each, in a world where everything fails and one of them is restored from a backup."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from atelier_common.backfill import Neighbours
from atelier_common.bus.memory import MemoryBus
from atelier_common.documents.memory import MemoryDocuments
from atelier_common.errors import AtelierError
from atelier_common.eventstore.documents import DocumentEventStore
from atelier_common.privacy.keyring import Keyring
from atelier_common.publisher import ContractLog
from atelier_common.security.tokens import TokenIssuer
from atelier_common.testing.simulation import LoopClock, SeededFaults, Weather, loop_milliseconds
from atelier_common.testing.world import STALE_SCANS

from tests.simulation.replicas import MASTER_KEY, SERVICES, Replica, Surroundings, build
from tests.support import school

TENANT = school.TENANT
SPEED = 1_200
"""A second of the loop is twenty minutes at school: the cut-off of the first week comes after a minute and a half."""
CALM = Weather(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0)


@dataclass
class Restore:
    """What a restore of one service took away: everything it wrote between two moments of the loop."""

    service: str
    backed_up: float
    restored: float


@dataclass
class World:
    """Everything the simulation holds, made from one seed."""

    seed: int
    folder: Path
    weather: Weather = field(default_factory=Weather)
    replicas_each: int = 2

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.clock = LoopClock(school.SATURDAY_BEFORE, SPEED)
        self.issuer = TokenIssuer(self.folder / "keys")
        self.neighbours = Neighbours()
        self.around = Surroundings(
            databases={name: MemoryDocuments(loop_milliseconds) for name in SERVICES},
            keys=MemoryDocuments(loop_milliseconds),
            bus=MemoryBus(partitions=2),
            neighbours={name: self.neighbours.at(name) for name in SERVICES},
            clock=self.clock,
            verifier=self.issuer.verifier(),
            published=self.folder,
            new_incarnation=lambda: f"{self.random.getrandbits(64):016x}",
        )
        self.replicas: dict[str, list[Replica]] = {name: [] for name in SERVICES}
        self.restores: list[Restore] = []
        self.effects = self.struck = self.crashes = self.unparked = 0
        self._away: set[str] = set()
        self._onlookers: dict[str, tuple[MemoryDocuments, Replica]] = {}
        self._made = 0
        for name in SERVICES:
            self._open_contract_log(name)

    def _open_contract_log(self, name: str) -> None:
        publisher = self.replica(name, CALM).service.publisher
        assert publisher is not None
        service = self.replica(name, CALM).service
        self.neighbours.add(ContractLog(name, self.store(name), service.registry, publisher.contracts.translate))

    def store(self, name: str) -> DocumentEventStore:
        """A reader's way to a log, in good weather."""
        return DocumentEventStore(
            self.around.databases[name].client(), sequencing=False, new_incarnation=self.around.new_incarnation
        )

    @property
    def keyring(self) -> Keyring:
        return Keyring(self.around.keys.client(), MASTER_KEY)

    def replica(self, name: str, weather: Weather | None = None) -> Replica:
        """One more process of a service, not started."""
        self._made += 1
        faults = SeededFaults(self.random, weather or self.weather, STALE_SCANS)
        return build(name, f"{name}-{self._made}", self.around, faults, lambda: self.random.random() < 0.05)

    async def somebody(self, name: str) -> Replica:
        """A process of the service that runs."""
        while not self.replicas[name]:
            await asyncio.sleep(0.1)
        return self.random.choice(self.replicas[name])

    async def keep_running(self, name: str) -> None:
        """See to it that the service has its replicas: start what is missing, bury what has crashed."""
        crowd = self.replicas[name]
        while True:
            for replica in [replica for replica in crowd if replica.faults.crashed.is_set()]:
                crowd.remove(replica)
                await self._bury(replica)
            while len(crowd) < self.replicas_each and name not in self._away:
                replica = self.replica(name)
                try:
                    await replica.service.start()
                except (ConnectionError, AtelierError):
                    await self._bury(replica)
                else:
                    crowd.append(replica)
            await asyncio.sleep(self.random.uniform(0.05, 1.0))

    async def _bury(self, replica: Replica) -> None:
        self.crashes += 1
        await replica.stop()
        self.effects += replica.faults.effects
        self.struck += replica.faults.struck

    async def stop(self) -> None:
        for crowd in self.replicas.values():
            while crowd:
                await self._bury(crowd.pop())

    async def operate(self) -> None:
        """An operator, who lets whatever is parked try again."""
        while True:
            await asyncio.sleep(self.random.uniform(0, 2.0))
            for replica in [replica for crowd in self.replicas.values() for replica in crowd]:
                with suppress(ConnectionError, AtelierError):
                    for parked in await replica.service.parked(TENANT):
                        # Led elsewhere or out of reach: there is a next time.
                        with suppress(AtelierError, ConnectionError):
                            await replica.service.unpark(TENANT, parked.consumer, parked.key)
                            self.unparked += 1

    async def restore(self, name: str, after: float, later: float) -> None:
        """Back a service up ``after`` seconds; ``later`` its database is lost, and the backup stands in its place."""
        await asyncio.sleep(after)
        loop = asyncio.get_running_loop()
        backup, backed_up = self.around.databases[name].copied(), loop.time()
        await asyncio.sleep(later)
        self._away.add(name)
        crowd = self.replicas[name]
        while crowd:
            await self._bury(crowd.pop())
        self.around.databases[name] = backup
        self.restores.append(Restore(name, backed_up, loop.time()))
        await self.store(name).renew_incarnation(TENANT)
        self._open_contract_log(name)
        self._away.discard(name)

    def forgotten(self, name: str, at: float) -> bool:
        """Whether what a service acknowledged at this moment of the loop was taken away by a restore."""
        return any(one.service == name and one.backed_up <= at <= one.restored for one in self.restores)

    async def settled(self, seconds: float = 300.0) -> None:
        """Wait until every follower of every log stands at its end, for some time. Raises AssertionError."""
        quiet = 0
        for _ in range(int(seconds)):
            await asyncio.sleep(1.0)
            behind = [line for name in SERVICES for line in await self._behind(name)]
            quiet = 0 if behind else quiet + 1
            if quiet >= 8:
                return
        raise AssertionError(f"the world does not come to rest: {behind[:10]}")

    async def _behind(self, name: str) -> list[str]:
        database, head = self.around.databases[name].client(), await self.store(name).head(TENANT)
        cursors = await database.scan(TENANT, "cursors")
        behind = [f"{name} {id} at {body['position']} of {head}" for id, body in cursors if body["position"] != head]
        parked = await database.scan(TENANT, "parked")
        behind += [f"{name} parked {id}: {body['reason']}" for id, body in parked]
        waiting = await self._onlooker(name).service.waiting(TENANT)
        return [*behind, *(f"{name}: {left} wait for {work}" for work, left in waiting.items() if left)]

    def _onlooker(self, name: str) -> Replica:
        """A process of the service that was never started, to ask what its database says. To build one takes longer than a look."""
        database = self.around.databases[name]
        if name not in self._onlookers or self._onlookers[name][0] is not database:
            self._onlookers[name] = database, self.replica(name, CALM)
        return self._onlookers[name][1]
