"""The HTTP door of the profile service: all routes under ``/profile/v1``."""

from fastapi import APIRouter

from atelier_profile.api.learner_routes import learner_routes
from atelier_profile.api.people_routes import people_routes
from atelier_profile.api.roster_routes import PREFIX, roster_routes
from atelier_profile.api.voice_routes import voice_routes
from atelier_profile.profile import Profile

LARGER_BODIES = {PREFIX: 200_000_000, "/profile/v1/supports": 10_000_000}
"""Bytes that a body may have where one megabyte is too little; for ``create_app(larger=...)``."""


def routes(profile: Profile) -> APIRouter:
    router = APIRouter()
    for part in (roster_routes, learner_routes, people_routes, voice_routes):
        router.include_router(part(profile))
    return router
