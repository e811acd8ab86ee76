"""Grids, zones, roles and words of a school are data: one engine plans sites that share none of them."""

import dataclasses
from datetime import date
from typing import Any

import pytest

from tests.support import school
from tests.support.running import ZIP, District, answered

STATION_SCHOOL = "fictional-stations"
MONDAY = school.MONDAY.isoformat()


def stations() -> school.Model:
    """Eight short slots on one bell, six days a week, other zones, other words, and sessions that need a guide."""
    return school.Model(
        bells=[
            {
                "id": "all",
                "title": "Eight slots",
                "slots": school.slots(
                    "Gathering 09:00 09:20 home",
                    "First 09:20 10:05 teaching",
                    "Second 10:05 10:50 teaching",
                    "Air 10:50 11:10 recess",
                    "Third 11:10 11:55 teaching",
                    "Meal 11:55 12:35 lunch",
                    "Fourth 12:35 13:20 flex",
                    "Fifth 13:20 14:05 teaching",
                ),
            }
        ],
        zones=[
            school.zone("kiln", "Kiln", "station", 10),
            school.zone("loom", "Loom", "station", 10),
            school.zone("forge", "Forge", "station", 10),
            school.zone("barn", "Barn", "open", 40, shared=True),
            school.zone("meadow", "Meadow", "field", 60, shared=True),
        ],
        kinds=[
            {**kind, "staff": [{"role": "guide", "count": 1}]} if kind["id"] == "station-turn" else kind
            for kind in school.kinds("station-turn", "station", "open", "field", cap=10)
        ],
        roles={"adult-1": ["guide"], "adult-2": ["guide"], "adult-3": ["helper"], "adult-4": ["helper"]},
    )


def four_slots() -> school.Model:
    """The same school in four long slots."""
    long_slots = ("Circle 09:00 09:30 home", "Morning 09:30 12:00 teaching")
    rest = ("Table 12:00 12:45 lunch", "Afternoon 12:45 14:45 teaching")
    bell = {"id": "long", "title": "Four slots", "slots": school.slots(*long_slots, *rest)}
    return dataclasses.replace(school.studios(), bells=[bell])


def grid(district: District, learner: str) -> list[tuple[str, str]]:
    return sorted({(one["start"], one["end"]) for one in district.timetable(learner) if one["date"] == MONDAY})


@pytest.mark.capability(29)
def test_the_same_engine_plans_four_long_slots_and_eight_short_ones_with_other_zones_and_roles(
    empty: District,
) -> None:
    people = school.pupils(16)
    day_of_four = school.site_description(four_slots(), people, bell_of=dict.fromkeys(("early", "late"), "long"))
    empty.bring_in(people, day_of_four)
    empty.send_evidence([one for who in people for one in school.answers(who.sourced_id, "N1", 4)])
    empty.settle()
    learner = empty.learner_ids()["Pupil Number04"]
    planned = empty.plan()["proposed"]
    assert (planned["safe"], planned["figures"]["learners"]) == (True, 16)
    assert grid(empty, learner) == [("09:00", "09:30"), ("09:30", "12:00"), ("12:00", "12:45"), ("12:45", "14:45")]
    assert {one["zone"] for one in empty.sessions(MONDAY)} <= {"birch", "cedar", "elm", "hall", "yard"}

    eight = school.site_description(
        stations(), people, bell_of=dict.fromkeys(("early", "late"), "all"), school_days=[1, 2, 3, 4, 5, 6]
    )
    empty.describe(eight)
    empty.settle()
    planned = empty.plan()["proposed"]
    assert (planned["safe"], planned["figures"]["learners"]) == (True, 16)
    assert len(grid(empty, learner)) == 8
    sessions = empty.sessions("2026-10-10")
    assert sessions, "the sixth day is a school day here"
    turns = [one for one in empty.sessions(MONDAY) if one["kind"] == "station-turn"]
    assert turns
    guides = guides_of(empty)
    for one in turns:
        assert one["zone"] in {"kiln", "loom", "forge"}
        assert guides.intersection(one["adults"])
        assert len(one["members"]) <= 10


def lessons(age_span_months: int) -> list[dict[str, Any]]:
    return school.kinds("studio-lesson", "studio", "commons", "outdoors", cap=14, age_span_months=age_span_months)


def guides_of(district: District) -> set[str]:
    """Who is a guide, from the description that holds."""
    held: dict[str, Any] = district.get(f"/scheduling/v1/sites/{school.SITE}")
    return {member["adult"] for member in held["staff"] if "guide" in member["roles"]}


def years_between(first: date, second: date) -> float:
    return abs((first - second).days) / 365.25


def widest_group(district: District, born: dict[str, date]) -> float:
    """Years between the oldest and the youngest of any group of the week."""
    groups = [
        [born[member] for member in one["members"]]
        for weekday in range(5, 10)
        for one in district.sessions(f"2026-10-{weekday:02d}", studios=True)
        if one["members"]
    ]
    return max(years_between(min(group), max(group)) for group in groups)


@pytest.mark.capability(40)
def test_a_group_spans_ages_up_to_the_configured_spread_and_grade_is_a_reporting_attribute_alone(
    school_of_its_own: District,
) -> None:
    district = school_of_its_own
    ids = district.learner_ids()
    people = school.pupils()
    born = {ids[one.name]: one.born for one in people}
    assert 3 < widest_group(district, born) <= 7
    narrow = dataclasses.replace(school.studios(), kinds=lessons(age_span_months=24))
    district.describe(school.site_description(narrow, people))
    district.settle()
    assert district.plan()["proposed"]["safe"]
    assert widest_group(district, born) < 2.1

    learner = ids["Pupil Number02"]
    profile = f"/profile/v1/learners/{learner}"
    (fact,) = [one for one in district.get(profile)["facts"] if one["kind"] == "enrolled-year"]
    assert fact["visibility"] == "reporting"
    for role in ("student", "guardian", "coach"):
        reader = district.client(role, subject=f"{role}-40", learners=[learner])
        seen = reader.get(profile).json()
        assert "enrolled-year" not in {one["kind"] for one in seen.get("facts", [])}
    stored = district.log("scheduling")
    contracts = [one for one in stored if one["stream"].startswith("profile/learner/")]
    assert contracts
    assert "enrolled" not in str(district.get(f"/scheduling/v1/learners/{learner}/timetable", week=school.WEEK))


@pytest.mark.capability(40)
def test_the_same_learners_with_other_grades_are_planned_alike(empty: District) -> None:
    people = school.pupils(12)
    description = school.site_description(school.studios(), people)
    empty.bring_in(people, description)
    for _ in range(3):
        planned = empty.plan()["proposed"]
    regraded = [dataclasses.replace(one, grade="05") for one in people]
    sent = empty.admin.post("/profile/v1/roster-imports", content=school.roster_zip(regraded), headers=ZIP)
    assert answered(sent)["counts"]["learner"]["changed"] > 0
    empty.settle()
    again = empty.plan()["proposed"]
    assert (again["problem_digest"], again["plan_digest"]) == (planned["problem_digest"], planned["plan_digest"])
