"""Goals, requests and reflections: what counts as one, and what an answer is."""

from dataclasses import replace

import pytest
from atelier_common.errors import InvalidInput, NotFound, RuleBroken
from atelier_common.testing.spec import Specification
from atelier_profile.domain.goal import (
    CloseGoal,
    Goal,
    GoalClosed,
    GoalProgressLogged,
    GoalSet,
    LogGoalProgress,
    Measure,
    SetGoal,
    goal,
    progress,
)
from atelier_profile.domain.provenance import Provenance, Visibility
from atelier_profile.domain.reflection import ReflectionWritten, WriteReflection, reflection
from atelier_profile.domain.request import AnswerRequest, FileRequest, RequestAnswered, RequestFiled, Subject, request

NOW = 1_790_000_000_000
"""2026-09-21 in UTC."""
OWN = Provenance("learner", NOW, 1.0, Visibility.FAMILY)
WORDS = "sealed:1:lrn_1:AAAA"
SMART = SetGoal(
    "g-1", "lrn_1", WORDS, "digest", Measure("competencies", ("c1", "c2")), 2, "2026-12-18", "short", OWN, NOW
)
SET = GoalSet("g-1", Goal("lrn_1", Measure("competencies", ("c1", "c2")), 2, "2026-12-18", "short", OWN, WORDS))
BOOKS = GoalSet("g-1", Goal("lrn_1", Measure("count", unit="books"), 10, "2026-12-18", "long", OWN, WORDS))


def test_a_goal_with_measure_target_and_date_is_set() -> None:
    Specification(goal).when(SMART).then(SET)


def test_a_goal_without_measure_target_or_date_is_refused_and_told_what_is_missing() -> None:
    bare = replace(SMART, measure=None, target=None, due=None)
    Specification(goal).when(bare).refused(InvalidInput, missing=["measure", "target", "due"])
    Specification(goal).when(replace(SMART, due=None)).refused(InvalidInput, missing=["due"])


@pytest.mark.parametrize(
    ("command", "field"),
    [
        (replace(SMART, target=3), "target"),
        (replace(SMART, measure=Measure("effort")), "measure"),
        (replace(SMART, measure=Measure("estimate", ("c1",)), target=1.2), "target"),
        (replace(SMART, measure=Measure("count"), target=5), "target"),
        (replace(SMART, due="next week"), "due"),
        (replace(SMART, due="2026-09-20"), "due"),
        (replace(SMART, horizon="someday"), "horizon"),
        (replace(SMART, statement=""), "statement"),
    ],
)
def test_a_goal_that_cannot_be_measured_or_reached_is_refused(command: SetGoal, field: str) -> None:
    Specification(goal).when(command).refused(InvalidInput, field=field)


def test_progress_is_computed_from_mastery_and_not_claimed() -> None:
    assert progress(SET.goal, 0.0, {"c1": (0.9, True), "c2": (0.4, False)}) == 1.0
    assert progress(replace(SET.goal, measure=Measure("estimate", ("c2",))), 0.0, {"c2": (0.4, False)}) == 0.4
    Specification(goal).given(SET).when(LogGoalProgress("g-1", 1, NOW)).refused(RuleBroken, rule="progress-computed")


def test_a_counted_goal_adds_up_what_is_logged() -> None:
    logged = GoalProgressLogged("g-1", "lrn_1", 2, 2)
    Specification(goal).given(BOOKS, logged).when(LogGoalProgress("g-1", 3, NOW)).then(
        GoalProgressLogged("g-1", "lrn_1", 3, 5)
    )


def test_a_closed_goal_stays_closed() -> None:
    Specification(goal).given(SET).when(CloseGoal("g-1", "met", NOW)).then(GoalClosed("g-1", "lrn_1", "met"))
    closed = Specification(goal).given(SET, GoalClosed("g-1", "lrn_1", "met"))
    closed.when(SMART).refused(RuleBroken, rule="goal-closed")


def test_a_goal_that_nobody_set_cannot_be_closed() -> None:
    Specification(goal).when(CloseGoal("g-1", "met", NOW)).refused(NotFound)


OBJECTION = FileRequest("r-1", "lrn_1", "objection", Subject("placement", "ses-9"), WORDS, "digest", "lrn_1", NOW)
FILED = RequestFiled("r-1", "lrn_1", "objection", Subject("placement", "ses-9"), WORDS, "lrn_1", NOW)
ANSWER = AnswerRequest("r-1", "granted", WORDS, "digest", "adu_1", NOW + 1)


def test_a_learner_objects_to_a_placement_and_gets_a_recorded_answer() -> None:
    Specification(request).when(OBJECTION).then(FILED)
    Specification(request).given(FILED).when(ANSWER).then(
        RequestAnswered("r-1", "lrn_1", "granted", WORDS, "adu_1", NOW + 1)
    )


def test_an_answer_is_given_once_with_its_reason_to_something_that_was_filed() -> None:
    Specification(request).when(ANSWER).refused(NotFound)
    Specification(request).given(FILED).when(replace(ANSWER, text="")).refused(InvalidInput, field="text")
    answered = RequestAnswered("r-1", "lrn_1", "granted", WORDS, "adu_1", NOW)
    Specification(request).given(FILED, answered).when(ANSWER).refused(RuleBroken, rule="answered-once")


def test_a_request_says_what_it_is_about() -> None:
    Specification(request).when(replace(OBJECTION, about=Subject("placement", ""))).refused(InvalidInput, field="about")
    Specification(request).when(replace(OBJECTION, kind="complaint")).refused(InvalidInput, field="kind")


def test_a_reflection_is_linked_to_its_evidence_and_written_once() -> None:
    command = WriteReflection("w-1", "lrn_1", WORDS, "digest", ("ev-1",), ("c1",), "lrn_1", NOW)
    written = ReflectionWritten("w-1", "lrn_1", WORDS, ("ev-1",), ("c1",), "lrn_1", NOW)
    Specification(reflection).when(command).then(written)
    Specification(reflection).given(written).when(command).refused(RuleBroken, rule="written-once")
