"""What a process says of itself from its first moment to its last, and processes with a part of a service each."""

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import pytest
from atelier_common.bus.kafka import Topic, settle_topics
from atelier_common.documents.mongo import connect
from atelier_common.documents.port import SYSTEM
from atelier_common.lease import LEASES
from atelier_common.service import lease_of
from atelier_hosting.topics import declared

from infra.dev.house import House, Replica
from infra.dev.processes import free_port
from infra.dev.proxy import Proxy
from tests.support import school
from tests.support.nursery import Nursery

pytestmark = pytest.mark.servers

_PATIENCE = 120.0
_DRAIN_SECONDS = 3
_LEAVING_SECONDS = 10
"""What a process may take beyond its time for running calls, where a server does not answer when it says that it leaves."""
ROLES = ("district-admin", "operator", "partner", "coach")


def asked(replica: Replica, path: str) -> tuple[int, Any]:
    """Status and body; (0, None) where nobody listens yet."""
    try:
        answer = httpx.get(f"{replica.url}{path}", trust_env=False, timeout=5)
    except httpx.TransportError:
        return 0, None
    return answer.status_code, answer.json()


def until_status(replica: Replica, path: str, status: int) -> Any:
    deadline = time.monotonic() + _PATIENCE
    while (found := asked(replica, path))[0] != status:
        assert time.monotonic() < deadline, (path, found)
        time.sleep(0.05)
    return found[1]


def until_reasons(replica: Replica, *parts: str) -> dict[str, str]:
    """What it waits for, once it says so of these parts."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        _, said = asked(replica, "/health/ready")
        reasons = {} if said is None else said.get("reasons", {})
        if all("waits for" in reasons.get(part, "") for part in parts):
            return dict(reasons)
        assert time.monotonic() < deadline, said
        time.sleep(0.05)


def until_missing_no_more_than(replica: Replica, *parts: str) -> list[str]:
    """The parts that are not there, once they are all among these."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        _, said = asked(replica, "/health/ready")
        missing = [part for part, there in said["parts"].items() if not there] if said else ["an answer"]
        if set(missing) <= set(parts):
            return missing
        assert time.monotonic() < deadline, said
        time.sleep(0.05)


def ended(replica: Replica) -> int:
    """Its exit code after SIGTERM, which comes within the time that it was given."""
    running = replica.process.running
    assert running is not None
    running.terminate()
    return running.wait(_DRAIN_SECONDS + _LEAVING_SECONDS)


@pytest.fixture
def parted(mongo_address: str) -> Iterator[tuple[Proxy, str]]:
    """A way to the database on which nothing passes yet, and its address."""
    parts = urlsplit(mongo_address)
    assert parts.port is not None
    proxy = Proxy(parts.port)
    proxy.start()
    proxy.behave("hang")
    yield proxy, urlunsplit(parts._replace(netloc=f"127.0.0.1:{proxy.port}"))
    proxy.stop()


async def test_a_process_answers_probes_from_its_first_moment_and_may_have_a_part_of_its_service_alone(
    kafka_address: str, mongo_address: str, parted: tuple[Proxy, str], tmp_path: Path
) -> None:
    proxy, way = parted
    house = House(
        tmp_path,
        kafka_address,
        way,
        f"probes-{time.time_ns():x}.",
        simulated=False,
        settings_of={"assessment": {"ATELIER_PARTS": "doors"}},
    )
    try:
        await asyncio.to_thread(house.begin)
        (profile,), (doors,) = house.of("profile"), house.of("assessment")
        # The database does not answer yet.
        assert until_status(profile, "/health/live", 200) == {"status": "ok"}
        assert asked(profile, "/health/started") == (503, {"migrated": False})
        status, said = asked(profile, "/health/ready")
        assert (status, said["parts"]["migrated"], said["parts"]["led"]) == (503, False, False)
        assert "the database" in said["reasons"]["migrated"]
        status, said = asked(profile, "/profile/v1/learners")
        assert (status, said["code"]) == (503, "unavailable")

        proxy.behave("pass")
        assert until_status(profile, "/health/started", 200) == {"migrated": True}
        assert set(until_status(profile, "/health/ready", 200)["parts"].values()) == {True}
        assert asked(profile, "/profile/v1/learners")[0] == 401

        # Nobody leads assessment: who has its doors alone never will, and says so.
        until_status(doors, "/health/started", 200)
        assert until_missing_no_more_than(doors, "led", "caught up") == ["led", "caught up"]
        assert asked(doors, "/health/ready")[0] == 503

        log = house.add("assessment")
        assert log.process.env is not None
        log.process.env["ATELIER_PARTS"] = "log"
        await asyncio.to_thread(log.process.start)
        until_status(doors, "/health/ready", 200)
        async with house.client(school.TENANT, ROLES) as client:
            headers = {**client.http.headers, "X-Experience-API-Version": "1.0.3"}
            async with httpx.AsyncClient(headers=headers, trust_env=False) as http:
                sent = await http.post(
                    f"{doors.url}/assessment/xapi/statements", json=school.answers("pupil-01", "N1", 1)
                )
                assert sent.status_code == 200, sent.text
                assert (await http.get(f"{log.url}/assessment/v1/parked")).status_code == 404
                head = 0
                while not head:
                    (one,) = (await http.get(f"{log.url}/operator/v1/logs")).json()["logs"]
                    head = one["head"]
        documents = connect(mongo_address, house.database("assessment"))
        held = await documents.find_many(SYSTEM, LEASES, ["sequencer", lease_of("assessment")])
        await documents.close()
        assert [lease["owner"] for lease in held.values()] == ["assessment-1", "assessment-1"]
    finally:
        proxy.behave("pass")
        house.stop()


