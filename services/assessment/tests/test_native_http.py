"""The native API: an outcome for each piece, people's decisions, one number for every viewer."""

from typing import Any

import pytest

EVIDENCE = "/assessment/v1/evidence"


@pytest.fixture
async def school(district, fractions, decimals):
    await district.list_framework(fractions, decimals)
    await district.enrol("learner-1", "learner-2")
    return district


def piece(number: int, competency: str, **more: Any) -> dict[str, Any]:
    return {
        "id": f"e{number}",
        "learner": "learner-1",
        "competencies": [competency],
        "item": f"item-{number}",
        "performed_at": f"2026-09-07T14:{number:02d}:00Z",
        "score": 1.0,
        **more,
    }


async def post(client, *pieces: Any, **headers: str) -> list[dict[str, Any]]:
    answer = await client.post(EVIDENCE, json={"evidence": list(pieces)}, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()["outcomes"]


async def standing(school, competency: str, after: str = "", caller: Any = None) -> dict[str, Any]:
    client = caller or school.client("coach-1", "coach")
    path = f"/assessment/v1/learners/{await school.learner('learner-1')}/mastery/{competency}"
    answer = await client.get(path, params={"after": after} if after else {})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_each_piece_has_its_own_outcome(school, fractions):
    outcomes = await post(
        school.client(),
        piece(1, fractions),
        piece(2, fractions, score=1.5),
        piece(3, fractions, learner="stranger"),
        piece(4, fractions, performed_at="2099-01-01T00:00:00Z"),
        piece(1, fractions),
        piece(1, fractions, score=0.0),
        "nonsense",
        piece(5, "https://example.org/CFItems/unknown"),
    )
    assert [each["status"] for each in outcomes] == [
        "accepted", "refused", "parked", "refused", "repeated", "refused", "refused", "parked",
    ]  # fmt: skip
    assert outcomes[1]["field"] == "score"
    assert outcomes[2]["reasons"] == ["unknown-learner"]
    assert outcomes[5]["code"] == "identity-taken"
    assert outcomes[7]["reasons"] == ["unknown-competency"]


async def test_a_read_after_an_accepted_write_shows_it(school, fractions):
    (outcome,) = await post(school.client(), piece(1, fractions))
    after = f"{outcome['stream']}@{outcome['version']}"
    assert (await standing(school, fractions, after))["evidence_count"] == 1
    path = f"/assessment/v1/learners/{await school.learner('learner-1')}/mastery"
    (outcome,) = await post(school.client(), piece(2, fractions))
    answer = await school.client("coach-1", "coach").get(
        path, params={"after": f"{outcome['stream']}@{outcome['version']}"}
    )
    assert [each["evidence_count"] for each in answer.json()["mastery"]] == [2]


async def test_the_same_idempotency_key_with_another_body_is_refused(school, fractions):
    client = school.client()
    await post(client, piece(1, fractions), **{"Idempotency-Key": "k1"})
    (again,) = await post(client, piece(1, fractions), **{"Idempotency-Key": "k1"})
    assert again["status"] == "repeated"
    answer = await client.post(EVIDENCE, json={"evidence": [piece(2, fractions)]}, headers={"Idempotency-Key": "k1"})
    assert answer.status_code == 422
    assert answer.json()["code"] == "command-id-reused"


async def test_learner_guardian_and_coach_see_one_number_and_strangers_none(school, fractions):
    (outcome,) = await post(school.client(), piece(1, fractions))
    learner = await school.learner("learner-1")
    after = f"{outcome['stream']}@{outcome['version']}"
    coach = await standing(school, fractions, after)
    assert await standing(school, fractions, caller=school.client("s1", "student", learners=[learner])) == coach
    assert await standing(school, fractions, caller=school.client("g1", "guardian", learners=[learner])) == coach
    path = f"/assessment/v1/learners/{learner}/mastery"
    other = school.client("s2", "student", learners=[await school.learner("learner-2")])
    assert (await other.get(path)).status_code == 404
    assert (await school.client().get(path)).status_code == 403
    foreign = await school.client("c", "coach", tenant="district-2").get(path)
    assert foreign.json()["mastery"] == []


async def test_rubric_observation_and_item_move_one_estimate(school, fractions):
    seen = []
    for number, kind in enumerate(("item", "rubric", "observation"), start=1):
        more = {"score": None, "level": 3, "levels": 4} if kind == "rubric" else {}
        (outcome,) = await post(school.client(), piece(number, fractions, kind=kind, **more))
        seen.append((await standing(school, fractions, f"{outcome['stream']}@1"))["estimate"])
    assert seen == sorted(seen)
    assert len(set(seen)) == 3


async def test_help_and_modified_work_are_told_and_weighed(school, fractions, decimals):
    (plain,) = await post(school.client(), piece(1, fractions))
    (helped,) = await post(
        school.client(), piece(2, decimals, circumstances={"assistance": "adult", "rater": "adult-1"})
    )
    unaided = await standing(school, fractions, f"{plain['stream']}@1")
    aided = await standing(school, decimals, f"{helped['stream']}@1")
    assert 0.5 < aided["estimate"] < unaided["estimate"]
    (modified,) = await post(school.client(), piece(3, fractions, circumstances={"modification": "fewer choices"}))
    assert (await standing(school, fractions, f"{modified['stream']}@1"))["estimate"] == unaided["estimate"]
    kept = (await school.client().get(f"{EVIDENCE}/{helped['evidence_id']}")).json()
    assert kept["evidence"]["circumstances"]["assistance"] == "adult"
    assert kept["evidence"]["circumstances"]["rater"].startswith("adu_")


async def test_a_provider_registered_as_a_machine_cannot_pass_its_feedback_off_as_items(school, fractions):
    admin = school.client("admin-1", "district-admin")
    path = "/assessment/v1/providers/tutor-bot"
    assert (await admin.put(path, json={"title": "Tutor bot", "only_kind": "ai-feedback"})).status_code == 200
    pieces = [piece(number, fractions, kind="item") for number in range(1, 30)]
    outcomes = await post(school.client("tutor-bot"), *pieces)
    shown = await standing(school, fractions, f"{outcomes[-1]['stream']}@1")
    await school.settle()
    assert not shown["earned"]
    kept = (await school.client("tutor-bot").get(f"{EVIDENCE}/{outcomes[0]['evidence_id']}")).json()
    assert kept["evidence"]["kind"] == "ai-feedback"


async def test_a_persons_award_is_kept_whatever_follows_and_only_a_person_takes_it_back(school, fractions):
    coach = school.client("coach-1", "coach")
    path = f"/assessment/v1/learners/{await school.learner('learner-1')}/mastery/{fractions}"
    assert (await school.client().post(f"{path}/award", json={"reason": "x"})).status_code == 403
    assert (await coach.post(f"{path}/award", json={"reason": "shown before a panel"})).status_code == 200
    await post(school.client(), *(piece(number, fractions, score=0.0) for number in range(1, 9)))
    await school.settle()
    shown = await standing(school, fractions)
    assert (shown["earned"], shown["awarded_by"]) == (True, "coach-1")
    stale = await coach.post(f"{path}/award/withdrawal", json={"reason": "mixed up"}, headers={"If-Match": '"1"'})
    assert stale.status_code == 412
    assert (await coach.post(f"{path}/award/withdrawal", json={"reason": "mixed up"})).status_code == 200
    assert not (await standing(school, fractions))["earned"]
    await school.settle()
    assert not school.heard[-1].earned


async def test_an_adopted_policy_reestimates_everybody_and_takes_nothing_away(school, fractions, decimals):
    await post(school.client(), *(piece(number, fractions) for number in range(1, 8)))
    await post(school.client(), *(piece(10 + number, decimals) for number in range(1, 5)))
    await school.settle()
    assert (await standing(school, fractions))["earned"]
    admin = school.client("admin-1", "district-admin")
    body = {"level": 0.9, "reason": "agreed by the board"}
    assert (await admin.put("/assessment/v1/policy", json=body)).status_code == 428
    adopted = await admin.put("/assessment/v1/policy", json=body, headers={"If-Match": '"0"'})
    assert (adopted.status_code, adopted.json()["result"]) == (200, {"version": 2})
    await school.settle()
    after = await standing(school, fractions)
    assert (after["earned"], after["policy_version"]) == (True, 2)
    assert (await standing(school, decimals))["policy_version"] == 2
    assert school.heard[-1].policy_version == "2"
    unreachable = await admin.put(
        "/assessment/v1/policy", json={"level": 0.999, "confidence": 4, "reason": "x"}, headers={"If-Match": '"1"'}
    )
    assert unreachable.status_code == 422


async def test_an_adopted_calibration_gives_a_hard_item_its_weight(school, fractions, decimals):
    admin = school.client("admin-1", "district-admin")
    body = {"items": {"item-1": {"difficulty": 2.5}}, "reason": "calibrated on last year's answers"}
    adopted = await admin.put("/assessment/v1/calibration", json=body, headers={"If-Match": '"0"'})
    assert adopted.json()["result"] == {"version": 2}
    await post(school.client(), piece(1, fractions), piece(2, decimals))
    await school.settle()
    assert (await standing(school, fractions))["estimate"] > (await standing(school, decimals))["estimate"]


async def test_evidence_is_voided_by_its_provider_with_a_reason(school, fractions):
    one, two = await post(school.client(), piece(1, fractions), piece(2, fractions))
    await school.settle()
    path = f"{EVIDENCE}/{one['evidence_id']}/voiding"
    assert (await school.client("other-app").post(path, json={"reason": "wrong"})).status_code == 404
    assert (await school.client().post(path, json={"reason": "sent for the wrong learner"})).status_code == 200
    await school.settle()
    assert (await standing(school, fractions))["evidence_count"] == 1
    assert (await school.client().get(f"{EVIDENCE}/{one['evidence_id']}")).json()["status"] == "voided"
    assert (await school.client().get(f"{EVIDENCE}/{two['evidence_id']}")).json()["status"] == "counted"


async def test_parked_evidence_is_paged_and_mapped_to_known_competencies_only(school, fractions):
    await post(school.client(), *(piece(number, "https://example.org/units/7") for number in range(1, 6)))
    await school.settle()
    coach = school.client("coach-1", "coach")
    first = (await coach.get("/assessment/v1/parked", params={"limit": 3})).json()
    second = (await coach.get("/assessment/v1/parked", params={"limit": 3, "cursor": first["next_cursor"]})).json()
    assert (len(first["parked"]), len(second["parked"]), second["next_cursor"]) == (3, 2, "")
    path = f"/assessment/v1/parked/{first['parked'][0]['evidence_id']}/mapping"
    refused = await coach.post(path, json={"competencies": ["https://example.org/units/8"]})
    assert refused.status_code == 422
    assert refused.json()["unknown"] == ["https://example.org/units/8"]
    assert (await coach.post(path, json={"competencies": [fractions]})).status_code == 200


async def test_a_call_without_a_token_or_with_a_huge_body_is_refused(school):
    client = school.client()
    too_much = await client.post(EVIDENCE, content=b"x" * 4_000_001, headers={"Content-Type": "application/json"})
    assert too_much.status_code == 413
    many = await client.post(EVIDENCE, json={"evidence": [{}] * 501})
    assert many.status_code == 413
    del client.headers["Authorization"]
    assert (await client.post(EVIDENCE, json={"evidence": []})).status_code == 401


async def test_no_sis_id_and_no_response_stands_in_the_log(school, fractions, tmp_path):
    await post(school.client(), piece(1, fractions, circumstances={"rater": "adult-0001", "group": ["learner-2"]}))
    await school.settle()
    stored = b"".join(path.read_bytes() for path in tmp_path.glob("assessment.sqlite*"))
    assert (await school.learner("learner-1")).encode() in stored
    for name in (b"learner-1", b"learner-2", b"adult-0001"):
        assert name not in stored
