"""A week is planned again on the site's cadence and on events; what changed between two versions is stored and said."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support import school
from tests.support.running import District, System, until

FOLLOWING_WEEK = "2026-W42"


def moment(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.fixture
def in_rounds(tmp_path: Path, start: Callable[[Path], AbstractContextManager[System]]) -> Iterator[District]:
    """A school that plans every week on the Friday before at 16:00 and publishes it on the Saturday at 16:00, local time."""
    people = school.pupils()
    description = school.site_description(
        school.studios(), people, cadence={"days_before": 3, "at": "16:00"}, publishing="automatic"
    )
    with start(tmp_path / "data") as system:
        district = system.district(school.TENANT)
        district.bring_in(people, description)
        district.send_evidence([one for who in people for one in school.answers(who.sourced_id, "N1", 4)])
        # Some are ahead, so that there is a studio of the next step, with room.
        ahead = ("pupil-01", "pupil-07", "pupil-09", "pupil-13")
        district.send_evidence([one for name in ahead for one in school.answers(name, "N1", 6, first=20)])
        district.settle()
        yield district


@pytest.mark.capability(28)
def test_a_week_is_planned_on_the_cadence_repaired_on_an_event_and_published_at_the_cut_off(
    in_rounds: District,
) -> None:
    clock = in_rounds.system.clock
    assert in_rounds.get(f"/scheduling/v1/sites/{school.SITE}/plans")["plans"] == []
    clock.advance_to(moment("2026-10-02T13:59:00"))
    in_rounds.settle()
    assert in_rounds.get(f"/scheduling/v1/sites/{school.SITE}/plans")["plans"] == []
    clock.advance_to(moment("2026-10-02T14:01:00"))
    (planned,) = until(lambda: in_rounds.get(f"/scheduling/v1/sites/{school.SITE}/plans")["plans"])
    assert (planned["week"], planned["proposed"]["reason"]) == (school.WEEK, "cadence")
    assert planned["proposed"]["safe"]
    first = planned["proposed"]["plan_id"]

    learner = in_rounds.learner_ids()["Pupil Number03"]
    before = in_rounds.timetable(learner)
    in_rounds.send_evidence(school.answers("pupil-03", "N1", 6, first=20))
    in_rounds.settle()
    repaired = in_rounds.document()["proposed"]
    assert (repaired["reason"], repaired["previous_plan_id"]) == ("path", first)
    (move,) = repaired["moves"]
    # What was forced names what forced it; a move of choice is explained by the plan's causes and the new block's reason.
    assert (move["learner_id"], move["reason_code"]) == (learner, "need-met" if move["forced"] else "")
    assert len(repaired["causes"]) == 1
    after = in_rounds.timetable(learner)
    changed = [new for old, new in zip(before, after, strict=False) if old["session"] != new["session"]]
    assert len(changed) >= move["changed_sessions"] >= 1
    asked = {"at_ms": changed[0]["starts_at_ms"], "week": school.WEEK, "proposed": True}
    assert in_rounds.get(f"/scheduling/v1/learners/{learner}/explanation", **asked)["reasons"]
    assert [one["reason"] for one in in_rounds.document()["versions"]] == ["cadence", "path"]

    clock.advance_to(moment("2026-10-03T14:01:00"))
    published = until(lambda: in_rounds.document()["published"])
    assert (published["plan_id"], published["automatic"]) == (repaired["plan_id"], True)
    assert until(lambda: in_rounds.timetable(learner, proposed=False)) == after

    clock.advance_to(moment("2026-10-09T14:01:00"))
    weeks = until(lambda: two_weeks(in_rounds))
    assert weeks == [school.WEEK, FOLLOWING_WEEK]
    assert in_rounds.document(week=FOLLOWING_WEEK)["proposed"]["reason"] == "cadence"
    in_rounds.settle()
    assert in_rounds.verify()["clean"]


def two_weeks(district: District) -> list[str]:
    plans = district.get(f"/scheduling/v1/sites/{school.SITE}/plans")["plans"]
    return sorted(one["week"] for one in plans) if len(plans) == 2 else []