async def test_a_process_begun_while_both_its_servers_are_away_hears_that_it_shall_end_and_goes_on_with_each_that_comes(
    kafka_address: str, parted: tuple[Proxy, str], tmp_path: Path
) -> None:
    way, mongo = parted
    bus = Proxy(int(kafka_address.rpartition(":")[2]))
    bus.start()
    bus.behave("hang")
    settings = {"ATELIER_DRAIN_SECONDS": str(_DRAIN_SECONDS)}
    house = House(tmp_path, f"127.0.0.1:{bus.port}", mongo, f"away-{time.time_ns():x}.", settings=settings)
    try:
        await asyncio.to_thread(house.begin, "profile")
        (profile,) = house.of("profile")
        reasons = until_reasons(profile, "migrated", "topics")
        assert ("the database" in reasons["migrated"], "the broker" in reasons["topics"]) == (True, True)
        assert ended(profile) == 0

        profile.process.start(wait=False)
        until_status(profile, "/health/live", 200)
        way.behave("pass")
        until_status(profile, "/health/started", 200)
        assert asked(profile, "/profile/v1/learners")[0] == 401
        assert list(until_reasons(profile, "topics")) == ["topics"]
        way.behave("hang")
        assert ended(profile) == 0
        way.behave("pass")

        # A topic that has other partitions than declared is met as soon as the broker is there.
        wrong = Topic(declared()[1].name, declared()[1].partitions + 1)
        await settle_topics(kafka_address, [wrong], house.prefix)
        profile.process.start(wait=False)
        until_status(profile, "/health/started", 200)
        bus.behave("pass")
        assert profile.process.running is not None
        assert await asyncio.to_thread(profile.process.running.wait, _PATIENCE) == 6
        assert f"topic {house.prefix}{wrong.name} has {wrong.partitions} partitions" in profile.process.log.read_text()
    finally:
        way.behave("pass")
        house.stop()
        bus.stop()


async def test_a_house_begun_before_its_broker_takes_evidence_and_passes_it_on_when_that_comes(
    kafka_address: str, mongo_address: str, nursery: Nursery, tmp_path: Path
) -> None:
    port = free_port()
    prefix = f"before-{time.time_ns():x}."
    house = House(tmp_path, f"127.0.0.1:{port}", mongo_address, prefix, simulated=False, launch=nursery.launch)
    bus = Proxy(int(kafka_address.rpartition(":")[2]), port)
    people = school.pupils(3)
    try:
        await asyncio.to_thread(house.begin)
        for replica in house.running:
            until_status(replica, "/health/started", 200)
            assert "the broker" in until_reasons(replica, "topics")["topics"]
        async with house.client(school.TENANT, ROLES) as client:
            await client.send("/pathing/v1/frameworks", school.case_package(), "application/json")
            await client.send("/profile/v1/roster-imports", school.roster_zip(people), "application/zip")
            for who in people:
                for one in school.answers(who.sourced_id, "N1", 2):
                    await client.send(
                        "/assessment/xapi/statements",
                        json.dumps(one).encode(),
                        "application/json",
                        {"X-Experience-API-Version": "1.0.3"},
                    )
            async with asyncio.timeout(_PATIENCE):
                while not (before := await client.log_of("pathing")):
                    await asyncio.sleep(0.05)
            assert {one["stream"].partition("/")[0] for one in before} == {"framework"}

            bus.start()
            for replica in house.running:
                await asyncio.to_thread(replica.process.wait)
            await client.settle()
            assert await client.parked() == []
            assert (await client.get("/assessment/v1/parked"))["parked"] == []
            log = await client.log_of("pathing")
            assert sum(one["stream"].startswith("assessment/mastery/") for one in log) >= len(people)
    finally:
        house.stop()
        bus.stop()
