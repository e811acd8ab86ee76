"""The one place where the profile service is put together, by explicit arguments."""

from collections.abc import Mapping
from dataclasses import dataclass

from atelier.assessment.v1.events_pb2 import MasteryChanged
from atelier.scheduling.v1.events_pb2 import PlanPublished
from atelier_common.backfill import Backfill
from atelier_common.bus.port import Bus
from atelier_common.clock import Clock
from atelier_common.consumer import Subscription
from atelier_common.documents.port import Documents
from atelier_common.eventstore.port import EventStore
from atelier_common.grpc.kit import GrpcService
from atelier_common.http.kit import create_app
from atelier_common.lease import LEASE_MS
from atelier_common.privacy.keyring import Keyring
from atelier_common.security.tokens import TokenVerifier
from atelier_common.service import Service
from fastapi import APIRouter, FastAPI

from atelier_profile.api.access import Access
from atelier_profile.api.grpc import grpc_services
from atelier_profile.api.http import LARGER_BODIES, routes
from atelier_profile.domain.registry import registry
from atelier_profile.importing.rosters import DEFAULT_THRESHOLD_PERCENT, RosterImports
from atelier_profile.profile import Profile
from atelier_profile.projections.district_people import district_people
from atelier_profile.projections.learner_profile import learner_profile
from atelier_profile.projections.learner_progress import MASTERY_CHANGED, learner_progress
from atelier_profile.projections.learner_voice import learner_voice
from atelier_profile.projections.published_plans import PLAN_NOT_WANTED, PLAN_PUBLISHED, published_plans
from atelier_profile.projections.roster_entries import roster_entries
from atelier_profile.projections.roster_imports import roster_imports
from atelier_profile.publish import TYPES, translate
from atelier_profile.reactions.when_learner_erased import when_learner_erased
from atelier_profile.reactions.when_roster_accepted import when_roster_accepted

NAME = "profile"
SUBSCRIPTIONS = (
    Subscription("assessment", ("assessment.mastery",), {MASTERY_CHANGED: MasteryChanged}),
    Subscription("scheduling", ("scheduling.plan",), {PLAN_PUBLISHED: PlanPublished}, PLAN_NOT_WANTED),
)


@dataclass(frozen=True)
class BuiltProfile:
    """The service with its doors. ``router`` carries full paths (``/profile/v1/...``), for an app of one's own or a shared one.

    A shared app gives the bodies of ``LARGER_BODIES`` their room too.
    """

    service: Service
    router: APIRouter
    grpc: list[GrpcService]
    profile: Profile

    def app(self, verifier: TokenVerifier) -> FastAPI:
        """An app of profile alone."""
        app = create_app("Atelier: profile", verifier, larger=LARGER_BODIES)
        app.include_router(self.router)
        return app


def build(
    *,
    store: EventStore,
    documents: Documents,
    bus: Bus,
    clock: Clock,
    keyring: Keyring,
    backfills: Mapping[str, Backfill],
    owner: str = "",
    lease_ms: int = LEASE_MS,
    threshold_percent: float = DEFAULT_THRESHOLD_PERCENT,
) -> BuiltProfile:
    """A profile service; nothing runs before ``service.start()``.

    ``backfills`` are the logs of assessment and scheduling by name;
    ``threshold_percent`` is how much of a kind of record an import may deactivate unasked.
    """
    service = Service(
        NAME,
        registry,
        store=store,
        documents=documents,
        bus=bus,
        clock=clock,
        backfills=backfills,
        owner=owner,
        lease_ms=lease_ms,
    )
    learners = service.project(learner_profile)
    people = service.project(district_people)
    entries = service.project(roster_entries)
    for projection in (learner_progress, learner_voice, published_plans, roster_imports):
        service.project(projection)
    service.react(when_roster_accepted(store))
    service.react(when_learner_erased(keyring))
    for subscription in SUBSCRIPTIONS:
        service.subscribe(subscription)
    service.publish(translate, TYPES)
    rosters = RosterImports(service.commands, store, keyring, entries, threshold_percent)
    profile = Profile(service, keyring, rosters, Access(learners, people), clock)
    return BuiltProfile(service, routes(profile), grpc_services(profile), profile)
