"""One posted result reaches mastery, profile view, path and proposed timetable, and every step names what caused it."""

import pytest

from tests.support import school
from tests.support.running import XAPI, District, answered
from tests.support.tracing import Causes


def a_studio_of_the_next_step(district: District) -> None:
    """Some have shown N1 when the week is planned, so that there is a studio for what comes after it, with room."""
    ahead = ("pupil-01", "pupil-07", "pupil-09", "pupil-13")
    district.send_evidence([one for name in ahead for one in school.answers(name, "N1", 6, first=20)])
    district.settle()
    district.plan()


@pytest.mark.capability(15)
def test_a_proficiency_event_moves_profile_path_and_timetable_and_each_names_its_cause(
    school_of_its_own: District,
) -> None:
    district = school_of_its_own
    a_studio_of_the_next_step(district)
    learner = district.learner_ids()["Pupil Number03"]
    before, plan_before = district.heads(), district.document()["proposed"]
    week_before = district.timetable(learner)
    correlation = "5f0c1a52-3b1e-4d8a-9c55-000000000015"
    sent = district.provider.post(
        "/assessment/xapi/statements",
        json=school.answers("pupil-03", "N1", 6, first=20),
        headers={**XAPI, "X-Correlation-Id": correlation},
    )
    answered(sent)
    district.settle()

    progress = district.get(f"/profile/v1/learners/{learner}/progress")["competencies"]
    assert [one["earned"] for one in progress if one["competency_id"] == school.competency("N1")] == [True]
    frontier = [one["code"] for one in district.get(f"/pathing/v1/learners/{learner}/frontier")["frontier"]]
    assert "N2" in frontier and "N1" not in frontier
    plan = district.document()["proposed"]
    assert (plan["reason"], plan["previous_plan_id"]) == ("path", plan_before["plan_id"])
    assert [one["learner_id"] for one in plan["moves"]] == [learner]
    foci = {one["focus"] for one in district.timetable(learner)}
    assert school.competency("N2") not in {one["focus"] for one in week_before}
    assert school.competency("N2") in foci

    causes = Causes(district)
    log = district.log("scheduling", before["scheduling"])
    proposal = [one for one in log if one["stream"].startswith("plan/")][-1]
    assert [event["type"] for event in proposal["events"]] == ["plan.proposed", "plan.superseded"]
    walked = [(one.get("service", "scheduling"), one["stream"].split("/lrn_")[0]) for one in causes.behind(proposal)]
    asked = ("scheduling", f"planning/{school.SITE}:2026-10-02")
    moved = ("scheduling", "pathing/path")
    assert walked[:3] == [("scheduling", f"plan/{school.SITE}:{school.WEEK}"), asked, moved]
    # Of the six answers of one request those stand behind the plan that moved the path together: in one process all of them.
    together = walked.count(("pathing", "assessment/mastery"))
    assert 1 <= together <= 6
    attempts = {stream for service, stream in walked if service == "assessment"}
    assert len(attempts) == together
    assert all(stream.startswith("attempt/") for stream in attempts)
    assert len(walked) == 1 + walked.count(asked) + walked.count(moved) + together + together
    assert {one["correlation_id"] for one in causes.behind(proposal)} == {correlation}
    shown = district.log("profile", before["profile"])
    mastery = [one for one in shown if one["stream"].startswith("assessment/mastery/")]
    assert mastery and {one["correlation_id"] for one in mastery} == {correlation}
    assert district.verify()["clean"]


@pytest.mark.capability(20)
def test_a_result_of_any_provider_shows_in_mastery_path_and_groups_or_waits_with_a_reason(
    school_of_its_own: District,
) -> None:
    district = school_of_its_own
    known = school.answers("pupil-05", "W1", 6, first=30)
    stranger = school.statement("nobody-we-know", "N1", 1)
    astray = school.statement("pupil-05", "N1", 99)
    astray["context"]["contextActivities"]["grouping"][0]["id"] = "https://elsewhere.example.org/items/7"
    for provider in ("reader-app", "school-lms"):
        client = district.client("partner", subject=provider)
        sent = known[:3] if provider == "reader-app" else [*known[3:], stranger, astray]
        answered(client.post("/assessment/xapi/statements", json=sent, headers=XAPI))
    district.settle()

    learner = district.learner_ids()["Pupil Number05"]
    standing = {
        one["competency_id"]: one for one in district.get(f"/assessment/v1/learners/{learner}/mastery")["mastery"]
    }
    assert standing[school.competency("W1")]["evidence_count"] == 4 + 6
    assert "W2" in [one["code"] for one in district.get(f"/pathing/v1/learners/{learner}/frontier")["frontier"]]
    groups = [
        one
        for one in district.sessions(school.MONDAY.isoformat(), studios=True)
        if learner in one["members"] and learner not in one["practising"]
    ]
    assert all(school.competency("W1") not in {gap["competency_id"] for gap in one["shared_gap"]} for one in groups)
    parked = {one["reference"]: one["reasons"] for one in district.get("/assessment/v1/parked")["parked"]}
    assert parked == {stranger["id"]: ["unknown-learner"], astray["id"]: ["unknown-competency"]}
