"""Evidence counts once whoever reports it, and where it was performed whenever it arrives."""

import pytest

from tests.support import school
from tests.support.running import XAPI, District, answered

COMPETENCY = school.competency("N3")


def standing(district: District, learner: str) -> dict[str, object]:
    district.settle()
    found = district.get(f"/assessment/v1/learners/{learner}/mastery")["mastery"]
    return next(one for one in found if one["competency_id"] == COMPETENCY)


@pytest.mark.capability(25)
def test_two_providers_that_report_one_attempt_do_not_count_twice(planned: District) -> None:
    learner = planned.learner_ids()["Pupil Number07"]
    reports = [school.statement("pupil-07", "N3", number, correct=number == 1) for number in (1, 2)]
    for provider, report in zip(("reader-app", "school-lms"), reports, strict=True):
        report["context"]["extensions"] = {"urn:atelier:xapi:circumstances": {"attempt_id": "attempt-25"}}
        client = planned.client("partner", subject=provider)
        answered(client.post("/assessment/xapi/statements", json=report, headers=XAPI))
    assert standing(planned, learner)["evidence_count"] == 1
    behind = planned.get(f"/assessment/v1/learners/{learner}/mastery/{COMPETENCY}/evidence")["evidence"]
    assert {one["provider"] for one in behind} == {"reader-app", "school-lms"}
    planned.send_evidence([school.statement("pupil-07", "N3", 3)])
    assert standing(planned, learner)["evidence_count"] == 2


@pytest.mark.capability(36)
def test_evidence_recorded_offline_lands_where_it_was_performed_days_before(planned: District) -> None:
    learner = planned.learner_ids()["Pupil Number08"]
    planned.send_evidence(school.answers("pupil-08", "N3", 5))
    before = standing(planned, learner)
    position = planned.heads()["assessment"]
    planned.send_evidence([school.statement("pupil-08", "N3", 50, correct=False, at="2026-09-24T11:30:00Z")])
    after = standing(planned, learner)
    assert after["performed_at_ms"] == before["performed_at_ms"]
    assert after["estimate"] < before["estimate"]
    behind = planned.get(f"/assessment/v1/learners/{learner}/mastery/{COMPETENCY}/evidence")["evidence"]
    assert behind[0]["item"].endswith("N3-50")
    assert behind[0]["recorded_at_ms"] - behind[0]["performed_at_ms"] > 7 * 86_400_000
    assert behind == sorted(behind, key=lambda one: one["performed_at_ms"])
    arrived = planned.log("assessment", position)
    assert arrived[0]["stream"].startswith("attempt/")
    assert arrived[0]["position"] == position + 1
