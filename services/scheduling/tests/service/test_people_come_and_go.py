"""Whoever comes, goes or changes is followed in every planned week, and the weeks of others stand."""

from typing import Any

import pytest
from atelier_scheduling.domain.plan import PlanProposed
from atelier_scheduling.engine.plan import Plan
from atelier_scheduling.planning.delta import PlanDelta, apply

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def latest(town: Any) -> Plan:
    """The week as its chain of proposals gives it."""
    proposals = [one for one in await town.plans() if isinstance(one, PlanProposed)]
    made = Plan.from_json(await town.part(proposals[0].plan_digest))
    for repair in proposals[1:]:
        made = apply(made, PlanDelta.from_json(await town.part(repair.plan_digest)))
    assert all(one.safe for one in proposals)
    return made


def expected(plan: Plan) -> set[str]:
    return {one.learner for one in plan.attendances}


async def test_a_learner_who_goes_to_another_site_is_expected_here_no_more(town: Any) -> None:
    await town.settle_in()
    await town.propose()
    moved = await town.enrol("learner-3", site_ids=["another-school"])
    await town.world.settle()
    plan = await latest(town)
    assert expected(plan) == set(town.learners) - {moved}
    assert (await town.week())["proposed"]["reason"] == "forced"


async def test_a_learner_who_leaves_or_is_erased_is_expected_no_more_and_a_new_one_is(town: Any) -> None:
    await town.settle_in()
    await town.propose()
    left = await town.enrol("learner-1", active=False)
    erased = town.learners[2]
    await town.erase(erased)
    new = await town.enrol("learner-99")
    await town.world.settle()
    assert expected(await latest(town)) == (set(town.learners) | {new}) - {left, erased}


async def test_an_adult_who_leaves_holds_nothing_any_more(town: Any) -> None:
    await town.settle_in()
    await town.propose()
    held = {staff.adult for session in (await latest(town)).sessions for staff in session.staff}
    gone = await town.adult("adult-1")
    assert gone in held
    await town.hire("adult-1", "teacher", active=False)
    await town.world.settle()
    plan = await latest(town)
    assert gone not in {staff.adult for session in plan.sessions for staff in session.staff}
    assert expected(plan) == set(town.learners)


async def test_a_learner_who_is_away_on_a_morning_is_expected_in_the_rest_of_the_week(town: Any) -> None:
    await town.settle_in()
    await town.propose()
    before = await latest(town)
    monday = [one for one in before.sessions if one.interval.start < before.sessions[0].interval.start + 300]
    start, end = min(one.interval.start for one in monday), max(one.interval.end for one in monday)
    away = await town.enrol("learner-0", absences=[{"starts_at_ms": start * 60_000, "ends_at_ms": end * 60_000}])
    await town.world.settle()
    after = [one.interval for one in (await latest(town)).attendances if one.learner == away]
    assert after
    assert not [one for one in after if one.start < end]
