"""One service's database is lost and put back from a backup that was made while evidence came in; its neighbours find together with it."""

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from atelier_hosting.process import SERVICES
from pymongo import MongoClient

from infra.dev.backup import back_up, put_back
from infra.dev.house import House, HouseClient, Replica
from tests.support import school
from tests.support.in_a_house import ROLES, bring_in, enrol, post
from tests.support.nursery import Nursery
from tests.support.running import XAPI

pytestmark = pytest.mark.servers

PUPILS = school.pupils(6)
NEWCOMER = school.pupils(7)[-1]
_PATIENCE = 120.0
_LOOKS_EVERY = 0.5


class Drill:
    """A small district in a house of processes, and the operator who keeps its backups."""

    def __init__(self, house: House, client: HouseClient, folder: Path) -> None:
        self.house = house
        self.client = client
        self.folder = folder
        self.sent: dict[str, school.Data] = {}

    def replica(self, service: str) -> Replica:
        return self.house.of(service)[0]

    def _environment(self, service: str) -> dict[str, str]:
        environment = self.replica(service).process.env
        assert environment is not None
        return environment

    async def back_up(self, service: str) -> Path:
        file = self.folder / f"{service}.backup"
        await asyncio.to_thread(back_up, self.house.mongo, self.house.database(service), file)
        return file

    async def lose(self, service: str) -> None:
        """Its process ends, its database is gone."""
        await asyncio.to_thread(self.replica(service).process.stop)
        with MongoClient[Any](self.house.mongo) as client:
            client.drop_database(self.house.database(service))

    async def restore(self, service: str, file: Path, *options: str) -> dict[str, Any]:
        """As docs/operations.md tells an operator, up to the start; what ``atelier restored`` said."""
        await asyncio.to_thread(put_back, self.house.mongo, self.house.database(service), file)
        said = await self.atelier(service, "restored", service, "--json", *options)
        return dict(json.loads(said))

    async def start(self, *services: str) -> None:
        for service in services:
            self.replica(service).process.start(wait=False)
        for service in services:
            await asyncio.to_thread(self.replica(service).process.wait)
        await self.client.move_clock(school.SATURDAY_BEFORE)

    async def atelier(self, service: str, *arguments: str) -> str:
        """The command line in the environment of a service."""
        command = [*self.replica(service).process.command[:3], *arguments]
        done = await asyncio.to_thread(
            subprocess.run, command, env=self._environment(service), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    async def send(self, statements: Sequence[school.Data]) -> None:
        self.sent |= {one["id"]: one for one in statements}
        await post(self.client, statements)

    async def known(self, statement: school.Data) -> bool:
        query = {"statementId": statement["id"]}
        answer = await self.client.http.get("/assessment/xapi/statements", params=query, headers=XAPI)
        return answer.status_code == 200

    async def learners(self) -> dict[str, str]:
        """Ids by display name."""
        return {
            one["display_name"]: one["learner_id"] for one in (await self.client.get("/profile/v1/learners"))["items"]
        }

    async def standing(self) -> dict[str, Any]:
        """How everybody stands, and how much evidence says so."""
        found = {}
        for learner in (await self.learners()).values():
            mastery = (await self.client.get(f"/assessment/v1/learners/{learner}/mastery"))["mastery"]
            found[learner] = {one["competency_id"]: (one["estimate"], one["evidence_count"]) for one in mastery}
        return found

    async def together(self, service: str, before: dict[tuple[str, str], int]) -> None:
        """Until each of them that has ever met has compared once more since ``before``, and nothing is under way."""
        met = {pair: count for pair, count in before.items() if count}
        late = dict(met)
        try:
            async with asyncio.timeout(_PATIENCE):
                while late:
                    await asyncio.sleep(_LOOKS_EVERY)
                    now = await self.client.comparisons(service)
                    late = {pair: count for pair, count in met.items() if now[pair] <= count}
        except TimeoutError:
            raise AssertionError(f"(reader, owner) that did not compare anew: {late}") from None
        await self.client.settle()

    async def verified(self) -> None:
        assert not any((await self.client.violations()).values())
        assert await self.client.parked() == []


@pytest.fixture
async def drill(tmp_path: Path, kafka_address: str, mongo_address: str, nursery: Nursery) -> AsyncIterator[Drill]:
    prefix = f"restore-{os.urandom(4).hex()}."
    house = House(tmp_path / "house", kafka_address, mongo_address, prefix, lease_ms=3_000, launch=nursery.launch)
    try:
        await asyncio.to_thread(house.start)
        async with house.client(school.TENANT, ROLES) as client:
            await client.move_clock(school.SATURDAY_BEFORE)
            await bring_in(client, PUPILS)
            yield Drill(house, client, tmp_path)
    finally:
        house.stop()


def answers(first: int, code: str = "N1") -> list[school.Data]:
    return [one for who in PUPILS for one in school.answers(who.sourced_id, code, 2, first=first)]


async def during(work: Awaitable[Path], act: Callable[[int], Awaitable[None]]) -> Path:
    """Do ``work`` while ``act`` goes on, at least once."""
    task, number = asyncio.ensure_future(work), 0
    while number == 0 or not task.done():
        await act(number)
        number += 1
    return await task


@pytest.mark.long
async def test_assessment_comes_back_with_everything_acknowledged_before_its_backup(drill: Drill) -> None:
    before, after = answers(first=1), answers(first=30)
    await drill.send(before)
    backup = await during(drill.back_up("assessment"), lambda number: drill.send(answers(10 + number % 15, "W1")))
    await drill.send(after)
    await enrol(drill.client, [*PUPILS, NEWCOMER])
    stood, agreed = await drill.standing(), await drill.client.comparisons("assessment")
    old = (await drill.client.logs())["assessment"]["incarnation"]

    await drill.lose("assessment")
    said = await drill.restore("assessment", backup)
    await drill.start("assessment")
    assert said["incarnations"] == {school.TENANT: (await drill.client.logs())["assessment"]["incarnation"]}
    assert said["incarnations"][school.TENANT] != old
    await drill.together("assessment", agreed)
    await drill.verified()
    assert all([await drill.known(one) for one in before])
    assert not any([await drill.known(one) for one in after])

    # Who came after the backup is known again from profile. What providers send again counts once, and all is as it was.
    await drill.send(list(drill.sent.values()))
    await drill.client.settle()
    assert (await drill.client.get("/assessment/v1/parked"))["parked"] == []
    assert await drill.standing() == stood
    await drill.send(school.answers(NEWCOMER.sourced_id, "N1", 2))
    await drill.client.settle()
    assert (await drill.client.get("/assessment/v1/parked"))["parked"] == []
    await drill.verified()


async def test_profile_comes_back_and_who_was_erased_since_stays_erased(drill: Drill) -> None:
    backup = await drill.back_up("profile")
    gone = (await drill.learners())[PUPILS[0].name]
    await drill.client.post(f"/profile/v1/learners/{gone}/erasure")
    await enrol(drill.client, [*PUPILS, NEWCOMER])
    kept_apart = drill.folder / "tombstones.jsonl"
    kept_apart.write_text(await drill.atelier("profile", "tombstones"))
    known, agreed = await drill.learners(), await drill.client.comparisons("profile")
    assert NEWCOMER.name in known

    await drill.lose("profile")
    said = await drill.restore("profile", backup, "--tombstones", str(kept_apart))
    await drill.start("profile")
    assert [mark["subject"] for mark in said["buried"]] == [gone]
    assert PUPILS[0].name not in await drill.learners()
    await drill.client.post(f"/profile/v1/learners/{gone}/erasure")
    await drill.together("profile", agreed)
    await drill.verified()

    # The roster is imported once more: who came after the backup gets a key anew, and is who they were before.
    await enrol(drill.client, [*PUPILS, NEWCOMER])
    assert await drill.learners() == known
    await drill.verified()


async def test_all_services_come_back_from_backups_of_different_moments(drill: Drill) -> None:
    before, later, lost = answers(first=1), answers(first=10), answers(first=30)
    await drill.send(before)
    await drill.client.settle()
    backups = {service: await drill.back_up(service) for service in ("scheduling", "pathing")}
    await drill.send(later)
    backups |= {service: await drill.back_up(service) for service in ("assessment", "profile")}
    await drill.send(lost)
    await drill.client.settle()
    agreed = await drill.client.comparisons("assessment")

    await asyncio.gather(*(drill.lose(service) for service in SERVICES))
    await asyncio.gather(*(drill.restore(service, backups[service]) for service in SERVICES))
    await drill.start(*SERVICES)
    await drill.together("assessment", agreed)
    await drill.verified()
    assert all([await drill.known(one) for one in [*before, *later]])
    assert not any([await drill.known(one) for one in lost])
