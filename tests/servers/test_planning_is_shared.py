"""Two processes of scheduling share the planning, a site at a time; one that is killed at work leaves all of it to the other."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka.partitioner import murmur2
from atelier_hosting.topics import declared

from infra.dev.house import House, HouseClient, Replica
from tests.support import school
from tests.support.collector import Collector, collecting
from tests.support.nursery import Nursery
from tests.support.running import JSON, XAPI, ZIP, until

pytestmark = pytest.mark.servers

ROLES = ("district-admin", "operator", "partner", "principal")
TENANT = "fictional-pair"
PEOPLE = school.pupils(16)
TEACHERS = tuple(f"adult-{number}" for number in range(1, 9))
_PARTITIONS = next(topic.partitions for topic in declared() if topic.name == "scheduling.planning")


def partition_of(site: str) -> int:
    """Where Kafka puts what planning is asked for a site."""
    return int((murmur2(f"{TENANT}/{site}".encode()) & 0x7FFFFFFF) % _PARTITIONS)


def two_sites() -> tuple[str, str]:
    """Fictional sites of which the two members of a group have one each, whether partitions are dealt by turns or by halves."""
    names = [f"fictional-site-{number}" for number in range(200)]
    first = next(name for name in names if partition_of(name) < _PARTITIONS // 2 and partition_of(name) % 2 == 0)
    second = next(name for name in names if partition_of(name) >= _PARTITIONS // 2 and partition_of(name) % 2 == 1)
    return first, second


SITES = two_sites()
LEARNS_AT = {one.sourced_id: SITES[number % 2] for number, one in enumerate(PEOPLE)}


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as started:
        yield started


@pytest.fixture
def house(
    collector: Collector, kafka_address: str, mongo_address: str, nursery: Nursery, tmp_path: Path
) -> Iterator[House]:
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "NO_PROXY": "127.0.0.1",
    }
    built = House(
        tmp_path,
        kafka_address,
        mongo_address,
        f"shared-{time.time_ns():x}.",
        lease_ms=4_000,
        settings=settings,
        replicas_of={"scheduling": 2},
        launch=nursery.launch,
    )
    try:
        built.start()
        yield built
    finally:
        built.stop()


async def test_each_replica_plans_and_what_one_leaves_behind_the_other_does(house: House, collector: Collector) -> None:
    async with house.client(TENANT, ROLES) as client:
        await bring_in_and_publish(client)
        await post(client, 1, range(20, 24))
        await client.settle()
        one, other = house.of("scheduling")
        until(lambda: workers(collector) == {name_of(one), name_of(other)})

        head = (await client.heads())["scheduling"]
        posting = asyncio.create_task(post(client, 2, range(1, 6)))
        await until_asked_and_not_answered(client, head)
        one.process.kill()
        before = len(spans_of(collector, other))
        await posting
        await client.settle()

        answered = await how_far(client)
        assert {site for site, _ in answered} == set(SITES)
        assert all(asked == done for asked, done in answered.values()), answered
        assert await client.parked() == []
        until(lambda: len(spans_of(collector, other)) > before)
        for site in SITES:
            days = await client.get(f"/scheduling/v1/sites/{site}/plans/{school.WEEK}")
            assert days["published"]
        for learner in (await client.get("/profile/v1/learners", limit=100))["items"]:
            path = f"/scheduling/v1/learners/{learner['learner_id']}/timetable"
            assert (await client.get(path, week=school.WEEK))["blocks"]
        await asyncio.to_thread(one.process.start)  # neighbours ask what scheduling said at its address
        assert not any((await client.violations()).values())


async def bring_in_and_publish(client: HouseClient) -> None:
    """Both sites with eight learners and four adults each, their week planned and published."""
    await client.move_clock(school.SATURDAY_BEFORE)
    roster = school.roster_zip(PEOPLE, TEACHERS, SITES, LEARNS_AT)
    await client.send("/pathing/v1/frameworks", school.case_package(), JSON["content-type"])
    await client.send("/profile/v1/roster-imports", roster, ZIP["content-type"])
    await client.settle()
    for number, site in enumerate(SITES):
        here = [one for one in PEOPLE if LEARNS_AT[one.sourced_id] == site]
        staff = TEACHERS[number * 4 : number * 4 + 4]
        await client.put(
            f"/scheduling/v1/sites/{site}", school.site_description(school.studios(), here, staff, site_id=site)
        )
    await post(client, 1, range(1, 4))
    await client.settle()
    for site in SITES:
        week = f"/scheduling/v1/sites/{site}/plans"
        await client.post(week, week=school.WEEK)
        await client.settle()
        published = await client.http.post(f"{week}/{school.WEEK}/publication", json={"acknowledge_owed": True})
        assert published.is_success, published.text


async def post(client: HouseClient, step: int, numbers: range) -> None:
    """A right answer of everybody to this step of each subject, again and again: paths go on, and weeks are repaired."""
    for number in numbers:
        given = [
            one
            for who in PEOPLE
            for code in (f"N{step}", f"W{step}")
            for one in school.answers(who.sourced_id, code, 1, first=number)
        ]
        await client.send("/assessment/xapi/statements", json.dumps(given).encode(), JSON["content-type"], XAPI)


async def until_asked_and_not_answered(client: HouseClient, after: int) -> None:
    """Until something was asked for since a position of the log, and not all of that is answered."""
    waiting: set[str] = set()
    async with asyncio.timeout(60):
        while not waiting:
            found = await client.get("/operator/v1/logs/scheduling/events", after=after, limit=500)
            for commit in found["events"]:
                category, _, key = commit["stream"].partition("/")
                if category == "planning":
                    waiting.add(key)
                elif category == "planned":
                    waiting.discard(key)
            after = found["next_after"]


async def how_far(client: HouseClient) -> dict[tuple[str, str], tuple[int, int]]:
    """By site and day: how many askings there are, and up to which they are answered."""
    asked: dict[tuple[str, str], int] = {}
    done: dict[tuple[str, str], int] = {}
    for commit in await client.log_of("scheduling"):
        category, _, key = commit["stream"].partition("/")
        site, _, day = key.rpartition(":")
        if category == "planning":
            asked[site, day] = commit["version"]
        elif category == "planned":
            done[site, day] = max([done.get((site, day), 0), *(one["data"]["until"] for one in commit["events"])])
    return {slot: (count, done.get(slot, 0)) for slot, count in asked.items()}


def name_of(replica: Replica) -> str:
    return f"{replica.service}-{replica.number}"


def spans_of(collector: Collector, replica: Replica) -> list[Any]:
    return [one for one in collector.spans if one.name == "work.do" and one.instance == name_of(replica)]


def workers(collector: Collector) -> set[str]:
    """Who has done planning so far."""
    return {one.instance for one in collector.spans if one.name == "work.do"}
