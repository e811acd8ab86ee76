"""Property: applying the difference of two plans of the engine to the first gives the second, in the order of deltas."""

import json
from functools import cache
from typing import Any

import pytest
from atelier_scheduling.engine import changes as change
from atelier_scheduling.engine import door, wire
from atelier_scheduling.engine.changes import Change, Changes
from atelier_scheduling.engine.plan import Plan
from atelier_scheduling.engine.problem import SiteProblem
from atelier_scheduling.engine.times import Interval
from atelier_scheduling.planning.assembling import assemble, with_birth_dates
from atelier_scheduling.planning.delta import PlanDelta, apply, difference, in_delta_order
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

DAYS = ("2026-09-14", "2026-09-15")


@pytest.fixture(scope="module")
def week() -> Any:
    """A function that gives the week's problem and plan, made once."""

    @cache
    def made(make: Any) -> tuple[SiteProblem, Plan]:
        problem = assemble(make.facts(), "2026-W38", 1_789_000_000_000)
        asked = with_birth_dates(problem, {one.birth_date: "2017-03-04" for one in problem.learners})
        answer = door.plan(asked, None, 1, 3)
        assert isinstance(answer, Plan)
        return asked, in_delta_order(answer)

    return made


def happening(problem: SiteProblem, kind: int, who: int, where: int) -> Change:
    """Something that may happen to the week."""
    learner = problem.learners[who % len(problem.learners)]
    slot = problem.slots[where % len(problem.slots)]
    match kind:
        case 0:
            return change.NeedsChanged(learner.id, ())
        case 1:
            needs = tuple(need for need in problem.needs if need.learner == learner.id)
            return change.NeedsChanged(learner.id, needs[1:])
        case 2:
            return change.LearnerAbsent(learner.id, slot.interval)
        case 3:
            return change.LearnerLeft(learner.id)
        case 4:
            return change.AdultAbsent(problem.adults[who % 3].id, slot.interval)
        case 5:
            return change.ZoneLost(problem.zones[who % 4].id, slot.interval)
        case _:
            return change.DayClosed(DAYS[who % 2])


HAPPENING = st.tuples(st.integers(0, 6), st.integers(0, 11), st.integers(0, 9))


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(HAPPENING, min_size=1, max_size=3))
def test_what_a_repair_changes_is_wholly_in_its_delta(make: Any, week: Any, drawn: list[tuple[int, int, int]]) -> None:
    problem, before = week(make)
    happened = tuple(happening(problem, *each) for each in drawn)
    repaired = door.repair(problem, before, Changes(happened), 1, 3)
    if not isinstance(repaired.plan, Plan):
        return
    delta = difference("base", "stored", "answers", before, repaired.plan)
    read = PlanDelta.from_json(delta.to_json())
    assert read == delta
    assert apply(before, read).to_json() == in_delta_order(repaired.plan).to_json()


def test_two_equal_plans_differ_in_nothing(make: Any, week: Any) -> None:
    _, plan = week(make)
    delta = difference("base", "stored", "answers", plan, plan)
    empty = PlanDelta("base", "stored", plan.problem, "answers", attendances_gone=(), metrics=plan.metrics)
    assert delta == empty
    assert apply(plan, delta) == plan


def test_a_learners_mastery_is_a_small_delta(make: Any, week: Any) -> None:
    problem, before = week(make)
    needs = tuple(need for need in problem.needs if need.learner == "lrn_03")
    happened = (change.NeedsChanged("lrn_03", needs[1:]),)
    repaired = door.repair(problem, before, Changes(happened), 1, 3)
    assert isinstance(repaired.plan, Plan)
    delta = difference("base", "stored", "answers", before, repaired.plan)
    assert delta.learners == ("lrn_03",)
    assert len(delta.to_json()) < len(repaired.plan.to_json()) / 4
    stayed = set(before.attendances) & set(repaired.plan.attendances)
    assert stayed.isdisjoint(delta.attendances)


def test_an_older_delta_replaces_all_attendances_of_its_learners(make: Any, week: Any) -> None:
    problem, before = week(make)
    learner = problem.learners[2].id
    rows = tuple(row for row in before.attendances if row.learner == learner)
    written = json.dumps(
        {
            "base": "base",
            "stored_problem": "stored",
            "problem": before.problem,
            "learners": [learner],
            "attendances": [json.loads(wire.write(row)) for row in rows[1:]],
            "changes": [{"type": "LearnerLeft", "learner": "lrn_99"}],
            "metrics": json.loads(wire.write(before.metrics)),
        }
    ).encode()
    delta = PlanDelta.from_json(written)
    assert delta.changes == (change.LearnerLeft("lrn_99"),)
    assert set(apply(before, delta).attendances) == set(before.attendances) - {rows[0]}


def test_an_interval_is_all_that_is_needed_to_say_who_is_away(make: Any, week: Any) -> None:
    problem, before = week(make)
    first = problem.slots[0].interval
    away = change.LearnerAbsent("lrn_00", Interval(first.start, first.end))
    repaired = door.repair(problem, before, Changes((away,)), 1, 3)
    assert isinstance(repaired.plan, Plan)
    after = apply(before, difference("base", "stored", "answers", before, repaired.plan))
    assert not [one for one in after.attendances if one.learner == "lrn_00" and one.interval.overlaps(first)]
