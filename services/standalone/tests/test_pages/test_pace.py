"""On pace or not: as much done as time is over, and silence where nothing can be told."""

from datetime import date

import pytest
from atelier_scheduling.engine.plan import Alarm
from atelier_standalone.pages import owing, words
from atelier_standalone.pages.pace import is_on_pace, share_of_time
from atelier_words.plain import without_grades

SET_ON, DUE = date(2026, 9, 1), date(2026, 9, 11)


@pytest.mark.parametrize(
    ("done", "today", "expected"),
    [
        (0.0, date(2026, 9, 1), None),
        (0.0, date(2026, 9, 2), False),
        (0.5, date(2026, 9, 6), True),
        (0.4, date(2026, 9, 6), False),
        (1.0, date(2026, 9, 1), True),
        (0.9, date(2026, 9, 30), False),
    ],
)
def test_pace_compares_what_is_done_with_the_time_that_is_over(done: float, today: date, expected: bool | None) -> None:
    assert is_on_pace(done, SET_ON, DUE, today) is expected


def test_a_goal_that_is_due_on_its_first_day_has_no_time_left() -> None:
    assert share_of_time(SET_ON, SET_ON, SET_ON) == 1.0


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ("Grade 4: Tells a story.", "Tells a story."),
        ("Tells a story (Grade 3)", "Tells a story"),
        (
            "Next on the path, and ready for it: Tells a story for 4th graders.",
            "Next on the path, and ready for it: Tells a story.",
        ),
        ("Grades the road bed.", "Grades the road bed."),
        ("Tells a story.", "Tells a story."),
    ],
)
def test_grades_go_and_everything_else_stays(given: str, plain: str) -> None:
    assert without_grades(given) == plain


def test_times_are_told_on_the_sites_clock() -> None:
    assert words.moment(1_789_430_400_000, "America/Chicago") == "Monday 14 September 2026, 19:00"
    assert words.week("2026-W38") == "the week of Monday 14 September 2026"
    assert words.minutes(80) == "1 hour 20 minutes"


def test_an_alarm_is_a_sentence() -> None:
    one = Alarm("obligation-owed", (("obligation", "subject-minutes"), ("count", "3"), ("minutes", "1200")))
    assert owing.alarm(one) == "Subject minutes: 1,200 minutes owed to 3 people."
    assert owing.alarm(Alarm("something-new")) == "Something new."
