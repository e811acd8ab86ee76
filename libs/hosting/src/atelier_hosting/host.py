"""One service in a process: its database, the broker, its neighbours, its doors; ready, drained and stopped in order."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from atelier_common import process
from atelier_common.backfill import Backfill
from atelier_common.bus.kafka import KafkaBus, settle_topics
from atelier_common.clock import Clock, SimulatedClock, SystemClock
from atelier_common.documents.mongo import MongoDocuments, connect
from atelier_common.errors import Unavailable
from atelier_common.eventstore.documents import DocumentEventStore
from atelier_common.grpc.backfill import backfill_service
from atelier_common.grpc.kit import GrpcService
from atelier_common.http.kit import create_app, include
from atelier_common.privacy.keyring import Keyring, load_or_create_master_key
from atelier_common.privacy.keysource import CachingKeySource, KeySource
from atelier_common.security.tokens import TokenIssuer, TokenVerifier
from atelier_common.service import Service
from atelier_common.verify import Told, check_services
from fastapi import APIRouter, FastAPI

from atelier_hosting import operating
from atelier_hosting.bell import ReplicaBell
from atelier_hosting.doors import open_doors, told_to_stop
from atelier_hosting.keys import RemoteKeyOwner
from atelier_hosting.neighbours import NeighbourBackfill, NeighbourChannels
from atelier_hosting.operating import Operated, Report
from atelier_hosting.settings import Settings
from atelier_hosting.topics import declared

_LITTLE = 200
"""Commits that are applied in a moment."""
_PATIENCE_SECONDS = 60.0
_log = logging.getLogger("atelier.host")


class Host:
    """What a service is built from where it runs as a process: the same parts, behind the same ports, as standalone."""

    def __init__(self, service: str, settings: Settings) -> None:
        self.name = service
        self.settings = settings
        self.owner = settings.owner
        self.documents: MongoDocuments = connect(settings.mongo, settings.database, settings.mongo_driver)
        self.store = DocumentEventStore(self.documents, owner=settings.owner, lease_ttl_ms=settings.lease_ms)
        self.bus = KafkaBus(settings.kafka, prefix=settings.kafka_prefix, client_id=f"atelier-{service}")
        self.clock: Clock = SimulatedClock(0) if settings.clock == "simulated" else SystemClock()
        self.issuer = TokenIssuer(settings.keys)
        self.verifier: TokenVerifier = self.issuer.verifier()
        self.data: Path = settings.data
        self.channels = NeighbourChannels(service, settings.neighbours, self.issuer)

    def backfills(self, *neighbours: str) -> dict[str, Backfill]:
        """The logs of these neighbours."""
        return {name: NeighbourBackfill(self.channels, name) for name in neighbours}

    def keyring(self) -> Keyring:
        """Of the one service that owns the keys."""
        return Keyring(self.documents, load_or_create_master_key(self.settings.keys / "master.key"))

    def keys(self, owner: str) -> KeySource:
        """Of the others: fetched from ``owner`` in batches, kept a minute."""
        return CachingKeySource(RemoteKeyOwner(lambda tenant: self.channels.to(owner, tenant)))

    async def prepare(self) -> None:
        """Create or check what the service needs of the broker. Several replicas may do it at once.

        A broker that is away is waited for, a minute at most: then raises Unavailable.
        """
        until = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                return await settle_topics(self.settings.kafka, declared(), self.settings.kafka_prefix)
            except Unavailable as away:
                if time.monotonic() > until:
                    raise
                _log.warning("%s waits for the broker: %s", self.name, away.detail)
                await asyncio.sleep(1.0)

    async def close(self) -> None:
        await self.bus.close()
        await self.channels.close()
        await self.documents.close()


async def _nothing() -> None:
    return None


@dataclass
class Hosted:
    """A service as its ``main.py`` has built it. ``warm`` is begun beside and may take its time."""

    name: str
    service: Service
    routers: Sequence[APIRouter]
    larger_bodies: Mapping[str, int]
    grpc: Sequence[GrpcService]
    start: Callable[[], Awaitable[None]]
    stop: Callable[[], Awaitable[None]]
    warm: Callable[[], Awaitable[None]] = field(default=_nothing)


Build = Callable[[Host], Hosted]


async def serve(name: str, build: Build, settings: Settings, announce: Callable[[str, int], None]) -> None:
    """Run the service until SIGTERM or SIGINT; then drain: no longer ready, no new calls, running ones finish, stop.

    ``announce`` is called once it serves, with its HTTP address and gRPC port. Raises WrongTopic, Unavailable or OSError where
    it cannot start.
    """
    with told_to_stop() as told:
        host = Host(name, settings)
        try:
            await host.prepare()
            await _run(build(host), host, told, announce)
        finally:
            await host.close()


async def _run(hosted: Hosted, host: Host, told: asyncio.Event, announce: Callable[[str, int], None]) -> None:
    settings, publisher = host.settings, hosted.service.publisher
    log = [] if publisher is None else [backfill_service(publisher.contracts, host.store)]
    await hosted.start()
    bell = ReplicaBell(hosted.name, host.owner, host.store, lambda: hosted.service.leading, host.bus)
    beside = [asyncio.ensure_future(hosted.warm()), asyncio.ensure_future(bell.run())]
    try:
        async with open_doors(
            _app(hosted, host),
            [*hosted.grpc, *log],
            host.verifier,
            (settings.http.host, settings.http.port),
            (settings.grpc.host, settings.grpc.port),
            settings.drain_seconds,
        ) as (url, grpc_port):
            process.started()
            announce(url, grpc_port)
            await told.wait()
            _log.info("%s drains for at most %s s", hosted.name, settings.drain_seconds)
    finally:
        for task in beside:
            task.cancel()
        await hosted.stop()


def _app(hosted: Hosted, host: Host) -> FastAPI:
    """The service's own routes, the operator's, and whether it is ready: somebody leads, and nothing of old waits."""
    services = {hosted.name: hosted.service}
    caught_up = False

    async def ready() -> dict[str, bool]:
        nonlocal caught_up
        led = await hosted.service.led()
        caught_up = caught_up or (led and await hosted.service.backlog() <= _LITTLE)
        return {"migrated": True, "led": led, "caught up": caught_up}

    async def settle(seconds: float) -> None:
        await operating.settled(services, seconds)

    async def verify(tenant: str, _rebuild: bool, told: Told) -> Report:
        if tenant not in await host.store.tenants():
            return {}
        owners = {name: NeighbourBackfill(host.channels, name) for name in host.settings.neighbours}
        found = await check_services(services, tenant, owners, told)
        return {name: [asdict(violation) for violation in wrong] for name, wrong in found.items()}

    app = create_app(f"Atelier {hosted.name}", host.verifier, larger=hosted.larger_bodies, ready=ready)
    include(app, hosted.routers)
    app.include_router(operating.routes(Operated(services, host.clock, settle, verify)))
    return app
