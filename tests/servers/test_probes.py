"""What a process says of itself from its first moment to its last, and processes with a part of a service each."""

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import pytest
from atelier_common.documents.mongo import connect
from atelier_common.documents.port import SYSTEM
from atelier_common.lease import LEASES
from atelier_common.service import lease_of
from atelier_hosting.process import SERVICES

from infra.dev.house import House, Replica
from infra.dev.proxy import Proxy
from tests.support import school

pytestmark = pytest.mark.servers

_PATIENCE = 120.0
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
    starting = threading.Thread(target=house.start, daemon=True)
    starting.start()
    try:
        while len(house.running) < len(SERVICES):
            await asyncio.sleep(0.01)
        (profile,), (doors,) = house.of("profile"), house.of("assessment")
        # The database does not answer yet.
        assert until_status(profile, "/health/live", 200) == {"status": "ok"}
        assert asked(profile, "/health/started") == (503, {"migrated": False})
        status, said = asked(profile, "/health/ready")
        assert (status, said["parts"]["migrated"], said["parts"]["led"]) == (503, False, False)
        status, said = asked(profile, "/profile/v1/learners")
        assert (status, said["code"]) == (503, "unavailable")

        proxy.behave("pass")
        assert until_status(profile, "/health/started", 200) == {"migrated": True}
        assert set(until_status(profile, "/health/ready", 200)["parts"].values()) == {True}
        assert asked(profile, "/profile/v1/learners")[0] == 401

        # Nobody leads assessment: who has its doors alone never will, and says so.
        until_status(doors, "/health/started", 200)
        status, said = asked(doors, "/health/ready")
        assert status == 503
        assert [part for part, there in said["parts"].items() if not there] == ["led", "caught up"]

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
        await asyncio.to_thread(starting.join)
        house.stop()
