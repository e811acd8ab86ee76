"""What an operator does with the logs of a running Atelier: look, unpark, rebuild, verify. Under ``/operator/v1``."""

from typing import Any

from atelier_common.errors import InvalidInput, NotFound
from atelier_common.http.kit import CallerDep, JsonResponse, require
from atelier_common.service import Service
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from atelier_standalone.system import Atelier
from atelier_standalone.verifying import verify

OPERATORS = ("operator", "district-admin")


class UnparkIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    service: str
    consumer: str
    key: str


class RebuildIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    service: str
    projection: str


def _service(atelier: Atelier, name: str) -> Service:
    if name not in atelier.services:
        raise InvalidInput(f"there is no service {name}; there are {', '.join(atelier.services)}", field="service")
    return atelier.services[name]


def routes(atelier: Atelier) -> APIRouter:
    """The operator's routes. No answer carries a personal value: events are shown as stored, sealed."""
    router = APIRouter(prefix="/operator/v1", tags=["operator"])

    @router.get("/logs")
    async def logs(caller: CallerDep) -> JsonResponse:
        """Head, incarnation and backlog of every log of the tenant."""
        require(caller, *OPERATORS)
        found = []
        for name, service in atelier.services.items():
            found.append(
                {
                    "service": name,
                    "head": await service.store.head(caller.tenant),
                    "incarnation": await service.store.incarnation(caller.tenant),
                    "backlog": await service.backlog(),
                    "projections": sorted(service.models),
                }
            )
        return JsonResponse({"logs": found})

    @router.get("/logs/{service}/events")
    async def tail(service: str, caller: CallerDep, after: int = -1, limit: int = 20) -> JsonResponse:
        """Commits in order of position, from after ``after`` on; -1: the newest."""
        require(caller, *OPERATORS)
        store = _service(atelier, service).store
        limit = max(1, min(limit, 500))
        if after < 0:
            after = max(0, await store.head(caller.tenant) - limit)
        commits = await store.read_log(caller.tenant, after, limit)
        shown: list[dict[str, Any]] = [
            {
                "position": commit.position,
                "stream": commit.stream,
                "version": commit.version,
                "recorded_at_ms": commit.recorded_at,
                "actor": commit.actor,
                "correlation_id": commit.correlation_id,
                "causation_ids": commit.causation_ids,
                "events": [{"type": one.type, "version": one.version, "data": one.data} for one in commit.events],
            }
            for commit in commits
        ]
        return JsonResponse({"events": shown, "next_after": commits[-1].position if commits else after})

    @router.post("/settle")
    async def settle(caller: CallerDep, seconds: float = 60.0) -> JsonResponse:
        """Wait until everything accepted so far has gone all the way through. ``settled`` is False after ``seconds``."""
        require(caller, *OPERATORS)
        try:
            await atelier.settle(max(0.0, min(seconds, 300.0)))
        except TimeoutError:
            return JsonResponse({"settled": False})
        return JsonResponse({"settled": True})

    @router.get("/parked")
    async def parked(caller: CallerDep) -> JsonResponse:
        """Every key that waits, in every service, and why."""
        require(caller, *OPERATORS)
        found = [
            {"service": name, "consumer": one.consumer, "key": one.key, "reason": one.reason, "since": one.since}
            for name, service in atelier.services.items()
            for one in await service.parked(caller.tenant)
        ]
        return JsonResponse({"parked": found})

    @router.post("/unpark")
    async def unpark(given: UnparkIn, caller: CallerDep) -> JsonResponse:
        """Let a parked key catch up; what still stops it is the answer's problem."""
        require(caller, *OPERATORS)
        await _service(atelier, given.service).unpark(caller.tenant, given.consumer, given.key)
        return JsonResponse({"unparked": given.key})

    @router.post("/rebuild")
    async def rebuild(given: RebuildIn, caller: CallerDep) -> JsonResponse:
        """Build a read model anew beside the one that is read, then flip. Answers when it is done."""
        require(caller, *OPERATORS)
        build = await _service(atelier, given.service).rebuild(given.projection)
        return JsonResponse({"projection": given.projection, "build": build})

    verifying: dict[str, dict[str, dict[str, int]]] = {}

    @router.get("/verify")
    async def how_far(caller: CallerDep) -> JsonResponse:
        """How far a check that goes on has read each log; empty while none does."""
        require(caller, *OPERATORS)
        return JsonResponse({"read": verifying.get(caller.tenant, {})})

    @router.post("/verify")
    async def check(caller: CallerDep, rebuild: bool = True) -> JsonResponse:
        """Check every invariant of every log of the tenant; ``rebuild`` compares read models with a fresh fold of the log."""
        require(caller, *OPERATORS)
        reached = verifying[caller.tenant] = {}

        def told(service: str, done: int, of: int) -> None:
            reached[service] = {"commits": done, "of": of}

        try:
            report = await verify(atelier, caller.tenant, rebuild=rebuild, told=told)
        finally:
            verifying.pop(caller.tenant, None)
        if not report:
            raise NotFound("this tenant has no log")
        return JsonResponse({"clean": all(not lines for lines in report.values()), "violations": report})

    return router
