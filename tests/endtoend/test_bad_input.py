"""What a whole system says to calls that it must refuse, and what goes on beside them."""

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from atelier_common.security.tokens import TokenIssuer

from tests.support import school
from tests.support.running import JSON, District, System, answered, until

START = Callable[[Path], AbstractContextManager[System]]


def test_an_expired_or_foreign_token_opens_nothing(planned: District, tmp_path: Path) -> None:
    path = f"/scheduling/v1/sites/{school.SITE}"
    foreign = TokenIssuer(tmp_path / "keys").issue(planned.tenant, "somebody", ("district-admin",), 60)
    for token in (planned.token("district-admin", minutes=-5), foreign, "nonsense"):
        answer = planned.system.with_token(token).get(path)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    bare = httpx.get(f"{planned.system.url}{path}", trust_env=False)
    assert bare.status_code == 401


def test_another_tenants_things_are_not_found(planned: District) -> None:
    learner = next(iter(planned.learner_ids().values()))
    elsewhere = planned.system.district("another-tenant")
    for path in (
        f"/profile/v1/learners/{learner}",
        f"/pathing/v1/learners/{learner}/path",
        f"/scheduling/v1/sites/{school.SITE}",
        f"/scheduling/v1/sites/{school.SITE}/plans/{school.WEEK}",
        f"/scheduling/v1/learners/{learner}/timetable",
    ):
        answer = elsewhere.admin.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found"), path
    assert elsewhere.get(f"/assessment/v1/learners/{learner}/mastery")["mastery"] == []
    assert elsewhere.get("/profile/v1/learners")["items"] == []


def test_a_body_that_is_too_large_is_refused_before_it_is_read(planned: District) -> None:
    answer = planned.admin.post(
        "/profile/v1/learners/x/facts", content=b'{"value": "' + b"x" * 1_100_000 + b'"}', headers=JSON
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")


def test_of_two_edits_of_one_version_the_second_is_refused(planned: District) -> None:
    path = f"/scheduling/v1/sites/{school.SITE}"
    seen = planned.admin.get(path)
    for title, status in (("The first title", 200), ("The second title", 412)):
        body = {**seen.json(), "title": title}
        answer = planned.admin.put(path, json=body, headers={"If-Match": seen.headers["ETag"]})
        assert answer.status_code == status, answer.text
    assert planned.get(path)["title"] == "The first title"


def test_an_idempotency_key_stands_for_one_request(planned: District) -> None:
    url = f"/profile/v1/learners/{planned.learner_ids()['Pupil Number13']}/facts"
    key = {"Idempotency-Key": "00000000-0000-4000-8000-00000000beef"}
    body = {"kind": "strength", "value": "Draws maps."}
    first = answered(planned.admin.post(url, json=body, headers=key))
    again = answered(planned.admin.post(url, json=body, headers=key))
    assert (first["repeated"], again["repeated"], again["version"]) == (False, True, first["version"])
    other = planned.admin.post(url, json={**body, "value": "Draws ships."}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "command-id-reused")


def test_too_few_adults_are_named_and_the_plan_is_still_safe(empty: District) -> None:
    people = school.pupils(20)
    one_teacher = school.site_description(
        school.studios(),
        people,
        school.TEACHERS[:2],
        certificates={"adult-1": [school.NUMBERS]},
        routine=[
            {"id": "words", "title": "Words", "focus": "subject", "subject": school.WORDS, "minutes": 60},
        ],
    )
    empty.bring_in(people, one_teacher)
    document = empty.plan()
    assert document["refused"] is None and document["proposed"]["safe"]
    assert document["proposed"]["figures"]["obligations_owed"] == len(people)
    owed = empty.get(f"/scheduling/v1/sites/{school.SITE}/owed", week=school.WEEK, proposed=True)["owed"]
    assert {one["need"].partition(":")[2] for one in owed} == {"words"} and all(one["why"] for one in owed)
    refused = empty.admin.post(f"/scheduling/v1/sites/{school.SITE}/plans/{school.WEEK}/publication", json={})
    assert (refused.status_code, refused.json()["owed"]) == (409, len(people))


def test_where_nobody_can_supervise_nothing_is_proposed_and_the_log_holds_the_alarm(empty: District) -> None:
    people = school.pupils(24)
    alone = school.site_description(school.studios(), people, school.TEACHERS[:1], certificates={})
    for kind in alone["kinds"]:
        kind["cap"] = 5
    empty.bring_in(people, alone)
    document = empty.plan()
    assert document["proposed"] is None and document["published"] is None
    assert document["refused"]["diagnosis"], "the conflict is named"
    (alarm,) = [
        event for commit in empty.log("scheduling") for event in commit["events"] if event["type"].startswith("plan.")
    ]
    assert alarm["type"] == "plan.refused"
    assert alarm["data"]["diagnosis"] == document["refused"]["diagnosis"]


@pytest.mark.parametrize(("name", "schema"), [("LearnerEnrolled", 99), ("LearnerTranscended", 1)])
def test_an_unknown_event_parks_its_key_and_closes_its_aggregate_while_others_go_on(
    tmp_path: Path, start: START, name: str, schema: int
) -> None:
    people = school.pupils(4)
    with start(tmp_path / "data") as system:
        district = system.district(school.TENANT)
        district.bring_in(people)
        ids = district.learner_ids()
    learner, neighbour = ids["Pupil Number01"], ids["Pupil Number02"]
    append_of_a_newer_release(tmp_path / "data" / "profile.sqlite", f"learner/{learner}", name, schema)

    with start(tmp_path / "data") as system:
        district = system.district(school.TENANT)
        body: dict[str, Any] = {"kind": "strength", "value": "Draws maps."}
        closed = district.admin.post(f"/profile/v1/learners/{learner}/facts", json=body)
        assert (closed.status_code, closed.json()["code"]) == (503, "unknown-event-type")
        noted = answered(district.admin.post(f"/profile/v1/learners/{neighbour}/facts", json=body))
        parked = until(lambda: district.get("/operator/v1/parked")["parked"])
        assert all(learner in one["key"] for one in parked), parked
        assert all(one["reason"].startswith("UnknownEventType") for one in parked)
        kinds = {
            one["kind"] for one in district.get(f"/profile/v1/learners/{neighbour}", after=noted["after"])["facts"]
        }
        assert "strength" in kinds


def append_of_a_newer_release(database: Path, stream: str, name: str, schema: int) -> None:
    """What a later release would have left in the log: the stream's next commit, with an event as this one cannot know it."""
    with sqlite3.connect(database) as connection:
        held = "SELECT version, body FROM commits WHERE tenant = ? AND stream = ? ORDER BY version DESC LIMIT 1"
        version, body = connection.execute(held, (school.TENANT, stream)).fetchone()
        (position,) = connection.execute(
            "SELECT max(position) FROM commits WHERE tenant = ?", (school.TENANT,)
        ).fetchone()
        newer = {**orjson.loads(body), "e": [[name, schema, {}]], "c": "a-command-of-tomorrow"}
        row = (school.TENANT, position + 1, stream, version + 1, orjson.dumps(newer))
        connection.execute("INSERT INTO commits (tenant, position, stream, version, body) VALUES (?, ?, ?, ?, ?)", row)
    connection.close()
