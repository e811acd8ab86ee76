"""One small school, planned and published, with pages and API open to staff, a learner and a guardian."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from atelier_common.clock import SimulatedClock
from atelier_standalone.app import build_app
from atelier_standalone.folder import DataFolder
from atelier_standalone.pages.site import SESSION_COOKIE
from atelier_standalone.sample.framework import case_package
from atelier_standalone.sample.learning import answers, evidence_ndjson
from atelier_standalone.sample.people import TIDEWATER, LearnerPerson, people
from atelier_standalone.sample.roster import oneroster_zip
from atelier_standalone.sample.sites import site_file
from atelier_standalone.system import Atelier
from fastapi import FastAPI

TENANT = "harbour"
WEEK = "2026-W38"
NOW = int(datetime(2026, 9, 13, 20, 0, tzinfo=UTC).timestamp() * 1000)
"""The Sunday before the week, so that its Monday is tomorrow."""
LEARNERS = 14
PLANTED = ("Grade 4: {}", "{} (Grade 3)", "By grade 5, {}", "{} for 4th graders", "In kindergarten, {}", "{}")
"""How real frameworks name grades; every statement of the school's framework takes one of these forms."""


@dataclass(frozen=True)
class School:
    """Tokens by role; ids of the learner whom the student and the guardian are about, and of everybody else's."""

    atelier: Atelier
    app: FastAPI
    http: httpx.AsyncClient
    tokens: dict[str, str]
    learner: str
    person: LearnerPerson
    others: dict[str, LearnerPerson]
    codes: frozenset[str]

    async def page(self, role: str, path: str) -> httpx.Response:
        """What a browser of this role gets; an empty role is nobody."""
        return await self.get(role, path, "text/html,application/xhtml+xml")

    async def get(self, role: str, path: str, accept: str = "application/json", **query: Any) -> httpx.Response:
        headers = {"accept": accept}
        if role:
            headers["cookie"] = f"{SESSION_COOKIE}={self.tokens[role]}"
        return await self.http.get(path, headers=headers, params=query or None)

    async def send(self, role: str, method: str, path: str, **given: Any) -> Any:
        """Do something by the API; fails where it is refused."""
        headers = {"authorization": f"Bearer {self.tokens[role]}", **given.pop("headers", {})}
        answer = await self.http.request(method, path, headers=headers, **given)
        assert answer.is_success, answer.text
        return answer.json()


def framework() -> tuple[bytes, frozenset[str]]:
    """The sample framework with grades in its words and levels, as real ones have, and all its codes."""
    package = json.loads(case_package())
    taught = [item for item in package["CFItems"] if item.get("humanCodingScheme")]
    for place, item in enumerate(taught):
        item["fullStatement"] = PLANTED[place % len(PLANTED)].format(item["fullStatement"])
        item["educationLevel"] = ["04"]
    return json.dumps(package).encode(), frozenset(item["humanCodingScheme"] for item in taught)


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def school(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[School]:
    folder: Path = tmp_path_factory.mktemp("school")
    atelier = Atelier(DataFolder(folder), SimulatedClock(NOW))
    await atelier.start()
    app = build_app(atelier)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://atelier.example", timeout=120
    ) as http:
        yield await _fill(atelier, app, http)
    await atelier.stop()


async def _fill(atelier: Atelier, app: FastAPI, http: httpx.AsyncClient) -> School:
    everybody = people(7)
    drawn = replace(everybody, learners=everybody.at(TIDEWATER)[:LEARNERS])
    ids = {await atelier.keyring.pseudonym(TENANT, "learner", one.sourced_id): one for one in drawn.learners}
    learner, *others = ids
    issue = atelier.issuer.issue
    tokens = {
        "staff": issue(TENANT, "administrator", ("district-admin", "operator"), 60),
        "student": issue(TENANT, "student-1", ("student",), 60, [learner]),
        "guardian": issue(TENANT, "guardian-1", ("guardian",), 60, [learner]),
        "stranger": issue("elsewhere", "administrator", ("district-admin",), 60),
    }
    package, codes = framework()
    school = School(atelier, app, http, tokens, learner, ids[learner], {one: ids[one] for one in others}, codes)
    await school.send(
        "staff",
        "POST",
        "/profile/v1/roster-imports",
        content=oneroster_zip(drawn),
        headers={"content-type": "application/zip"},
    )
    await school.send(
        "staff", "POST", "/pathing/v1/frameworks", content=package, headers={"content-type": "application/json"}
    )
    await atelier.settle()
    await school.send("staff", "PUT", f"/scheduling/v1/sites/{TIDEWATER}", json=json.loads(site_file(drawn, TIDEWATER)))
    for day in answers(drawn, 7):
        statements = [json.loads(line) for line in evidence_ndjson(day).splitlines()]
        await school.send(
            "staff",
            "POST",
            "/assessment/xapi/statements",
            json=statements[:500],
            headers={"X-Experience-API-Version": "1.0.3"},
        )
    await atelier.settle()
    await school.send("staff", "POST", f"/scheduling/v1/sites/{TIDEWATER}/plans", params={"week": WEEK})
    await school.send(
        "staff",
        "POST",
        f"/scheduling/v1/sites/{TIDEWATER}/plans/{WEEK}/publication",
        json={"acknowledge_owed": True},
    )
    await atelier.settle()
    return school
