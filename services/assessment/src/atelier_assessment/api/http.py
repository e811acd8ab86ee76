"""The HTTP side of assessment: its routes, and an app of its own for where it runs alone."""

from atelier_common.http.kit import Lifespan, create_app, include
from atelier_common.security.tokens import TokenVerifier
from fastapi import APIRouter, FastAPI

from atelier_assessment.api import evidence, mastery, rules, xapi
from atelier_assessment.api.parts import Parts

LARGER_BODIES = {"/assessment/xapi/": 4_000_000, "/assessment/v1/evidence": 4_000_000}
"""Path prefix -> bytes: batches of evidence may be larger than other bodies."""


def routers(parts: Parts) -> list[APIRouter]:
    return [evidence.routes(parts), mastery.routes(parts), rules.routes(parts), xapi.routes(parts)]


def assessment_app(parts: Parts, verifier: TokenVerifier, lifespan: Lifespan | None = None) -> FastAPI:
    app = create_app("Atelier assessment", verifier, larger=LARGER_BODIES, lifespan=lifespan)
    include(app, routers(parts))
    return app
