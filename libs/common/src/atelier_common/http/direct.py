"""Direct routes: those that a busy day passes a thousand times a second.

A direct route has a fixed path, and its endpoint takes the request and its caller and makes the answer itself. So nothing
needs to be searched, read or converted for it: it is looked up by method and path and called. In every other respect it is a
route like the others: described in OpenAPI, behind the same door, its errors problem documents.
"""

from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from atelier_common.http.auth import current_caller
from atelier_common.security.tokens import Caller

Endpoint = Callable[[Request, Caller], Awaitable[Response]]
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class DirectRoute(APIRoute):
    """A route whose endpoint is called with the request and its caller, past everything that FastAPI does in between."""

    def get_route_handler(self) -> Handler:
        endpoint: Endpoint = self.endpoint

        async def handle(request: Request) -> Response:
            return await endpoint(request, await current_caller(request))

        return handle


def direct(
    router: APIRouter, method: str, path: str, route: type[DirectRoute] = DirectRoute, **described: Any
) -> Callable[[Endpoint], Endpoint]:
    """Decorator: serve ``path`` by this endpoint, whose signature is ``(request: Request, caller: CallerDep)``.

    ``described`` goes into OpenAPI, as with FastAPI's own decorators. A path with parameters is refused: ValueError.
    """
    if "{" in path:
        raise ValueError(f"a direct route is looked up by its whole path; {path} has parameters")

    def add(endpoint: Endpoint) -> Endpoint:
        router.add_api_route(path, endpoint, methods=[method], route_class_override=route, **described)
        return endpoint

    return add


def include(app: FastAPI, routers: Iterable[APIRouter]) -> None:
    """Let the app serve these routers, and look their direct routes up."""
    found: dict[tuple[str, str], tuple[DirectRoute, Handler]] = app.state.direct
    for router in routers:
        app.include_router(router)
        for route in router.routes:
            if isinstance(route, DirectRoute):
                for method in route.methods or ():
                    found[method, route.path] = route, route.get_route_handler()


class DirectRoutes:
    """ASGI: calls the direct route that a request is for, hands every other request on."""

    def __init__(self, app: ASGIApp, found: dict[tuple[str, str], tuple[DirectRoute, Handler]]) -> None:
        self._app = app
        self._found = found

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._found.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        scope["route"], handle = found
        response = await handle(Request(scope, receive, send))
        await response(scope, receive, send)
