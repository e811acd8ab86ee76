"""A person's decision is recorded, survives every solve, and is never undone in silence."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import school
from tests.support.running import District, answered

MONDAY = school.MONDAY.isoformat()
REASON = "asked to work on this with a friend"
Block = dict[str, Any]


@pytest.fixture
def two_subjects(empty: District) -> District:
    """Everybody needs numbers and words, and one adult teaches each: at any time some are in one and some in the other."""
    people = school.pupils()
    model = dataclasses.replace(school.studios(), bells=school.studios().bells[:1])
    empty.bring_in(
        people,
        school.site_description(
            model,
            people,
            bell_of=dict.fromkeys(("early", "late"), "early"),
            certificates={"adult-1": [school.NUMBERS], "adult-2": [school.WORDS]},
        ),
    )
    empty.plan()
    return empty


def at(district: District, learner: str, moment: int) -> Block:
    (block,) = [one for one in district.timetable(learner) if one["starts_at_ms"] <= moment < one["ends_at_ms"]]
    return block


def decide(district: District, learner: str, block: Block, **more: Any) -> Any:
    """A coach places the learner in the zone of a block, for as long as it lasts."""
    body = {
        "action": "place",
        "reason": REASON,
        "starts_at_ms": block["starts_at_ms"],
        "ends_at_ms": block["ends_at_ms"],
        "learners": [learner],
        "week": school.WEEK,
        **more,
    }
    return district.client("coach", subject="coach-88").post(f"/scheduling/v1/sites/{school.SITE}/overrides", json=body)


def overrides(district: District) -> dict[str, Any]:
    listed = district.get(f"/scheduling/v1/sites/{school.SITE}/overrides")["overrides"]
    return {one["override_id"]: one for one in listed}


def elsewhere(district: District) -> Iterator[tuple[str, Block]]:
    """Learners on Monday, and for each a studio at that time that is about something else and has room."""
    sessions = district.sessions(MONDAY)
    for target in sessions:
        if not target["shared_gap"] or len(target["members"]) >= target["seats"]:
            continue
        for other in sessions:
            overlap = other["starts_at_ms"] < target["ends_at_ms"] and target["starts_at_ms"] < other["ends_at_ms"]
            if overlap and other["focus"] != target["focus"]:
                yield from ((learner, target) for learner in other["members"])


def placed(district: District) -> tuple[str, Block, str]:
    """Somebody whom the coach could place in another studio, that studio, and the override's id."""
    rules = set()
    for learner, target in elsewhere(district):
        given = decide(district, learner, target, zone=target["zone"], focus=target["focus"], subject=target["subject"])
        if given.status_code == 201:
            district.settle()
            return learner, target, given.json()["override_id"]
        rules.add(given.json()["rule"])
    raise AssertionError(f"nobody could be placed anywhere: {rules}")


@pytest.mark.capability(88)
def test_an_override_has_owner_and_reason_and_holds_through_solves_repairs_and_publication(
    two_subjects: District,
) -> None:
    district = two_subjects
    learner, target, override = placed(district)
    held = overrides(district)[override]
    assert (held["owner"], held["reason"], held["standing"]) == ("coach-88", REASON, "given")
    assert district.document()["proposed"]["reason"] == "override"
    moment = target["starts_at_ms"]
    assert at(district, learner, moment)["focus"] == target["focus"]
    assert at(district, learner, moment)["why_code"] == "override.place"

    district.plan()
    assert at(district, learner, moment)["focus"] == target["focus"]
    neighbour = next(one for one in target["members"] if one != learner)
    name = next(name for name, key in district.learner_ids().items() if key == neighbour)
    district.send_evidence(school.answers(f"pupil-{name[-2:]}", "N1", 6, first=20))
    district.settle()
    assert district.document()["proposed"]["reason"] in ("path", "request")
    assert at(district, learner, moment)["focus"] == target["focus"]
    district.publish()
    published = district.get(f"/scheduling/v1/learners/{learner}/timetable", week=school.WEEK)["blocks"]
    block = next(one for one in published if one["present"] and one["starts_at_ms"] <= moment < one["ends_at_ms"])
    assert (block["focus"], block["why_code"]) == (target["focus"], "override.place")
    assert overrides(district)[override]["standing"] == "given"
    assert district.verify()["clean"]


@pytest.mark.capability(88)
def test_an_override_that_would_be_unsafe_is_refused_and_the_rule_named(two_subjects: District) -> None:
    district = two_subjects
    before = district.document()["proposed"]["plan_id"]
    learner, target = next(elsewhere(district))
    answer = decide(district, learner, target, focus=school.competency("N5"), subject=school.NUMBERS)
    assert answer.status_code == 409, answer.text
    assert (answer.json()["code"], answer.json()["rule"]) == ("rule-broken", "prerequisite")
    district.settle()
    assert overrides(district) == {}
    assert district.document()["proposed"]["plan_id"] == before


@pytest.mark.capability(88)
def test_an_override_that_becomes_unsafe_is_suspended_named_and_comes_back_when_it_may(
    two_subjects: District,
) -> None:
    district = two_subjects
    learner, target, override = placed(district)
    assert at(district, learner, target["starts_at_ms"])["zone"] == target["zone"]

    profile = f"/profile/v1/learners/{learner}"
    tag = district.admin.get(profile).headers["ETag"]
    bar = {"restrictions": [{"id": "bar-88", "kind": "bar-zone", "other_id": target["zone"]}]}
    barred = district.admin.patch(f"{profile}/supports", json=bar, headers={"If-Match": tag})
    answered(barred)
    district.settle()
    assert district.document()["proposed"]["safe"]
    assert at(district, learner, target["starts_at_ms"])["zone"] != target["zone"]
    district.publish()
    suspended = overrides(district)[override]
    assert (suspended["standing"], suspended["rule"], suspended["owner"]) == ("suspended", "bar", "coach-88")

    lifted = district.admin.patch(
        f"{profile}/supports", json={"end": ["bar-88"]}, headers={"If-Match": barred.headers["ETag"]}
    )
    answered(lifted)
    district.settle()
    assert at(district, learner, target["starts_at_ms"])["zone"] == target["zone"]
