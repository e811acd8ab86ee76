"""How the command line reaches Atelier: a running server of the data folder, or else the folder itself, by the same calls."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from atelier_common.security.tokens import TokenIssuer

from atelier_standalone.folder import DataFolder

_ROLES = ("district-admin", "operator", "partner")
_MINUTES = 24 * 60
_READS = 30
_PAUSE_SECONDS = 0.5


class Refused(Exception):
    """The server said no; ``problem`` is its problem document."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(problem.get("detail") or problem.get("title") or "refused")
        self.problem = problem

    @property
    def exit_code(self) -> int:
        """What the shell is told: 2 bad input, 3 refused by a rule, 4 not found, 5 not allowed, 6 not available now, 1 else."""
        status = int(self.problem.get("status", 500))
        return {400: 2, 413: 2, 422: 2, 409: 3, 412: 3, 428: 3, 404: 4, 401: 5, 403: 5, 503: 6}.get(status, 1)


class Client:
    """Calls with the local administrator's token. JSON in, JSON out; problems raise Refused."""

    def __init__(self, http: httpx.AsyncClient, served_at: str | None) -> None:
        self._http = http
        self.served_at = served_at

    async def get(self, path: str, **query: Any) -> Any:
        """What is not available now is asked for again, for at most half a minute: reading changes nothing."""
        for _ in range(_READS):
            answer = await self._http.get(path, params=_given(query))
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            await asyncio.sleep(_PAUSE_SECONDS)
        return _content(answer)

    async def post(self, path: str, body: Any = None, **query: Any) -> Any:
        return _content(await self._http.post(path, json=body, params=_given(query)))

    async def put(self, path: str, body: Any, **query: Any) -> Any:
        return _content(await self._http.put(path, json=body, params=_given(query)))

    async def delete(self, path: str, **query: Any) -> Any:
        return _content(await self._http.delete(path, params=_given(query)))

    async def send(
        self, path: str, content: bytes, media_type: str, headers: dict[str, str] | None = None, **query: Any
    ) -> Any:
        """Post bytes as they are."""
        sent = {"content-type": media_type, **(headers or {})}
        return _content(await self._http.post(path, content=content, headers=sent, params=_given(query)))

    async def heads(self) -> dict[str, int]:
        """The last position of the tenant's log in every service."""
        return {one["service"]: one["head"] for one in (await self.get("/operator/v1/logs"))["logs"]}

    async def settle(self) -> None:
        """Wait until everything that was accepted has gone all the way through."""
        while not (await self.post("/operator/v1/settle", seconds=30))["settled"]:
            pass


def _given(query: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in query.items() if value not in (None, "")}


def _content(response: httpx.Response) -> Any:
    if response.is_success:
        return response.json() if response.content else None
    try:
        problem = response.json()
    except ValueError:
        problem = {"title": response.reason_phrase, "detail": response.text[:300]}
    raise Refused({"status": response.status_code, **problem})


@asynccontextmanager
async def connect(folder: DataFolder, tenant: str) -> AsyncIterator[Client]:
    """A client of the server that runs on the folder; where none runs, of the folder, opened for as long as this lasts.

    Raises FolderInUse where another process has the folder open but serves nobody.
    """
    served_at = folder.running()
    if served_at is not None:
        token = TokenIssuer(folder.keys).issue(tenant, "administrator", _ROLES, _MINUTES)
        async with _http(served_at, token, None) as http:
            yield Client(http, served_at)
        return
    # All services are imported only where they run: help, tokens and a served folder answer without them.
    from atelier_standalone.app import build_app
    from atelier_standalone.system import Atelier

    atelier = Atelier(folder)
    await atelier.start()
    try:
        token = atelier.issuer.issue(tenant, "administrator", _ROLES, _MINUTES)
        async with _http("http://atelier", token, httpx.ASGITransport(build_app(atelier))) as http:
            yield Client(http, None)
    finally:
        await atelier.stop()


def _http(url: str, token: str, transport: httpx.AsyncBaseTransport | None) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(base_url=url, headers=headers, transport=transport, timeout=600, trust_env=False)
