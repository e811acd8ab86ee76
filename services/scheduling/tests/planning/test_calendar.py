"""Weeks in dated real time: cycles, special days, the weeks in which clocks change, the next week."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from atelier_common.errors import InvalidInput
from atelier_scheduling.engine.times import DayKind, Interval, local_of
from atelier_scheduling.planning.calendar import dates_of, days_and_slots, week_after, week_of, without

CYCLE = {"cycle": ["A", "B", "C"], "cycle_starts": "2026-09-07"}


def days(make: Any, week: str = "2026-W38", **differing: Any) -> list[tuple[str, str, str]]:
    found, _ = days_and_slots(week, make.described(**differing))
    return [(day.date, day.cycle_day, str(day.kind)) for day in found]


def test_a_week_has_the_school_days_of_the_site(make: Any) -> None:
    assert days(make) == [("2026-09-14", "", "ordinary"), ("2026-09-15", "", "ordinary")]
    assert [one[0] for one in days(make, school_days=[5, 1])] == ["2026-09-14", "2026-09-18"]


def test_a_cycle_runs_over_weeks(make: Any) -> None:
    assert [one[1] for one in days(make, "2026-W37", **CYCLE)] == ["A", "B"]
    assert [one[1] for one in days(make, **CYCLE)] == ["C", "A"]


def test_a_closed_day_does_not_use_up_a_day_of_the_cycle(make: Any) -> None:
    closed = [{"date": "2026-09-08", "closed": True, "note": "Snow"}]
    assert days(make, "2026-W37", special_days=closed, **CYCLE)[1][2] == "closed"
    assert [one[1] for one in days(make, special_days=closed, **CYCLE)] == ["B", "C"]


def test_a_special_day_may_name_its_own_day_of_the_cycle(make: Any) -> None:
    special = [{"date": "2026-09-14", "cycle_day": "B"}]
    assert days(make, special_days=special, **CYCLE)[0] == ("2026-09-14", "B", "special")


def test_a_closed_day_has_no_slots(make: Any) -> None:
    closed = [{"date": "2026-09-14", "closed": True}]
    found, slots = days_and_slots("2026-W38", make.described(special_days=closed))
    assert found[0].kind is DayKind.CLOSED
    assert {slot.date for slot in slots} == {"2026-09-15"}


def test_on_a_special_day_other_bells_ring_under_the_usual_name(make: Any) -> None:
    late = {"id": "late", "slots": [{"name": "Only block", "start": "10:00", "end": "11:00"}]}
    bells = [*make.described().model_dump(mode="json")["bells"], late]
    special = [{"date": "2026-09-14", "bells": {"blocks": "late"}}]
    _, slots = days_and_slots("2026-W38", make.described(bells=bells, special_days=special))
    of_monday = [(slot.bell, slot.name) for slot in slots if slot.date == "2026-09-14" and slot.bell == "blocks"]
    assert of_monday == [("blocks", "Only block")]
    assert sum(slot.date == "2026-09-15" and slot.bell == "blocks" for slot in slots) == 5


def test_slots_ring_on_their_weekdays_and_cycle_days_only(make: Any) -> None:
    slots = [
        {"name": "Mondays", "start": "09:00", "end": "10:00", "weekdays": [1]},
        {"name": "On C", "start": "10:00", "end": "11:00", "cycle_days": ["C"]},
        {"name": "On A", "start": "11:00", "end": "12:00", "cycle_days": ["A"]},
    ]
    _, found = days_and_slots("2026-W38", make.described(bells=[{"id": "blocks", "slots": slots}], **CYCLE))
    assert [(slot.date, slot.name) for slot in found] == [
        ("2026-09-14", "Mondays"),
        ("2026-09-14", "On C"),
        ("2026-09-15", "On A"),
    ]


@pytest.mark.parametrize(("week", "hours"), [("2026-W10", 24 * 7 - 1), ("2026-W44", 24 * 7 + 1)])
def test_in_a_week_in_which_clocks_change_bells_ring_by_the_wall_clock(make: Any, week: str, hours: int) -> None:
    description = make.described(school_days=[1, 2, 3, 4, 5, 6, 7])
    _, slots = days_and_slots(week, description)
    _, after = days_and_slots(f"{week[:-2]}{int(week[-2:]) + 1}", description)
    assert {local_of(slot.interval.start, description.time_zone)[1] for slot in slots if slot.name == "Circle"} == {510}
    assert all(slot.interval.minutes == 20 for slot in slots if slot.name == "Circle")
    assert after[0].interval.start - slots[0].interval.start == hours * 60


@pytest.mark.parametrize(
    ("local", "week"),
    [
        (datetime(2026, 9, 13, 23, tzinfo=UTC), "2026-W38"),
        # Monday in UTC, Sunday still at the site.
        (datetime(2026, 9, 14, 3, tzinfo=UTC), "2026-W38"),
        (datetime(2026, 9, 14, 12, tzinfo=UTC), "2026-W39"),
        (datetime(2026, 12, 30, 12, tzinfo=UTC), "2027-W01"),
    ],
)
def test_the_next_week_begins_after_now_at_the_site(make: Any, local: datetime, week: str) -> None:
    assert week_after(int(local.timestamp() * 1000), make.described()) == week


def test_the_last_days_of_a_year_may_belong_to_the_next(make: Any) -> None:
    assert week_of(date(2026, 12, 31)) == "2026-W53"
    assert [one.isoformat() for one in dates_of("2026-W53", make.described())] == ["2026-12-28", "2026-12-29"]


@pytest.mark.parametrize("text", ["", "2026", "2026-38", "2026-W60", "2026-W00", "W38", "2026-Wxx"])
def test_what_is_no_week_is_refused(make: Any, text: str) -> None:
    with pytest.raises(InvalidInput):
        dates_of(text, make.described())


def test_what_is_left_of_time_outside_of_other_time() -> None:
    here = (Interval(0, 100), Interval(200, 300))
    assert without(here, (Interval(50, 60), Interval(90, 210))) == (
        Interval(0, 50),
        Interval(60, 90),
        Interval(210, 300),
    )
    assert without(here, (Interval(0, 300),)) == ()
    assert without(here, ()) == here
