"""A server that is killed at any moment has everything it acknowledged, once, and finishes what it had begun."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from tests.support import school
from tests.support.process import Forked, Served, alive, end, forking
from tests.support.running import JSON, XAPI, ZIP, answered, until

ROUNDS = 8
ROLES = ("district-admin", "operator", "partner")
LEARNER = school.pupils(1)[0].sourced_id


@dataclass
class Acknowledged:
    """What the server said yes to, over all of its lives."""

    statements: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    surprises: list[BaseException] = field(default_factory=list)


def send_statements(client: httpx.Client, held: Acknowledged, life: int) -> None:
    for number in range(10_000):
        statement = school.statement(LEARNER, "N2", 10_000 * life + number, at="2026-10-01T09:00:00Z")
        answered(client.post("/assessment/xapi/statements", json=statement, headers=XAPI))
        held.statements.append(statement)


def send_facts(client: httpx.Client, held: Acknowledged, life: int, url: str) -> None:
    for number in range(10_000):
        key = f"00000000-0000-4000-8000-{life:06d}{number:06d}"
        body = {"kind": "strength", "value": f"strength {life}.{number}"}
        answer = answered(client.post(f"{url}/facts", json=body, headers={"Idempotency-Key": key}))
        assert answer["repeated"] is False
        held.facts[key] = body
        held.versions[key] = answer["version"]


def until_killed(held: Acknowledged, work: Callable[..., None], *given: Any) -> threading.Thread:
    """Work in a thread that ends when the server is gone; what else ends it is kept."""

    def run() -> None:
        try:
            work(*given)
        except httpx.TransportError:
            return
        except BaseException as surprise:
            held.surprises.append(surprise)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def settle(client: httpx.Client) -> None:
    assert answered(client.post("/operator/v1/settle", params={"seconds": 60}))["settled"]


def log(client: httpx.Client, service: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    after = 0
    while page := answered(client.get(f"/operator/v1/logs/{service}/events", params={"after": after, "limit": 500}))[
        "events"
    ]:
        found += page
        after = page[-1]["position"]
    return found


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with forking(tmp_path / "parent.log") as parent:
        yield Forked(tmp_path / "data", parent)


def test_a_server_killed_many_times_has_every_acknowledged_command_exactly_once(server: Served) -> None:
    random, held = Random(20261005), Acknowledged()
    with server, server.client(*ROLES) as client:
        answered(client.post("/pathing/v1/frameworks", content=school.case_package(), headers=JSON))
        sent = school.roster_zip(school.pupils(1))
        answered(client.post("/profile/v1/roster-imports", content=sent, headers=ZIP))
        settle(client)
        (learner,) = answered(client.get("/profile/v1/learners"))["items"]
    url = f"/profile/v1/learners/{learner['learner_id']}"

    for life in range(1, ROUNDS + 1):
        with server, server.client(*ROLES) as one, server.client(*ROLES) as other:
            before = len(held.statements), len(held.facts)
            senders = [
                until_killed(held, send_statements, one, held, life),
                until_killed(held, send_facts, other, held, life, url),
            ]
            if life % 4:  # Every fourth life ends at any moment, even before it has said yes to anything.
                until(lambda before=before: len(held.statements) > before[0] and len(held.facts) > before[1])
            time.sleep(random.uniform(0.0, 0.4))
            server.kill()
            for each in senders:
                each.join()
            assert not held.surprises

    assert min(len(held.statements), len(held.facts)) >= ROUNDS * 3 // 4
    with server, server.client(*ROLES) as client:
        settle(client)
        recorded = Counter(
            commit["stream"]
            for commit in log(client, "assessment")
            for event in commit["events"]
            if event["type"] == "EvidenceRecorded"
        )
        assert set(recorded.values()) == {1}
        for start in range(0, len(held.statements), 400):
            some = held.statements[start : start + 400]
            answered(client.post("/assessment/xapi/statements", json=some, headers=XAPI))
        settle(client)
        mastery = answered(client.get(f"/assessment/v1/learners/{learner['learner_id']}/mastery"))["mastery"]
        assert sum(one["evidence_count"] for one in mastery) == len(recorded) >= len(held.statements)
        for key, body in held.facts.items():
            again = answered(client.post(f"{url}/facts", json=body, headers={"Idempotency-Key": key}))
            assert (again["repeated"], again["version"]) == (True, held.versions[key])
        facts = answered(client.get(url))["facts"]
        values = Counter(str(fact["value"]) for fact in facts if fact["kind"] == "strength")
        assert set(values.values()) == {1} and len(values) >= len(held.facts)
        report = answered(client.post("/operator/v1/verify"))
        assert report["clean"], report


def test_an_import_killed_in_the_middle_is_rolled_forward(server: Served) -> None:
    roster = school.roster_zip(school.pupils(300))
    with server, server.client(*ROLES) as client:
        sent = answered(client.post("/profile/v1/roster-imports", content=roster, headers=ZIP))
        assert sent["state"] == "applying"
    with server, server.client(*ROLES) as client:
        settle(client)
        found = answered(client.get(f"/profile/v1/roster-imports/{sent['import_id']}"))
        assert found["state"] == "completed", found
        streams = [one["stream"] for one in log(client, "profile") if one["version"] == 1]
        assert len([stream for stream in streams if stream.startswith("learner/")]) == 300
        again = answered(client.post("/profile/v1/roster-imports", content=roster, headers=ZIP))
        assert again["state"] == "unchanged"
        assert answered(client.post("/operator/v1/verify"))["clean"]


def test_a_solver_killed_while_it_plans_costs_nothing_but_time_and_never_outlives_its_service(tmp_path: Path) -> None:
    people = school.pupils()
    server = Served(tmp_path / "data")
    with server, server.client("district-admin", "operator") as client:
        answered(client.post("/pathing/v1/frameworks", content=school.case_package(), headers=JSON))
        answered(client.post("/profile/v1/roster-imports", content=school.roster_zip(people), headers=ZIP))
        settle(client)
        described = school.site_description(school.studios(), people)
        answered(client.put(f"/scheduling/v1/sites/{school.SITE}", json=described))
        settle(client)
        first = server.solver()
        plans = f"/scheduling/v1/sites/{school.SITE}/plans"
        answers: list[Any] = []
        asking = threading.Thread(
            target=lambda: answers.append(answered(client.post(plans, params={"week": "2040-W10"})))
        )
        asking.start()
        end(first)
        assert client.get("/health/live").status_code == 200
        asking.join()
        assert answers[0]["result"]["changed"]
        document = answered(client.get(f"{plans}/2040-W10", params={"after": f"{answers[0]['stream']}@1"}))
        assert document["proposed"]["safe"]
        second = server.solver()
        assert second != first
        server.kill()
        until(lambda: not alive(second))
