"""One service in a process: its database, the broker, its neighbours, its doors; ready, drained and stopped in order."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from atelier_common import process
from atelier_common.backfill import Backfill
from atelier_common.bus.kafka import KafkaBus, WrongTopic, settle_topics
from atelier_common.clock import Clock, SimulatedClock, SystemClock
from atelier_common.documents.mongo import MongoDocuments, connect
from atelier_common.eventstore.documents import DocumentEventStore
from atelier_common.grpc.backfill import backfill_service
from atelier_common.grpc.kit import GrpcService
from atelier_common.http.kit import JsonResponse, create_app, include
from atelier_common.privacy.keyring import Keyring, load_or_create_master_key
from atelier_common.privacy.keysource import CachingKeySource, KeySource
from atelier_common.security.tokens import TokenIssuer, TokenVerifier
from atelier_common.service import Service
from atelier_common.telemetry import metrics
from atelier_common.verify import Told
from fastapi import APIRouter, FastAPI

from atelier_hosting import operating
from atelier_hosting.awaiting import AwaitedBus, insist, unless
from atelier_hosting.bell import ReplicaBell
from atelier_hosting.doors import open_grpc, open_http, told_to_stop
from atelier_hosting.keys import RemoteKeyOwner
from atelier_hosting.neighbours import NeighbourBackfill, NeighbourChannels
from atelier_hosting.operating import Operated, Report
from atelier_hosting.readiness import Gate, Readiness
from atelier_hosting.settings import Settings
from atelier_hosting.topics import declared
from atelier_hosting.verifying import UnsafePlans, verified
from atelier_hosting.vitals import Vitals

_log = logging.getLogger("atelier.host")


class Host:
    """What a service is built from where it runs as a process: the same parts, behind the same ports, as standalone."""

    def __init__(self, service: str, settings: Settings) -> None:
        self.name = service
        self.settings = settings
        self.owner = settings.owner
        self.documents: MongoDocuments = connect(settings.mongo, settings.database, settings.mongo_driver)
        self.store = DocumentEventStore(
            self.documents, owner=settings.owner, lease_ttl_ms=settings.lease_ms, sequencing=settings.follows
        )
        self.kafka = KafkaBus(settings.kafka, prefix=settings.kafka_prefix, client_id=f"atelier-{service}")
        self.bus = AwaitedBus(self.kafka)
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

    async def settle_topics(self, because: Callable[[str], None]) -> None:
        """Create or check the topics, then let the bus be used. Several replicas may do it at once.

        A broker that is away is waited for, ``because`` told why. Raises WrongTopic.
        """

        async def settle() -> None:
            await settle_topics(self.settings.kafka, declared(), self.settings.kafka_prefix)

        await insist("the broker", settle, because)
        self.bus.open()

    async def close(self) -> None:
        await self.bus.close()
        await self.channels.close()
        await self.documents.close()


async def _nothing() -> None:
    return None


@dataclass
class Hosted:
    """A service as its ``main.py`` has built it. ``warm`` is begun beside and may take its time; ``unsafe_plans`` of a tenant are
    those that hold and that its judge finds something wrong with: (plan, finding).
    """

    name: str
    service: Service
    routers: Sequence[APIRouter]
    larger_bodies: Mapping[str, int]
    grpc: Sequence[GrpcService]
    start: Callable[[], Awaitable[None]]
    stop: Callable[[], Awaitable[None]]
    warm: Callable[[], Coroutine[Any, Any, None]] = field(default=_nothing)
    unsafe_plans: UnsafePlans | None = None


Build = Callable[[Host], Hosted]


async def serve(name: str, build: Build, settings: Settings, announce: Callable[[str, int | None], None]) -> None:
    """Run the service until SIGTERM or SIGINT; then drain: no longer ready, no new calls, running ones finish, stop.

    Probes are answered from the first moment; calls once the database is there, with or without the broker. ``announce`` is
    called then, with its HTTP address and gRPC port, None where there is none. Raises OSError where it cannot listen, and
    WrongTopic, after it has drained, where a topic is not as declared.
    """
    with told_to_stop() as told:
        host = Host(name, settings)
        try:
            await _run(build(host), host, told, announce)
        finally:
            await host.close()


async def _run(hosted: Hosted, host: Host, told: asyncio.Event, announce: Callable[[str, int | None], None]) -> None:
    settings, readiness = host.settings, Readiness(hosted.service)
    if not settings.follows:
        hosted.service.stand_aside()
    topics = asyncio.ensure_future(_topics(host, readiness, told))
    beside: list[asyncio.Future[None]] = [topics]
    try:
        app = Gate(_app(hosted, host, readiness), readiness)
        at = (settings.http.host, settings.http.port)
        async with open_http(app, at, settings.drain_seconds) as door:
            if await unless(told, _migrate(hosted, readiness)):
                beside += map(asyncio.ensure_future, _beside(hosted, host))
                async with _grpc(hosted, host) as grpc_port:
                    process.started()
                    announce(door.url, grpc_port)
                    await told.wait()
                    _log.info("%s drains for at most %s s", hosted.name, settings.drain_seconds)
                    readiness.draining = True
                    door.close()
            else:
                _log.info("%s was told to end before it had begun", hosted.name)
    finally:
        for task in beside:
            task.cancel()
        await hosted.stop()
    if topics.done() and not topics.cancelled():
        topics.result()


async def _topics(host: Host, readiness: Readiness, told: asyncio.Event) -> None:
    """Settle the topics beside whatever else is done. Where they cannot be used the process ends as if it were told to."""

    def because(reason: str) -> None:
        readiness.reasons["topics"] = reason

    try:
        await host.settle_topics(because)
        readiness.topics = True
    except WrongTopic as wrong:
        because(str(wrong))
        _log.error("%s cannot go on: %s", host.name, wrong)
        told.set()
        raise


async def _migrate(hosted: Hosted, readiness: Readiness) -> None:
    """Start the service, as often as it takes until the database has answered."""

    def because(reason: str) -> None:
        readiness.reasons["migrated"] = reason

    await insist("the database", hosted.start, because)
    readiness.migrated = True


def _beside(hosted: Hosted, host: Host) -> list[Coroutine[Any, Any, None]]:
    """What runs beside the service as long as it serves."""
    bell = ReplicaBell(hosted.name, host.owner, host.store, lambda: hosted.service.leading, host.bus)
    running = [hosted.warm(), bell.run()]
    if metrics.is_measuring():
        vitals = Vitals(hosted.service, host.store, host.documents, host.kafka, host.owner)
        running.append(vitals.run(host.settings.metric_interval_ms / 1000))
    return running


def _grpc(hosted: Hosted, host: Host) -> AbstractAsyncContextManager[int | None]:
    settings, publisher = host.settings, hosted.service.publisher
    if not settings.has_doors:
        return nullcontext()
    log = [] if publisher is None else [backfill_service(publisher.contracts, host.store)]
    at = (settings.grpc.host, settings.grpc.port)
    return open_grpc([*hosted.grpc, *log], host.verifier, at, settings.drain_seconds)


def _app(hosted: Hosted, host: Host, readiness: Readiness) -> FastAPI:
    """The service's own routes, the operator's, and the probes."""
    services = {hosted.name: hosted.service}

    async def settle(seconds: float) -> None:
        await operating.settled(services, seconds)

    async def verify(tenant: str, rebuild: bool, told: Told) -> Report:
        if tenant not in await host.store.tenants():
            return {}
        owners = {name: NeighbourBackfill(host.channels, name) for name in host.settings.neighbours}
        return await verified(services, tenant, owners, hosted.unsafe_plans, rebuild=rebuild, told=told)

    app = create_app(f"Atelier {hosted.name}", host.verifier, larger=hosted.larger_bodies, ready=readiness.parts)

    @app.get("/health/started", tags=["health"])
    async def started() -> JsonResponse:
        """Whether the process has done what it does once, at its start; a start probe waits for it."""
        return JsonResponse({"migrated": readiness.migrated}, 200 if readiness.migrated else 503)

    if host.settings.has_doors:
        include(app, hosted.routers)
    app.include_router(operating.routes(Operated(services, host.clock, settle, verify)))
    return app
