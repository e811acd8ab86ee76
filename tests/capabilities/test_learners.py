"""A learner's profile says where each fact comes from; their path is everybody's who may write in it, in versions."""

import pytest

from tests.support import school
from tests.support.running import District, answered

DAY = 86_400_000


@pytest.mark.capability(22)
def test_the_path_returns_the_frontier_whose_prerequisites_are_satisfied(planned: District) -> None:
    learner = planned.learner_ids()["Pupil Number09"]
    path = f"/pathing/v1/learners/{learner}/frontier"
    before = {one["code"] for one in planned.get(path)["frontier"]}
    assert before == {"N1", "W1"}
    planned.send_evidence(school.answers("pupil-09", "N1", 6, first=20))
    planned.settle()
    frontier = {one["code"]: one for one in planned.get(path)["frontier"]}
    assert set(frontier) == {"N2", "W1"}
    gate = {"code": "gate-met", "competency_id": school.competency("N1"), "by": "earned"}
    assert gate in frontier["N2"]["reasons"]
    unready = planned.get(f"/pathing/v1/learners/{learner}/competencies/{school.competency('N3')}/readiness")
    assert unready["ready"] is False


@pytest.mark.capability(48)
def test_a_path_has_versions_by_engine_learner_and_coach(planned: District) -> None:
    learner = planned.learner_ids()["Pupil Number10"]
    path = f"/pathing/v1/learners/{learner}/path"
    student = planned.client("student", subject="pupil-10", learners=[learner])
    seen = student.get(path)
    first = seen.json()["revision"]
    wish = {"competency_ids": [school.competency("W1"), school.competency("N1")]}
    moved = student.post(f"{path}/reorder", json=wish, headers={"If-Match": seen.headers["etag"]})
    assert answered(moved)["revision"] == first + 1
    stale = student.post(f"{path}/reorder", json=wish, headers={"If-Match": seen.headers["etag"]})
    assert stale.status_code == 412
    edit = {"order": [school.competency("N1")], "reason": "The studio begins with numbers"}
    coach = planned.client("coach")
    answered(coach.post(f"{path}/coach-edits", json=edit, headers={"If-Match": moved.headers["etag"]}))
    planned.send_evidence(school.answers("pupil-10", "N1", 6, first=20))
    planned.settle()
    history = answered(coach.get(path))
    authors = [one["author"] for one in history["revisions"]]
    assert authors[0] == "engine"
    assert authors[-first - 2 : -first] == ["coach", "student"]
    assert [one["revision"] for one in history["revisions"]] == list(range(history["revision"], 0, -1))
    assert {one["tag"] for one in history["revisions"]} <= {"approach", "pace", "student-voice"}


@pytest.mark.capability(45)
def test_every_fact_of_a_profile_has_source_time_confidence_and_visibility_and_stale_ones_are_marked(
    planned: District,
) -> None:
    profile = f"/profile/v1/learners/{planned.learner_ids()['Pupil Number11']}"
    now = planned.system.clock.now()
    observed = {
        "kind": "observation",
        "value": "Explains patterns to others.",
        "confidence": 0.6,
        "source": "classroom visit",
        "observed_at": now - 3 * DAY,
        "expires_at": now - DAY,
    }
    noted = answered(planned.client("coach").post(f"{profile}/facts", json=observed))
    facts = planned.get(profile, after=noted["after"])["facts"]
    for fact in facts:
        assert fact["source"] and 0 < fact["observed_at"] <= now
        assert 0.0 <= fact["confidence"] <= 1.0
        assert fact["visibility"] in {"family", "staff", "support", "restricted", "reporting"}
    assert {fact["kind"] for fact in facts if fact["stale"]} == {"observation"}
    said = next(fact for fact in facts if fact["kind"] == "observation")
    assert (said["source"], said["confidence"]) == ("classroom visit", 0.6)
