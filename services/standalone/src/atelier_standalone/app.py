"""The one HTTP app of a standalone Atelier: the services' own routes side by side, the operator's, and the pages."""

from atelier_assessment.api.http import LARGER_BODIES as ASSESSMENT_BODIES
from atelier_common.http.kit import create_app, include
from atelier_common.verify import Told
from atelier_hosting import operating
from atelier_hosting.operating import Operated, Report
from atelier_pathing.api.http import LARGER_BODIES as PATHING_BODIES
from atelier_profile.api.http import LARGER_BODIES as PROFILE_BODIES
from atelier_scheduling.api.http import LARGER_BODIES as SCHEDULING_BODIES
from fastapi import FastAPI

from atelier_standalone.pages import site as pages
from atelier_standalone.pages.problems import ProblemPages
from atelier_standalone.pages.rendering import PUBLIC
from atelier_standalone.system import Atelier
from atelier_standalone.verifying import verify


def _operated(atelier: Atelier) -> Operated:
    async def settle(seconds: float) -> None:
        await atelier.settle(seconds)

    async def verified(tenant: str, rebuild: bool, told: Told) -> Report:
        return await verify(atelier, tenant, rebuild=rebuild, told=told)

    return Operated(atelier.services, atelier.clock, settle, verified)


def build_app(atelier: Atelier) -> FastAPI:
    """Every door of the four services on one port."""

    async def ready() -> dict[str, bool]:
        return {name: service.leading for name, service in atelier.services.items()}

    app = create_app(
        "Atelier",
        atelier.verifier,
        larger={**PROFILE_BODIES, **ASSESSMENT_BODIES, **PATHING_BODIES, **SCHEDULING_BODIES},
        public=PUBLIC,
        session_cookie=pages.SESSION_COOKIE,
        ready=ready,
    )
    include(app, atelier.assessment.routers)
    app.include_router(atelier.pathing.router)
    app.include_router(atelier.profile.router)
    app.include_router(atelier.scheduling.router)
    app.include_router(operating.routes(_operated(atelier)))
    app.include_router(pages.routes(atelier))
    app.add_middleware(ProblemPages)
    return app
