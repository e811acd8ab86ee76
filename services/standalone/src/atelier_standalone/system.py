"""All of Atelier in one process: four services, each with its own log, and the bus between them."""

import asyncio
from collections.abc import Awaitable, Callable

from atelier_assessment import bootstrap as assessment
from atelier_common.backfill import Backfill, Neighbours
from atelier_common.bus.direct import DirectBus
from atelier_common.clock import Clock, SystemClock
from atelier_common.consumer import group_of
from atelier_common.documents.sqlite import SqliteDocuments
from atelier_common.eventstore.sqlite import SqliteEventStore
from atelier_common.privacy.keyring import Keyring, load_or_create_master_key
from atelier_common.security.tokens import TokenIssuer
from atelier_common.service import Service
from atelier_common.sqlite.database import SqliteDatabase
from atelier_pathing import bootstrap as pathing
from atelier_profile import bootstrap as profile
from atelier_scheduling import bootstrap as scheduling

from atelier_standalone.folder import DataFolder

OWNER = "standalone"
"""The same at every start: the folder's lock makes sure that nobody else holds these leases."""
SERVICES = ("profile", "assessment", "pathing", "scheduling")


class Atelier:
    """A standalone Atelier on a data folder. :meth:`start` opens it, :meth:`stop` closes it; a kill loses nothing acknowledged."""

    def __init__(self, folder: DataFolder, clock: Clock | None = None) -> None:
        self.folder = folder
        self.clock = clock or SystemClock()
        self._lock = folder.lock()
        self.databases = {name: SqliteDatabase(folder.database(name)) for name in SERVICES}
        self.stores = {name: SqliteEventStore(database) for name, database in self.databases.items()}
        self.documents = {name: SqliteDocuments(database) for name, database in self.databases.items()}
        self.bus = DirectBus()
        self.neighbours = Neighbours()
        self.issuer = TokenIssuer(folder.keys)
        self.verifier = self.issuer.verifier()
        self.keyring = Keyring(self.documents["profile"], load_or_create_master_key(folder.keys / "master.key"))
        self.profile = profile.build(
            store=self.stores["profile"],
            documents=self.documents["profile"],
            bus=self.bus,
            clock=self.clock,
            keyring=self.keyring,
            backfills=self._backfills("profile"),
            owner=OWNER,
        )
        self.assessment = assessment.build(
            self.stores["assessment"],
            self.documents["assessment"],
            self.bus,
            self._backfills("assessment"),
            self.clock,
            self.keyring,
            self.verifier,
            owner=OWNER,
        )
        self.pathing = pathing.build(
            store=self.stores["pathing"],
            documents=self.documents["pathing"],
            bus=self.bus,
            backfills=self._backfills("pathing"),
            clock=self.clock,
            keys=self.keyring,
            owner=OWNER,
        )
        self.scheduling = scheduling.build(
            store=self.stores["scheduling"],
            documents=self.documents["scheduling"],
            bus=self.bus,
            backfills=self._backfills("scheduling"),
            clock=self.clock,
            keys=self.keyring,
            published=folder.published,
            owner=OWNER,
        )
        for service in self.services.values():
            for subscription in service.subscriptions:
                self.bus.expect(group_of(service.name, subscription.source), subscription.topics)
            if service.publisher is not None:
                self.neighbours.add(service.publisher.contracts)

    def _backfills(self, reader: str) -> dict[str, Backfill]:
        return {name: self.neighbours.at(name) for name in SERVICES if name != reader}

    @property
    def services(self) -> dict[str, Service]:
        return {
            "profile": self.profile.service,
            "assessment": self.assessment.service,
            "pathing": self.pathing.service,
            "scheduling": self.scheduling.service,
        }

    async def start(self) -> None:
        """Open every log, then take in, follow and publish."""
        for name in ("profile", "assessment", "pathing"):
            await self.services[name].start()
        await self.scheduling.start()

    async def stop(self) -> None:
        """Close everything. What was accepted is on disk; what was under way is taken up at the next start."""
        for name in ("profile", "assessment", "pathing"):
            await self.services[name].stop()
        await self.scheduling.stop()
        await self.bus.close()
        self._lock.release()

    async def heads(self) -> dict[tuple[str, str], int]:
        """The last position of every log, by service and tenant."""
        return {
            (name, tenant): await store.head(tenant)
            for name, store in self.stores.items()
            for tenant in await store.tenants()
        }

    async def settle(
        self, timeout: float = 120.0, progress: Callable[[int], Awaitable[None] | None] | None = None
    ) -> None:
        """Wait until everything that was accepted has gone all the way through. Raises TimeoutError.

        ``progress`` is called now and then with the number of commits that some follower has still before it.
        """
        async with asyncio.timeout(timeout):
            while True:
                before = await self.heads()
                left = sum([await service.backlog() for service in self.services.values()])
                if progress is not None and (told := progress(left)) is not None:
                    await told
                if not left:
                    await asyncio.sleep(0.005)
                    if before == await self.heads() and not sum(
                        [await one.backlog() for one in self.services.values()]
                    ):
                        return
                await asyncio.sleep(0.01)
