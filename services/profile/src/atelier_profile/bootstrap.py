"""The one place where the profile service is put together, by explicit arguments."""

from collections.abc import Mapping

from atelier.assessment.v1.events_pb2 import MasteryChanged
from atelier_common.backfill import Backfill
from atelier_common.bus.port import Bus
from atelier_common.clock import Clock
from atelier_common.consumer import Subscription
from atelier_common.documents.port import Documents
from atelier_common.eventstore.port import EventStore
from atelier_common.http.kit import create_app
from atelier_common.privacy.keyring import Keyring
from atelier_common.security.tokens import TokenVerifier
from atelier_common.service import Service
from fastapi import FastAPI

from atelier_profile.api.access import Access
from atelier_profile.api.http import LARGER_BODIES, routes
from atelier_profile.domain.registry import registry
from atelier_profile.importing.rosters import DEFAULT_THRESHOLD_PERCENT, RosterImports
from atelier_profile.profile import Profile
from atelier_profile.projections.district_people import district_people
from atelier_profile.projections.learner_profile import learner_profile
from atelier_profile.projections.learner_progress import MASTERY_CHANGED, learner_progress
from atelier_profile.projections.learner_voice import learner_voice
from atelier_profile.projections.roster_entries import roster_entries
from atelier_profile.projections.roster_imports import roster_imports
from atelier_profile.publish import translate
from atelier_profile.reactions.when_learner_erased import when_learner_erased
from atelier_profile.reactions.when_roster_accepted import when_roster_accepted

NAME = "profile"


def build(
    *,
    store: EventStore,
    documents: Documents,
    bus: Bus,
    clock: Clock,
    keyring: Keyring,
    backfills: Mapping[str, Backfill],
    owner: str = "",
    threshold_percent: float = DEFAULT_THRESHOLD_PERCENT,
) -> Profile:
    """A profile service, not yet started.

    ``backfills`` has one for ``assessment``; ``threshold_percent`` is how much of a kind of record an import may deactivate unasked.
    """
    service = Service(
        NAME, registry, store=store, documents=documents, bus=bus, clock=clock, backfills=backfills, owner=owner
    )
    learners = service.project(learner_profile)
    people = service.project(district_people)
    entries = service.project(roster_entries)
    for projection in (learner_progress, learner_voice, roster_imports):
        service.project(projection)
    service.react(when_roster_accepted(store))
    service.react(when_learner_erased(keyring))
    service.subscribe(Subscription("assessment", ("assessment.mastery",), {MASTERY_CHANGED: MasteryChanged}))
    service.publish(translate)
    rosters = RosterImports(service.commands, store, keyring, entries, threshold_percent)
    return Profile(service, keyring, rosters, Access(learners, people), clock)


def http_app(profile: Profile, verifier: TokenVerifier) -> FastAPI:
    """The profile service's own HTTP app; in one process with others its ``routes`` join theirs."""
    app = create_app("Atelier profile", verifier, larger=LARGER_BODIES)
    app.include_router(routes(profile))
    return app
