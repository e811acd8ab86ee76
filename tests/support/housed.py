"""The same Atelier for tests as a house on real servers: four services, each a process, behind one ingress."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx

from infra.dev.house import ByPath, House, HouseClient
from infra.dev.processes import Process, Running
from tests.support import school
from tests.support.running import District, System

_OPERATOR = ("district-admin", "operator")
_PATIENCE = 60.0
Found = TypeVar("Found")


class _Ingress(httpx.BaseTransport):
    """Sends each request to the service that it belongs to; what is not there to be read yet is asked for again."""

    def __init__(self, house: House) -> None:
        self._by_path = ByPath(house)
        self._inner = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        until = time.monotonic() + _PATIENCE
        while True:
            self._by_path.send_on(request)
            answer = self._inner.handle_request(request)
            if request.method != "GET" or answer.status_code != 503 or time.monotonic() > until:
                return answer
            answer.close()
            time.sleep(0.2)


class _HouseClock:
    """Domain time in every process of a house."""

    def __init__(self, move: Callable[[int], None], now: int) -> None:
        self._move = move
        self._now = now
        move(now)

    def now(self) -> int:
        return self._now

    def advance_to(self, moment: int) -> None:
        self._move(moment)
        self._now = moment


class Housed(System):
    """A house: what concerns all logs is asked of each service, by an operator's client of each tenant."""

    def __init__(self, house: House, now: int) -> None:
        self._house = house
        self._operators: dict[str, HouseClient] = {}
        self._open = AsyncExitStack()
        self._loop = asyncio.Runner()
        super().__init__(house.issuer(), _HouseClock(self._move, now), "http://house", transport=_Ingress(house))

    def _move(self, moment: int) -> None:
        self._asked(school.TENANT, lambda client: client.move_clock(moment))

    def settle(self, district: District) -> None:
        async def settled(client: HouseClient) -> None:
            async with asyncio.timeout(2 * _PATIENCE):
                await client.settle()

        self._asked(district.tenant, settled)

    def logs(self, district: District) -> dict[str, dict[str, Any]]:
        return self._asked(district.tenant, HouseClient.logs)

    def verify(self, district: District) -> dict[str, Any]:
        violations = self._asked(district.tenant, HouseClient.violations)
        return {"clean": not any(violations.values()), "violations": violations}

    def close(self) -> None:
        super().close()
        self._loop.run(self._open.aclose())
        self._loop.close()

    def _asked(self, tenant: str, question: Callable[[HouseClient], Awaitable[Found]]) -> Found:
        async def ask() -> Found:
            if tenant not in self._operators:
                self._operators[tenant] = await self._open.enter_async_context(self._house.client(tenant, _OPERATOR))
            return await question(self._operators[tenant])

        return self._loop.run(ask())


@contextmanager
def housed(
    folder: Path, kafka: str, mongo: str, launch: Callable[[Process], Running], now: int = school.SATURDAY_BEFORE
) -> Iterator[System]:
    """Start a house in a folder, and stop it when the block ends. Its clock moves only when told."""
    house = House(folder, kafka, mongo, f"capabilities-{time.time_ns():x}.", launch=launch)
    try:
        house.start()
        with closing(Housed(house, now)) as system:
            yield system
    finally:
        house.stop()
