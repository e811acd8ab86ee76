"""xAPI over HTTP: accepted once, refused whole, answered as the specification says."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

STATEMENTS = "/assessment/xapi/statements"
Make = Callable[..., dict[str, Any]]


@pytest.fixture
async def school(district, fractions):
    await district.list_framework(fractions)
    await district.enrol("learner-1", "learner-2")
    return district


async def mastery_of(district, learner: str = "learner-1") -> list[dict[str, Any]]:
    await district.settle()
    client = district.client("coach-1", "coach")
    answer = await client.get(f"/assessment/v1/learners/{await district.learner(learner)}/mastery")
    assert answer.status_code == 200, answer.text
    return answer.json()["mastery"]


async def parked_of(district) -> list[dict[str, Any]]:
    await district.settle()
    answer = await district.client("coach-1", "coach").get("/assessment/v1/parked")
    return answer.json()["parked"]


async def test_a_statement_moves_the_learners_mastery_and_neighbours_hear_of_it(school, statement: Make, fractions):
    answer = await school.client().post(STATEMENTS, json=statement(1, competency=fractions))
    assert answer.status_code == 200
    assert answer.json() == [statement(1)["id"]]
    assert answer.headers["X-Experience-API-Version"] == "1.0.3"
    assert answer.headers["X-Experience-API-Consistent-Through"]
    (standing,) = await mastery_of(school)
    assert standing["competency_id"] == fractions
    assert standing["estimate"] > 0.5
    (heard,) = school.heard
    assert heard.learner_id == await school.learner("learner-1")
    assert (heard.estimate, heard.uncertainty) == (standing["estimate"], standing["uncertainty"])
    assert len(heard.evidence_ids) == 1


async def test_the_same_statement_is_accepted_once_and_other_content_under_its_id_is_refused(
    school, statement: Make, fractions
):
    client, first = school.client(), statement(1, competency=fractions)
    assert (await client.post(STATEMENTS, json=first)).status_code == 200
    assert (await client.post(STATEMENTS, json=first)).status_code == 200
    other = await client.post(STATEMENTS, json=statement(1, competency=fractions, correct=False))
    assert other.status_code == 409
    assert other.json()["code"] == "identity-taken"
    (standing,) = await mastery_of(school)
    assert standing["evidence_count"] == 1


async def test_put_answers_204_the_same_again_too_and_409_for_other_content(school, statement: Make, fractions):
    client, first = school.client(), statement(1, competency=fractions)
    target = f"{STATEMENTS}?statementId={first['id']}"
    without_id = {name: value for name, value in first.items() if name != "id"}
    assert (await client.put(target, json=without_id)).status_code == 204
    assert (await client.put(target, json=first)).status_code == 204
    assert (await client.put(target, json={**first, "result": {"success": False}})).status_code == 409
    assert (await client.put(target, json=statement(2, competency=fractions))).status_code == 400
    assert (await client.put(STATEMENTS, json=first)).status_code == 400


async def test_a_batch_is_all_or_nothing_when_one_in_the_middle_is_malformed(school, statement: Make, fractions):
    batch = [statement(number, competency=fractions) for number in range(5)]
    del batch[2]["actor"]
    answer = await school.client().post(STATEMENTS, json=batch)
    assert answer.status_code == 400
    assert answer.json()["index"] == 2
    assert answer.json()["field"] == "actor"
    assert await mastery_of(school) == []
    assert (await school.client().get(STATEMENTS, params={"statementId": batch[0]["id"]})).status_code == 404


async def test_a_batch_is_all_or_nothing_when_one_id_is_taken(school, statement: Make, fractions):
    client = school.client()
    await client.post(STATEMENTS, json=statement(3, competency=fractions))
    batch = [statement(number, competency=fractions) for number in range(5)]
    batch[3]["result"]["success"] = False
    answer = await client.post(STATEMENTS, json=batch)
    assert answer.status_code == 409
    assert answer.json()["index"] == 3
    (standing,) = await mastery_of(school)
    assert standing["evidence_count"] == 1


async def test_two_statements_of_one_id_in_a_batch_are_refused(school, statement: Make, fractions):
    one = statement(1, competency=fractions)
    answer = await school.client().post(STATEMENTS, json=[one, one])
    assert answer.status_code == 400
    assert answer.json()["index"] == 1


async def test_ids_are_made_where_none_are_given_and_the_same_request_again_makes_the_same(
    school, statement: Make, fractions
):
    batch = [statement(number, competency=fractions) for number in range(2)]
    for each in batch:
        del each["id"]
    headers = {"Idempotency-Key": '"batch-1"'}
    first = await school.client().post(STATEMENTS, json=batch, headers=headers)
    again = await school.client().post(STATEMENTS, json=batch, headers=headers)
    assert first.json() == again.json()
    assert len(set(first.json())) == 2
    (standing,) = await mastery_of(school)
    assert standing["evidence_count"] == 2


def changed(statement: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    made = copy.deepcopy(statement)
    *way, last = path.split(".")
    place = made
    for step in way:
        place = place.setdefault(step, {})
    if value is ...:
        place.pop(last, None)
    else:
        place[last] = value
    return made


MALFORMED = [
    ("actor", ..., "actor"),
    ("verb", ..., "verb"),
    ("object", ..., "object"),
    ("id", "not-a-uuid", "id"),
    ("actor", "learner-1", "actor"),
    ("actor.account", ..., "actor.account"),
    ("actor.account.homePage", "not an iri", "actor.account.homePage"),
    ("actor.account.name", "", "actor.account.name"),
    ("actor.mbox", "mailto:someone@example.org", "actor.mbox"),
    ("actor.openid", "https://example.org/someone", "actor.openid"),
    ("actor.objectType", "Group", "actor"),
    ("verb.id", "answered", "verb.id"),
    ("verb.display", {"en US": "answered"}, "verb.display"),
    ("object.id", "item 3", "object.id"),
    ("object.objectType", "SubStatement", "object.objectType"),
    ("result.score.scaled", 1.2, "result.score.scaled"),
    ("result.score.scaled", -1.01, "result.score.scaled"),
    ("result.score.scaled", "1", "result.score.scaled"),
    ("result.score", {"raw": 11, "min": 0, "max": 10}, "result.score.raw"),
    ("result.score", {"raw": 1, "min": 5, "max": 5}, "result.score.min"),
    ("result.success", "yes", "result.success"),
    ("result.duration", "ten minutes", "result.duration"),
    ("result.success", None, "result.success"),
    ("context.registration", "r1", "context.registration"),
    ("context.contextActivities.grouping", [{"id": "no iri"}], "context.contextActivities.grouping.id"),
    ("context.language", "english!", "context.language"),
    ("context.extensions", {"urn:atelier:xapi:circumstances": {"assistance": "lots"}}, "context.extensions.assistance"),
    ("timestamp", "2026-09-07", "timestamp"),
    ("timestamp", "2026-09-07T14:00:00", "timestamp"),
    ("timestamp", "2026-09-07T14:00:00-00:00", "timestamp"),
    ("timestamp", "2026-13-07T14:00:00Z", "timestamp"),
    ("timestamp", "2099-01-01T00:00:00Z", "timestamp"),
    ("version", "0.9", "version"),
    ("favourite", "blue", "statement"),
]


@pytest.mark.parametrize(("path", "value", "field"), MALFORMED)
async def test_what_the_specification_forbids_is_refused_by_name(
    district, statement: Make, fractions, path, value, field
):
    answer = await district.client().post(STATEMENTS, json=changed(statement(1, competency=fractions), path, value))
    assert answer.status_code == 400, answer.text
    assert answer.json()["field"] == field
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["X-Experience-API-Version"]


async def test_a_statement_that_is_not_json_or_not_called_json_is_refused(district):
    client = district.client()
    not_json = await client.post(STATEMENTS, content=b"{", headers={"Content-Type": "application/json"})
    assert not_json.status_code == 400
    assert (await client.post(STATEMENTS, content=b"[]", headers={"Content-Type": "text/plain"})).status_code == 400
    assert (await client.post(STATEMENTS, json=["x"])).status_code == 400


async def test_the_protocol_version_is_asked_for_and_both_are_spoken(district):
    client = district.client()
    del client.headers["X-Experience-API-Version"]
    assert (await client.post(STATEMENTS, json=[])).status_code == 400
    for asked, answered in (("1.0", "1.0.3"), ("1.0.3", "1.0.3"), ("2.0.0", "2.0.0")):
        answer = await client.post(STATEMENTS, json=[], headers={"X-Experience-API-Version": asked})
        assert (answer.status_code, answer.headers["X-Experience-API-Version"]) == (200, answered)
    assert (await client.post(STATEMENTS, json=[], headers={"X-Experience-API-Version": "0.95"})).status_code == 400


async def test_a_report_sent_again_later_is_the_same_report_whatever_has_changed_meanwhile(
    school, statement: Make, fractions
):
    timeless = statement(1, competency=fractions)
    del timeless["timestamp"]
    void = voiding(1, statement(2)["id"])
    del void["timestamp"]
    client = school.client()
    assert (await client.post(STATEMENTS, json=[timeless, void])).status_code == 200
    school.clock.advance(60_000)
    admin = school.client("admin-1", "district-admin")
    await admin.put("/assessment/v1/providers/reader-app", json={"title": "Reader", "only_kind": "activity"})
    assert (await client.post(STATEMENTS, json=[timeless, void])).status_code == 200
    assert (await client.post(STATEMENTS, json=timeless)).status_code == 200
    (standing,) = await mastery_of(school)
    assert standing["evidence_count"] == 1


async def test_other_zones_are_converted(school, statement: Make, fractions):
    client = school.client()
    await client.post(STATEMENTS, json=statement(1, competency=fractions, timestamp="2026-09-07T14:00:00+02:00"))
    found = (await client.get(STATEMENTS, params={"statementId": statement(1)["id"]})).json()
    assert found["timestamp"] == "2026-09-07T12:00:00.000Z"


async def test_a_statement_given_back_names_its_learner_by_pseudonym_only(school, statement: Make, fractions):
    sent = statement(1, competency=fractions)
    sent["result"]["response"] = "my own words"
    await school.client().post(STATEMENTS, json=sent)
    answer = await school.client().get(STATEMENTS, params={"statementId": sent["id"]})
    found = answer.json()
    assert found["actor"]["account"]["name"] == await school.learner("learner-1")
    assert found["verb"]["id"] == sent["verb"]["id"]
    assert found["result"]["score"]["scaled"] == 1.0
    assert found["context"]["contextActivities"]["grouping"][0]["id"].endswith(fractions)
    assert "learner-1" not in answer.text
    assert "my own words" not in answer.text


async def test_another_providers_statements_and_another_tenants_are_not_found(school, statement: Make, fractions):
    await school.client("reader-app").post(STATEMENTS, json=statement(1, competency=fractions))
    ask = {"statementId": statement(1)["id"]}
    assert (await school.client("reader-app").get(STATEMENTS, params=ask)).status_code == 200
    assert (await school.client("other-app").get(STATEMENTS, params=ask)).status_code == 404
    assert (await school.client("reader-app", tenant="district-2").get(STATEMENTS, params=ask)).status_code == 404
    assert (await school.client("a-student", "student").post(STATEMENTS, json=[])).status_code == 403


def voiding(number: int, target: str) -> dict[str, Any]:
    return {
        "id": f"00000000-0000-4000-8000-{number:012d}",
        "actor": {"account": {"homePage": "https://example.org", "name": "reader-app"}},
        "verb": {"id": "http://adlnet.gov/expapi/verbs/voided"},
        "object": {"objectType": "StatementRef", "id": target},
        "timestamp": "2026-09-08T14:00:00Z",
    }


async def test_a_voided_statement_counts_no_more(school, statement: Make, fractions):
    client = school.client()
    sent = [statement(number, competency=fractions) for number in range(2)]
    await client.post(STATEMENTS, json=sent)
    (before,) = await mastery_of(school)
    assert (await client.post(STATEMENTS, json=voiding(1, sent[0]["id"]))).status_code == 200
    (after,) = await mastery_of(school)
    assert (before["evidence_count"], after["evidence_count"]) == (2, 1)
    assert after["corrected_at_ms"]
    assert school.heard[-1].corrected
    assert (await client.get(STATEMENTS, params={"statementId": sent[0]["id"]})).status_code == 404
    assert (await client.get(STATEMENTS, params={"voidedStatementId": sent[0]["id"]})).status_code == 200
    assert (await client.get(STATEMENTS, params={"statementId": voiding(1, "")["id"]})).status_code == 200


async def test_a_voiding_that_comes_before_its_statement_still_holds(school, statement: Make, fractions):
    client, sent = school.client(), statement(1, competency=fractions)
    await client.post(STATEMENTS, json=voiding(1, sent["id"]))
    await school.settle()
    assert (await client.post(STATEMENTS, json=sent)).status_code == 200
    assert await mastery_of(school) == []


async def test_nobody_voids_anothers_statement(school, statement: Make, fractions):
    await school.client("reader-app").post(STATEMENTS, json=statement(1, competency=fractions))
    answer = await school.client("other-app").post(STATEMENTS, json=voiding(1, statement(1)["id"]))
    assert answer.status_code == 403
    (standing,) = await mastery_of(school)
    assert standing["evidence_count"] == 1


async def test_what_has_no_outcome_or_names_no_competency_is_parked_with_its_reason(school, statement: Make, fractions):
    seen = statement(1, competency=fractions)
    del seen["result"]
    aimless = statement(2)
    del aimless["context"]
    assert (await school.client().post(STATEMENTS, json=[seen, aimless])).status_code == 200
    reasons = {each["reference"]: each["reasons"] for each in await parked_of(school)}
    assert reasons == {seen["id"]: ["no-outcome"], aimless["id"]: ["no-competency"]}


@pytest.mark.capability(20)
async def test_a_result_is_visible_in_mastery_or_parked_with_a_reason_and_counts_when_the_facts_arrive(
    district, statement: Make, fractions, decimals
):
    sent = [
        statement(1, "learner-1", fractions),
        statement(2, "learner-9", fractions),
        statement(3, "learner-1", decimals),
    ]
    assert (await district.client().post(STATEMENTS, json=sent)).status_code == 200
    reasons = {each["reference"]: each["reasons"] for each in await parked_of(district)}
    assert reasons == {
        sent[0]["id"]: ["unknown-learner", "unknown-competency"],
        sent[1]["id"]: ["unknown-learner", "unknown-competency"],
        sent[2]["id"]: ["unknown-learner", "unknown-competency"],
    }
    await district.enrol("learner-1")
    await district.list_framework(fractions)
    (standing,) = await mastery_of(district)
    assert (standing["competency_id"], standing["evidence_count"]) == (fractions, 1)
    assert {each["reference"] for each in await parked_of(district)} == {sent[1]["id"], sent[2]["id"]}
    await district.enrol("learner-9")
    assert {each["reference"] for each in await parked_of(district)} == {sent[2]["id"]}
    (_,) = await mastery_of(district, "learner-9")
    coach = district.client("coach-1", "coach")
    (left,) = await parked_of(district)
    mapping = await coach.post(
        f"/assessment/v1/parked/{left['evidence_id']}/mapping", json={"competencies": [fractions]}
    )
    assert mapping.status_code == 200
    assert await parked_of(district) == []
    (standing,) = await mastery_of(district)
    assert standing["evidence_count"] == 2


@pytest.mark.capability(25)
async def test_two_providers_that_report_one_attempt_count_once(school, statement: Make, fractions):
    said = {"extensions": {"urn:atelier:xapi:circumstances": {"attempt_id": "attempt-77"}}}
    one, two = (statement(number, competency=fractions) for number in (1, 2))
    for each in (one, two):
        each["context"] |= said
    await school.client("reader-app").post(STATEMENTS, json=one)
    (before,) = await mastery_of(school)
    assert (await school.client("school-lms").post(STATEMENTS, json=two)).status_code == 200
    (after,) = await mastery_of(school)
    assert after == before
    path = f"/assessment/v1/learners/{await school.learner('learner-1')}/mastery/{fractions}/evidence"
    evidence = (await school.client("coach-1", "coach").get(path)).json()["evidence"]
    assert {each["provider"] for each in evidence} == {"reader-app", "school-lms"}


@pytest.mark.capability(25)
async def test_one_item_of_one_registration_from_two_providers_counts_once(school, statement: Make, fractions):
    one, two = (statement(number, competency=fractions) for number in (1, 2))
    two["object"]["id"] = one["object"]["id"]
    for each in (one, two):
        each["context"]["registration"] = "00000000-0000-4000-8000-000000000077"
    await school.client("reader-app").post(STATEMENTS, json=one)
    await school.client("school-lms").post(STATEMENTS, json=two)
    (standing,) = await mastery_of(school)
    assert standing["evidence_count"] == 1


@pytest.mark.capability(36)
async def test_evidence_recorded_offline_lands_where_it_was_performed_and_says_that_it_corrects(
    school, statement: Make, fractions
):
    client = school.client()
    right = [statement(number, competency=fractions, timestamp=f"2026-09-08T14:00:0{number}Z") for number in range(6)]
    await client.post(STATEMENTS, json=right)
    (before,) = await mastery_of(school)
    assert before["earned"]
    school.clock.advance(5 * 86_400_000)
    offline = statement(9, competency=fractions, correct=False, timestamp="2026-09-05T09:30:00Z")
    assert (await client.post(STATEMENTS, json=offline)).status_code == 200
    (after,) = await mastery_of(school)
    assert after["estimate"] < before["estimate"]
    assert after["corrected_at_ms"] == school.clock.now()
    assert not after["earned"]
    assert school.heard[-1].corrected
    path = f"/assessment/v1/learners/{await school.learner('learner-1')}/mastery/{fractions}/evidence"
    evidence = (await school.client("coach-1", "coach").get(path)).json()["evidence"]
    assert evidence[0]["item"] == "https://example.org/items/9"
    assert evidence[0]["recorded_at_ms"] - evidence[0]["performed_at_ms"] > 5 * 86_400_000
    stored = await school.assessment.parts.store.read_stream(
        "district-1", f"mastery/{await school.learner('learner-1')}:{fractions}"
    )
    assert [event.type for event in stored[-1].events] == ["MasteryMoved", "EarnedCorrected"]


async def test_answers_streamed_in_reverse_give_the_same_mastery_to_the_byte(school, statement: Make, fractions):
    answers = [
        statement(
            number,
            learner=f"learner-{1 + number % 2}",
            competency=fractions,
            correct=number // 2 % 3 > 0,
            timestamp=f"2026-09-08T14:00:{number:02d}Z",
        )
        for number in range(40)
    ]
    await school.client().post(STATEMENTS, json=answers[:20])
    await school.client().post(STATEMENTS, json=answers[20:])
    forward = await mastery_of(school, "learner-1")
    mirrored = [
        {
            **each,
            "id": statement(100 + number)["id"],
            "actor": {"account": {"homePage": "https://example.org", "name": "learner-3"}},
        }
        for number, each in enumerate(answers)
        if number % 2 == 0
    ]
    await school.enrol("learner-3")
    for each in reversed(mirrored):
        assert (await school.client().post(STATEMENTS, json=each)).status_code == 200
    backward = await mastery_of(school, "learner-3")
    for standing in (*forward, *backward):
        del standing["corrected_at_ms"]
    assert backward == forward


async def test_a_restart_loses_nothing_and_sending_it_all_again_changes_nothing(school, statement: Make, fractions):
    batch = [statement(number, competency=fractions) for number in range(8)]
    await school.client().post(STATEMENTS, json=batch)
    before = await mastery_of(school)
    heard = len(school.heard)
    await school.restart()
    assert (await school.client().post(STATEMENTS, json=batch)).status_code == 200
    assert await mastery_of(school) == before
    assert len(school.heard) == heard


async def test_nothing_of_an_erased_learner_is_shown_and_new_evidence_is_parked(school, statement: Make, fractions):
    learner = await school.learner("learner-2")
    await school.client().post(STATEMENTS, json=statement(2, "learner-2", fractions))
    assert await mastery_of(school, "learner-2")
    await school.erase(learner)
    for path in ("", f"/{fractions}", f"/{fractions}/evidence"):
        answer = await school.client("coach-1", "coach").get(f"/assessment/v1/learners/{learner}/mastery{path}")
        assert answer.status_code == 404
    school.assessment.parts.known.forget()
    await school.client().post(STATEMENTS, json=statement(1, "learner-2", fractions))
    (parked,) = await parked_of(school)
    assert parked["reasons"] == ["unknown-learner"]


async def test_a_batch_with_a_voiding_in_it_is_all_or_nothing_and_names_the_statement_that_refuses_it(
    school, statement: Make, fractions
):
    client, first = school.client(), statement(1, competency=fractions)
    await client.post(STATEMENTS, json=first)
    taken = {**first, "result": {"success": False}}
    answer = await client.post(STATEMENTS, json=[statement(2), voiding(9, first["id"]), taken])
    assert (answer.status_code, answer.json()["index"]) == (409, 2)
    (standing,) = await mastery_of(school)
    assert standing["evidence_count"] == 1
    assert (await client.get(STATEMENTS, params={"statementId": voiding(9, "")["id"]})).status_code == 404
