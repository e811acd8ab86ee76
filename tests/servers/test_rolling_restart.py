"""Every process is replaced, one after another, while evidence comes in and people look: the doors answer all the time."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.dev.house import House, Replica
from tests.support import school
from tests.support.in_a_house import ROLES, bring_in

pytestmark = [pytest.mark.servers, pytest.mark.long]

PUPILS = school.pupils(6)
IN_TURN = ("scheduling", "profile", "pathing", "assessment")
"""In any order: what a release writes, the release before it could read."""
_PAUSE = 0.1
_GIVES_UP_AFTER = 30.0


@dataclass
class Door:
    """What stands before the replicas of a service: a call goes to one that answers, and to the next where one does not."""

    replicas: list[Replica]
    http: httpx.AsyncClient
    turned_away: int = 0
    slowest: float = 0.0

    async def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Raises AssertionError where nobody answers in time."""
        began = time.monotonic()
        while time.monotonic() < began + _GIVES_UP_AFTER:
            for replica in list(self.replicas):
                try:
                    answer = await self.http.request(method, f"{replica.url}{path}", **options)
                except httpx.TransportError:
                    self.turned_away += 1
                    continue
                if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    self.slowest = max(self.slowest, time.monotonic() - began)
                    return answer
                self.turned_away += 1
            self.replicas.append(self.replicas.pop(0))
            await asyncio.sleep(_PAUSE)
        raise AssertionError(f"nobody answered {path} for {_GIVES_UP_AFTER} s")


@dataclass
class Load:
    doors: dict[str, Door]
    accepted: list[school.Data] = field(default_factory=list)
    looked: int = 0
    number: int = 0

    async def provider(self) -> None:
        """An answer after the other; one that nobody took is sent again, as the same."""
        while True:
            self.number += 1
            pupil = PUPILS[self.number % len(PUPILS)].sourced_id
            answer = school.statement(pupil, "N1", self.number)
            headers = {"X-Experience-API-Version": "1.0.3"}
            taken = await self.doors["assessment"].call(
                "POST", "/assessment/xapi/statements", json=[answer], headers=headers
            )
            assert taken.status_code == httpx.codes.OK, taken.text
            self.accepted.append(answer)
            await asyncio.sleep(_PAUSE)

    async def reader(self) -> None:
        while True:
            for service, path in (("profile", "/profile/v1/learners"), ("assessment", "/assessment/v1/parked")):
                seen = await self.doors[service].call("GET", path)
                assert seen.status_code == httpx.codes.OK, seen.text
                self.looked += 1
            await asyncio.sleep(_PAUSE)


@asynccontextmanager
async def under(load: Load) -> AsyncIterator[None]:
    """Both at once while the block lasts; what either meets is raised at its end."""
    working = [asyncio.create_task(load.provider()), asyncio.create_task(load.reader())]
    try:
        yield
    finally:
        for task in working:
            task.cancel()
        for outcome in await asyncio.gather(*working, return_exceptions=True):
            if not isinstance(outcome, asyncio.CancelledError) and isinstance(outcome, BaseException):
                raise outcome


async def test_every_process_is_replaced_while_the_doors_answer(
    tmp_path: Path, kafka_address: str, mongo_address: str
) -> None:
    house = House(
        tmp_path,
        kafka_address,
        mongo_address,
        f"rolling-{os.urandom(4).hex()}.",
        replicas=2,
        lease_ms=3_000,
        simulated=False,
    )
    try:
        await asyncio.to_thread(house.start)
        async with house.client(school.TENANT, ROLES) as client:
            await bring_in(client, PUPILS)
            async with httpx.AsyncClient(headers=client.http.headers, timeout=20, trust_env=False) as http:
                doors = {name: Door(house.of(name), http) for name in IN_TURN}
                load = Load(doors)
                async with under(load):
                    for service in IN_TURN:
                        for replica in house.of(service):
                            await _replace(replica)
            await client.settle()
            for answer in load.accepted:
                query = {"statementId": answer["id"]}
                headers = {"X-Experience-API-Version": "1.0.3"}
                kept = await client.http.get("/assessment/xapi/statements", params=query, headers=headers)
                assert kept.status_code == httpx.codes.OK, answer["id"]
            assert not any((await client.violations()).values())
    finally:
        house.stop()
    slowest = max(door.slowest for door in doors.values())
    turned_away = sum(door.turned_away for door in doors.values())
    print(
        f"{len(load.accepted)} answers and {load.looked} looks; {turned_away} went to the other replica; slowest {slowest:.1f} s"
    )
    assert len(load.accepted) > len(house.running)
    assert load.looked > len(house.running)


async def _replace(replica: Replica) -> None:
    """As an orchestrator does: SIGTERM, wait for its end by itself, start the new one, wait until it is ready."""
    process = replica.process.running
    assert process is not None
    process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, 20) == 0
    await asyncio.to_thread(replica.process.start)
