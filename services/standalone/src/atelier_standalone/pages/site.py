"""All pages as one router, and their stylesheet."""

from fastapi import APIRouter
from starlette.responses import Response

from atelier_standalone.pages.plan import plan_routes
from atelier_standalone.pages.progress import progress_routes
from atelier_standalone.pages.rendering import MARK_PATH, STYLE_PATH, static
from atelier_standalone.pages.signing_in import sign_in_routes
from atelier_standalone.pages.studios import studio_routes
from atelier_standalone.pages.today import today_routes
from atelier_standalone.pages.week import week_routes
from atelier_standalone.system import Atelier

SESSION_COOKIE = "atelier_session"


def routes(atelier: Atelier) -> APIRouter:
    """Every page. The app's door has to let ``rendering.PUBLIC`` through without a token and to know the session cookie."""
    router = APIRouter(include_in_schema=False)

    @router.get(STYLE_PATH)
    async def style() -> Response:
        return static("style.css", "text/css; charset=utf-8")

    @router.get(MARK_PATH)
    async def mark() -> Response:
        return static("mark.svg", "image/svg+xml")

    router.include_router(sign_in_routes(atelier.verifier, SESSION_COOKIE))
    for part in (today_routes, studio_routes, week_routes, plan_routes, progress_routes):
        router.include_router(part(atelier))
    return router
