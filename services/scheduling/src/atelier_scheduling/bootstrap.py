"""The scheduling service, put together. The one place where its parts meet."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from atelier.pathing.v1 import events_pb2 as pathing
from atelier.profile.v1 import events_pb2 as profile
from atelier_common.backfill import Backfill
from atelier_common.bus.port import Bus
from atelier_common.clock import Clock
from atelier_common.consumer import Subscription
from atelier_common.documents.port import Documents
from atelier_common.eventstore.port import EventStore
from atelier_common.grpc.kit import GrpcService
from atelier_common.http.kit import create_app
from atelier_common.lease import LEASE_MS
from atelier_common.privacy.keysource import KeySource
from atelier_common.reading_events import EventReader
from atelier_common.security.tokens import TokenVerifier
from atelier_common.service import Service
from fastapi import APIRouter, FastAPI

from atelier_scheduling.api.grpc import grpc_service
from atelier_scheduling.api.http import LARGER_BODIES, routes
from atelier_scheduling.domain.registry import REGISTRY
from atelier_scheduling.engine.plan import Plan
from atelier_scheduling.planning.desk import Desk
from atelier_scheduling.planning.planner import Planner
from atelier_scheduling.planning.process import SolverProcess
from atelier_scheduling.planning.published_copies import PublishedCopies
from atelier_scheduling.planning.published_file import PublishedTimetables
from atelier_scheduling.planning.reading import Library, Models
from atelier_scheduling.planning.repairs import Repairs
from atelier_scheduling.projections import neighbours
from atelier_scheduling.projections.decisions import OBLIGATIONS, OVERRIDES
from atelier_scheduling.projections.plans import PLANS
from atelier_scheduling.projections.publications import PUBLICATIONS
from atelier_scheduling.projections.sites import SITES
from atelier_scheduling.publish import TYPES, translate
from atelier_scheduling.reactions.when_facts_changed_then_repair import when_facts_changed_then_repair
from atelier_scheduling.reactions.when_plan_proposed_then_await_cut_off import (
    CUT_OFF,
    at_cut_off,
    when_plan_proposed_then_await_cut_off,
)
from atelier_scheduling.reactions.when_plan_published_then_owe import when_plan_published_then_owe
from atelier_scheduling.reactions.when_planning_asked_then_plan import when_planning_asked_then_plan
from atelier_scheduling.reactions.when_site_described_then_plan_in_rounds import (
    CADENCE,
    at_cadence,
    when_site_described_then_plan_in_rounds,
)

NAME = "scheduling"


@dataclass(frozen=True)
class Scheduling:
    """The running parts: the service, its HTTP routes, its use cases, its solver and the published timetables."""

    service: Service
    router: APIRouter
    desk: Desk
    process: SolverProcess
    files: PublishedTimetables
    grpc: list[GrpcService]
    copies: PublishedCopies
    _tasks: list["asyncio.Task[None]"] = field(default_factory=list)

    async def start(self) -> None:
        """Open the log and follow it. The solver's process starts with the first plan, or before it by ``warm_up``."""
        await self.service.start()
        self._tasks.append(asyncio.create_task(self.copies.run(), name="published copies"))

    async def stop(self) -> None:
        while self._tasks:
            task = self._tasks.pop()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        await self.service.stop()
        self.process.close()


def build(
    *,
    store: EventStore,
    documents: Documents,
    bus: Bus,
    backfills: Mapping[str, Backfill],
    clock: Clock,
    keys: KeySource,
    published: Path,
    owner: str = "",
    lease_ms: int = LEASE_MS,
) -> Scheduling:
    """Put scheduling together. ``published`` is the folder of the timetables that outlive everything."""
    service = Service(
        NAME,
        REGISTRY,
        store=store,
        documents=documents,
        bus=bus,
        clock=clock,
        backfills=backfills,
        owner=owner,
        lease_ms=lease_ms,
    )
    service.subscribe(
        Subscription(
            "profile",
            ("profile.learner", "profile.adult"),
            {
                neighbours.LEARNER_CHANGED: profile.LearnerChanged,
                neighbours.LEARNER_ERASED: profile.LearnerErased,
                neighbours.ADULT_CHANGED: profile.AdultChanged,
            },
        )
    )
    service.subscribe(
        Subscription(
            "pathing",
            ("pathing.path", "pathing.framework"),
            {neighbours.PATH_REVISED: pathing.PathRevised, neighbours.FRAMEWORK_LISTED: pathing.FrameworkListed},
        )
    )
    models = Models(
        learners=service.project(neighbours.LEARNERS),
        adults=service.project(neighbours.ADULTS),
        paths=service.project(neighbours.PATHS),
        competencies=service.project(neighbours.COMPETENCIES),
        sites=service.project(SITES),
        plans=service.project(PLANS),
        overrides=service.project(OVERRIDES),
        obligations=service.project(OBLIGATIONS),
    )
    publications = service.project(PUBLICATIONS)
    process = SolverProcess()
    library = Library(store, models)
    planner = Planner(store, service.commands, library, models, keys, process)
    desk = Desk(store, service.commands, planner, library, models, keys)

    async def titles(tenant: str, plan: Plan) -> dict[str, str]:
        return await desk.titles(tenant, plan)

    files = PublishedTimetables(published, titles)
    asked = when_planning_asked_then_plan(planner, Repairs(planner, library), models, EventReader(store, REGISTRY))
    service.react(when_facts_changed_then_repair(models, service.work(asked)))
    service.react(when_plan_proposed_then_await_cut_off(service.timers, library))
    service.react(when_plan_published_then_owe(library, models, files))
    service.react(when_site_described_then_plan_in_rounds(service.timers, library))
    service.on_timer(CUT_OFF, at_cut_off(service.commands, planner, library))
    service.on_timer(CADENCE, at_cadence(service.timers, service.commands, library))
    service.publish(translate, TYPES)

    copies = PublishedCopies(store, library, publications, files, clock)
    router = routes(desk, service, files, clock)
    return Scheduling(service, router, desk, process, files, [grpc_service(desk, clock)], copies)


def http_app(scheduling: Scheduling, verifier: TokenVerifier) -> FastAPI:
    """The scheduling service's own HTTP app; in one process with others its ``router`` joins theirs."""
    app = create_app("Atelier scheduling", verifier, larger=LARGER_BODIES)
    app.include_router(scheduling.router)
    return app
