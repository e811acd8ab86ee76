"""Pathing put together, by explicit arguments: the one place that knows all its parts."""

from collections.abc import Mapping
from dataclasses import dataclass

from atelier.assessment.v1.events_pb2 import MasteryChanged
from atelier.profile.v1.events_pb2 import LearnerChanged, LearnerErased
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
from atelier_common.security.tokens import TokenVerifier
from atelier_common.service import Service
from atelier_common.timers import Timer
from fastapi import APIRouter, FastAPI

from atelier_pathing import contracts
from atelier_pathing.api.edits import DEFERRAL_ENDS, PathEditors, end_deferrals
from atelier_pathing.api.frameworks import FrameworkParts
from atelier_pathing.api.grpc import grpc_services
from atelier_pathing.api.http import LARGER_BODIES, routes
from atelier_pathing.api.paths import PathReaders
from atelier_pathing.curriculum import Curriculum
from atelier_pathing.domain.registry import REGISTRY
from atelier_pathing.projections.framework_catalogue import FRAMEWORK_CATALOGUE
from atelier_pathing.projections.learners import LEARNERS
from atelier_pathing.projections.path_of_learner import PATH_OF_LEARNER
from atelier_pathing.publish import TYPES, translate
from atelier_pathing.reactions import (
    when_framework_adopted_then_revise_paths,
    when_framework_imported_then_list_it,
    when_learner_erased_then_forget_path,
    when_learner_registered_then_open_path,
    when_mastery_changed_then_revise_path,
)
from atelier_pathing.reading import Paths

NAME = "pathing"
SUBSCRIPTIONS = (
    Subscription(
        source="profile",
        topics=("profile.learner",),
        types={contracts.LEARNER_CHANGED: LearnerChanged, contracts.LEARNER_ERASED: LearnerErased},
    ),
    Subscription(
        source="assessment", topics=("assessment.mastery",), types={contracts.MASTERY_CHANGED: MasteryChanged}
    ),
)


@dataclass(frozen=True)
class Pathing:
    """The service with its doors. ``router`` carries full paths (``/pathing/...``), for an app of one's own or a shared one."""

    service: Service
    router: APIRouter
    grpc: list[GrpcService]
    paths: Paths
    curriculum: Curriculum

    def app(self, verifier: TokenVerifier) -> FastAPI:
        """An app of pathing alone."""
        app = create_app("Atelier: pathing", verifier, larger=LARGER_BODIES)
        app.include_router(self.router)
        return app


def build(
    *,
    store: EventStore,
    documents: Documents,
    bus: Bus,
    backfills: Mapping[str, Backfill],
    clock: Clock,
    keys: KeySource,
    owner: str = "",
    lease_ms: int = LEASE_MS,
) -> Pathing:
    """Put the service together; nothing runs before ``service.start()``.

    ``backfills`` are the logs of profile and assessment by name; ``owner`` as :class:`Service` says.
    """
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
    for subscription in SUBSCRIPTIONS:
        service.subscribe(subscription)
    catalogue = service.project(FRAMEWORK_CATALOGUE)
    learners = service.project(LEARNERS)
    path_model = service.project(PATH_OF_LEARNER)
    curriculum = Curriculum(catalogue, store)
    for reaction in (
        when_framework_imported_then_list_it.reaction(curriculum, service.commands),
        when_framework_adopted_then_revise_paths.reaction(curriculum, learners, store),
        when_learner_registered_then_open_path.reaction(curriculum),
        when_learner_erased_then_forget_path.reaction(store),
        when_mastery_changed_then_revise_path.reaction(curriculum),
    ):
        service.react(reaction)
    service.publish(translate, TYPES)
    paths = Paths(service.commands, store, curriculum, REGISTRY)
    editors = PathEditors(service.commands, paths, service.timers, keys, clock)

    async def deferral_ends(timer: Timer) -> None:
        await end_deferrals(editors, timer)

    service.on_timer(DEFERRAL_ENDS, deferral_ends)
    return Pathing(
        service=service,
        router=routes(
            FrameworkParts(service.commands, store, catalogue, curriculum, clock),
            PathReaders(paths, path_model, keys, clock),
            editors,
        ),
        grpc=grpc_services(paths, path_model, clock),
        paths=paths,
        curriculum=curriculum,
    )
