"""What an operator does with the logs of the services in a process: look, unpark, rebuild, verify. Under ``/operator/v1``."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from atelier_common.clock import Clock, SimulatedClock
from atelier_common.errors import InvalidInput, NotFound
from atelier_common.http.kit import CallerDep, JsonResponse, require
from atelier_common.service import Service
from atelier_common.verify import Told
from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

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


class ClockIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    now_ms: int


Report = dict[str, list[Any]]
"""What is wrong, by service."""


@dataclass(frozen=True)
class Operated:
    """``services`` by name. ``settle(seconds)`` waits until nothing is under way, or raises TimeoutError.

    ``verify(tenant, rebuild, told)`` checks every invariant; empty where the tenant has no log.
    """

    services: Mapping[str, Service]
    clock: Clock
    settle: Callable[[float], Awaitable[None]]
    verify: Callable[[str, bool, Told], Awaitable[Report]]

    def service(self, name: str) -> Service:
        """Raises InvalidInput where it does not run here."""
        if name not in self.services:
            raise InvalidInput(f"there is no service {name}; there are {', '.join(self.services)}", field="service")
        return self.services[name]


async def settled(services: Mapping[str, Service], seconds: float) -> None:
    """Wait until every follower of these services has nothing before it, twice in a row. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        quiet = 0
        while quiet < 2:
            left = sum([await service.backlog() for service in services.values()])
            quiet = 0 if left else quiet + 1
            await asyncio.sleep(0.02)


def routes(operated: Operated) -> APIRouter:
    """The operator's routes. No answer carries a personal value: events are shown as stored, sealed."""
    router = APIRouter(prefix="/operator/v1", tags=["operator"])

    @router.get("/logs")
    async def logs(caller: CallerDep) -> JsonResponse:
        """Head, incarnation and backlog of every log of the tenant, whether commits wait for their positions there, and what its
        service reads in which group.
        """
        require(caller, *OPERATORS)
        found = []
        for name, service in operated.services.items():
            found.append(
                {
                    "service": name,
                    "head": await service.store.head(caller.tenant),
                    "incarnation": await service.store.incarnation(caller.tenant),
                    "pending": await service.store.pending_since(caller.tenant) is not None,
                    "backlog": await service.backlog(),
                    "projections": sorted(service.models),
                    "reads": dict(service.reads),
                }
            )
        return JsonResponse({"logs": found})

    @router.get("/logs/{service}/events")
    async def tail(service: str, caller: CallerDep, after: int = -1, limit: int = 20) -> JsonResponse:
        """Commits in order of position, from after ``after`` on; -1: the newest."""
        require(caller, *OPERATORS)
        store = operated.service(service).store
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
                "trace": commit.trace,
                "events": [{"type": one.type, "version": one.version, "data": one.data} for one in commit.events],
            }
            for commit in commits
        ]
        return JsonResponse({"events": shown, "next_after": commits[-1].position if commits else after})

    @router.get("/logs/{service}/types")
    async def types(service: str, caller: CallerDep, after: int = 0) -> JsonResponse:
        """How many events of each stored type came after position ``after``, and where the log ends now."""
        require(caller, *OPERATORS)
        store, counts = operated.service(service).store, Counter[str]()
        while commits := await store.read_log(caller.tenant, after):
            after = commits[-1].position
            counts.update(event.type for commit in commits for event in commit.events)
        return JsonResponse({"types": dict(sorted(counts.items())), "head": after})

    @router.post("/settle")
    async def settle(caller: CallerDep, seconds: float = 60.0) -> JsonResponse:
        """Wait until everything accepted so far has gone all the way through. ``settled`` is False after ``seconds``."""
        require(caller, *OPERATORS)
        try:
            await operated.settle(max(0.0, min(seconds, 300.0)))
        except TimeoutError:
            return JsonResponse({"settled": False})
        return JsonResponse({"settled": True})

    @router.get("/parked")
    async def parked(caller: CallerDep) -> JsonResponse:
        """Every key that waits, in every service, and why."""
        require(caller, *OPERATORS)
        found = [
            {"service": name, "consumer": one.consumer, "key": one.key, "reason": one.reason, "since": one.since}
            for name, service in operated.services.items()
            for one in await service.parked(caller.tenant)
        ]
        return JsonResponse({"parked": found})

    @router.post("/unpark")
    async def unpark(given: UnparkIn, caller: CallerDep) -> JsonResponse:
        """Let a parked key catch up; what still stops it is the answer's problem."""
        require(caller, *OPERATORS)
        await operated.service(given.service).unpark(caller.tenant, given.consumer, given.key)
        return JsonResponse({"unparked": given.key})

    @router.post("/rebuild")
    async def rebuild(given: RebuildIn, caller: CallerDep) -> JsonResponse:
        """Build a read model anew beside the one that is read, then flip. Answers when it is done."""
        require(caller, *OPERATORS)
        build = await operated.service(given.service).rebuild(given.projection)
        return JsonResponse({"projection": given.projection, "build": build})

    @router.post("/clock")
    async def move_clock(given: ClockIn, caller: CallerDep) -> JsonResponse:
        """Let domain time go on to a later moment. Only where the installation runs on a simulated clock."""
        require(caller, "operator")
        if not isinstance(operated.clock, SimulatedClock):
            raise NotFound("this installation runs on the machine's clock")
        operated.clock.advance_to(given.now_ms)
        return JsonResponse({"now_ms": operated.clock.now()})

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
            report = await operated.verify(caller.tenant, rebuild, told)
        finally:
            verifying.pop(caller.tenant, None)
        if not report:
            raise NotFound("this tenant has no log")
        return JsonResponse({"clean": all(not lines for lines in report.values()), "violations": report})

    return router
