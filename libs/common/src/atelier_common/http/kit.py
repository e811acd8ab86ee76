"""The HTTP kit: one factory for every app, and by re-export all that a service's ``api/http.py`` needs.

A handler translates and delegates; errors are raised, never built. For speed a handler gives its answer a return type
(FastAPI then writes the JSON in one step) or returns :class:`JsonResponse`.
"""

import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.responses import Response

from atelier_common.http.auth import CallerDep, current_caller, require, require_learner
from atelier_common.http.direct import DirectRoute, DirectRoutes, direct, include
from atelier_common.http.door import ONE_MEGABYTE, Door, DoorRules
from atelier_common.http.etags import etag, if_match, must_be_new, not_modified, required_if_match
from atelier_common.http.headers import InvalidCursor, MalformedHeader
from atelier_common.http.idempotency import command_context, idempotency_key
from atelier_common.http.paging import After, AfterDep, Page, PageDep, after_position
from atelier_common.http.problems import MEDIA_TYPE, RESPONSES, SCHEMA, install_problem_handlers, problem
from atelier_common.security.tokens import TokenVerifier

__all__ = [
    "MEDIA_TYPE",
    "ONE_MEGABYTE",
    "After",
    "AfterDep",
    "CallerDep",
    "DirectRoute",
    "InvalidCursor",
    "JsonResponse",
    "MalformedHeader",
    "Page",
    "PageDep",
    "after_position",
    "command_context",
    "create_app",
    "current_caller",
    "direct",
    "etag",
    "idempotency_key",
    "if_match",
    "include",
    "must_be_new",
    "not_modified",
    "problem",
    "require",
    "require_learner",
    "required_if_match",
]

# FastAPI's own spans carry the path, which names people's records, and names that our list does not hold.
_NO_TELEMETRY_OF_ITS_OWN: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}

Ready = Callable[[], Awaitable[Mapping[str, bool | str]]]
"""The parts that a request needs: True where one is there; else False, or why it is not."""
Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


class JsonResponse(Response):
    """Plain data as JSON, past FastAPI's own conversion of it."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return orjson.dumps(content)


def create_app(
    title: str,
    verifier: TokenVerifier,
    *,
    version: str = "1",
    max_body: int = ONE_MEGABYTE,
    larger: Mapping[str, int] | None = None,
    public: tuple[str, ...] = (),
    session_cookie: str | None = None,
    ready: Ready | None = None,
    lifespan: Lifespan | None = None,
    cursor_key: bytes | None = None,
) -> FastAPI:
    """An app that refuses every call without a valid bearer token, except on ``/health`` and ``public`` paths.

    ``max_body`` bytes a request body may have; ``larger`` gives more to paths that begin with a prefix. ``ready``
    names what must work before traffic is welcome. ``session_cookie``: see :class:`DoorRules`. Errors leave as problem
    documents.

    Cursors are signed with ``cursor_key``: replicas of one service share one. Without it an app makes its own, and a
    cursor does not outlive its process.
    """
    app = FastAPI(
        title=title,
        version=version,
        docs_url=None,
        redoc_url=None,
        responses=RESPONSES,
        lifespan=lifespan,
        telemetry=_NO_TELEMETRY_OF_ITS_OWN,
    )
    app.state.cursor_key = cursor_key if cursor_key is not None else os.urandom(32)
    install_problem_handlers(app)
    _add_health(app, ready)
    rules = DoorRules(verifier, ("/health", *public), max_body, larger or {}, session_cookie)
    app.state.direct = {}
    app.add_middleware(DirectRoutes, found=app.state.direct)
    app.add_middleware(Door, rules=rules)
    _document(app, rules)
    return app


def _add_health(app: FastAPI, ready: Ready | None) -> None:
    @app.get("/health/live", tags=["health"])
    async def live() -> dict[str, str]:
        """The process runs."""
        return {"status": "ok"}

    @app.get("/health/ready", tags=["health"])
    async def is_ready() -> Response:
        """Whether each part that a request needs works; 503 where one does not, with the reasons that are known."""
        found = dict(await ready()) if ready is not None else {}
        parts = {name: there is True for name, there in found.items()}
        reasons = {name: there for name, there in found.items() if isinstance(there, str)}
        well = all(parts.values())
        said = {"status": "ok" if well else "not ready", "parts": parts, **({"reasons": reasons} if reasons else {})}
        return JsonResponse(said, 200 if well else 503)


def _document(app: FastAPI, rules: DoorRules) -> None:
    """Complete the generated OpenAPI: the problem schema, and bearer tokens wherever the door asks for one."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            components = document.setdefault("components", {})
            components.setdefault("schemas", {})["Problem"] = dict(SCHEMA)
            components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
            document["security"] = [{"bearer": []}]
            for path, operations in document.get("paths", {}).items():
                if rules.is_public(path):
                    for operation in operations.values():
                        operation["security"] = []
            app.openapi_schema = document
        return app.openapi_schema

    # FastAPI names this attribute as the place to extend the document.
    app.openapi = openapi  # type: ignore[method-assign]
