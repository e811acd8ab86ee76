"""What a person decided, on a plan that stands: only the learners named move, safety stands above it, and nothing later undoes it."""

import importlib.util
from dataclasses import replace
from functools import cache
from pathlib import Path

from atelier_scheduling.engine import door
from atelier_scheduling.engine.changes import (
    Change,
    Changes,
    LearnerAbsent,
    NeedsChanged,
    OverrideGiven,
    OverrideWithdrawn,
    Repaired,
    ZoneLost,
)
from atelier_scheduling.engine.difference import difference
from atelier_scheduling.engine.needs import Focus, FocusKind
from atelier_scheduling.engine.overrides import Override, OverrideAction, OverrideStanding
from atelier_scheduling.engine.plan import Attendance, PlacedBy, Plan, Presence
from atelier_scheduling.engine.problem import SiteProblem
from atelier_scheduling.engine.sessions import Session
from atelier_scheduling.oracle import check


@cache
def school() -> SiteProblem:
    spec = importlib.util.spec_from_file_location("tight_school", Path(__file__).with_name("tight_school.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    problem: SiteProblem = module.tight_school(64, 1, 8, 2)
    # One adult and one room more than the tightest week has, so that somebody can make room at all.
    spare = replace(problem.adults[0], id="adt_spare", roles=("coach",), certificates=("arts",))
    room = replace(problem.zones[0], id="z-project-spare", name="Spare workshop", kind="project", room="spare")
    return replace(problem, adults=(*problem.adults, spare), zones=(*problem.zones, room))


@cache
def usual() -> Plan:
    made = door.plan(school())
    assert isinstance(made, Plan)
    return made


def repaired(problem: SiteProblem, plan: Plan, *changes: Change) -> Repaired:
    answer = door.repair(problem, plan, Changes(changes))
    assert isinstance(answer.plan, Plan), answer.plan
    assert check(answer.problem, answer.plan) == []
    return answer


def session_of(plan: Plan | object, row: Attendance) -> Session:
    assert isinstance(plan, Plan)
    return next(one for one in plan.sessions if one.id == row.session)


@cache
def wish() -> Override:
    """Somebody who could as well sit in another session of the same time, which still has a seat."""
    needs = {(need.learner, need.focus) for need in school().needs}
    seated: dict[str, int] = {}
    for row in usual().attendances:
        seated[row.session] = seated.get(row.session, 0) + (row.presence is Presence.PRESENT)
    for row in usual().attendances:
        for session in usual().sessions:
            if (
                row.because.code in ("supervised.study", "home.own-group", "studio.competency", "studio.project")
                and session.interval == row.interval
                and session.focus is not None
                and (session.focus.kind is FocusKind.PROJECT or (row.learner, session.focus) in needs)
                and session.focus.kind in (FocusKind.COMPETENCY, FocusKind.PROJECT)
                and session.id != row.session
                and seated[session.id] < session.most
            ):
                order = Override(
                    "ovr-1",
                    "adt_001",
                    "a promise",
                    OverrideAction.PLACE,
                    row.interval,
                    learners=(row.learner,),
                    session=session.id,
                )
                answer = door.repair(school(), usual(), Changes((OverrideGiven(order),)))
                if isinstance(answer.plan, Plan) and answer.plan.overrides[0].standing is OverrideStanding.HONOURED:
                    return order
    raise AssertionError("nobody could be placed elsewhere")


@cache
def decided() -> Repaired:
    return repaired(school(), usual(), OverrideGiven(wish()))


def where(plan: Plan | object, order: Override) -> list[Attendance]:
    assert isinstance(plan, Plan)
    return [
        row
        for row in plan.attendances
        if row.learner in order.learners and row.interval.overlaps(order.scope) and row.presence is Presence.PRESENT
    ]


def held(plan: Plan | object, order: Override) -> bool:
    assert isinstance(plan, Plan)
    standing = {one.override: one.standing for one in plan.overrides}
    rows = where(plan, order)
    return standing[order.id] is OverrideStanding.HONOURED and {row.session for row in rows} == {order.session}


def test_a_decision_moves_the_learner_it_names_and_nobody_else() -> None:
    answer = decided()
    assert not answer.whole
    assert held(answer.plan, wish())
    assert answer.difference is not None
    assert answer.difference.learners == wish().learners
    assert all(move.forced and move.code == "override" for move in answer.difference.moves)


def test_the_receipt_says_that_a_person_decided() -> None:
    row = where(decided().plan, wish())[0]
    assert (row.because.code, row.because.placed_by) == ("override.place", PlacedBy.COACH)
    assert ("override", wish().id) in row.because.parameters


def test_later_repairs_leave_the_decision_standing() -> None:
    answer, order = decided(), wish()
    assert isinstance(answer.plan, Plan)
    session = session_of(answer.plan, where(answer.plan, order)[0])
    others = next(one.id for one in school().learners if one.id not in order.learners)
    mine = tuple(n for n in school().needs if n.learner in order.learners and n.focus.kind is not FocusKind.PROJECT)
    kept = tuple(need for need in mine if need.focus == session.focus or need.focus.kind is not FocusKind.COMPETENCY)
    problem, plan = answer.problem, answer.plan
    for change in (
        LearnerAbsent(others, session.interval),
        NeedsChanged(order.learners[0], kept),
        ZoneLost(session.zone, session.interval),
    ):
        again = repaired(problem, plan, change)
        assert isinstance(again.plan, Plan)
        standing = next(one.standing for one in again.plan.overrides if one.override == order.id)
        if standing is OverrideStanding.HONOURED:
            assert held(again.plan, order)
        else:
            # Nobody could hold that session without its place: the owner is told.
            assert isinstance(change, ZoneLost)
            assert standing is OverrideStanding.SUSPENDED
        problem, plan = again.problem, again.plan


def test_a_whole_plan_leaves_the_decision_standing_and_moves_others_within_their_budget() -> None:
    answer, order = decided(), wish()
    assert isinstance(answer.plan, Plan)
    plan = door.plan(answer.problem, answer.plan)
    assert isinstance(plan, Plan)
    assert check(answer.problem, plan) == []
    assert held(plan, order)
    moves = difference(answer.plan, plan).moves
    budget = answer.problem.policy.moves_most
    for learner in {move.learner for move in moves}:
        assert sum(move.learner == learner and not move.forced for move in moves) <= budget


def test_a_decision_against_safety_is_refused_naming_the_rule_and_nobody_moves() -> None:
    far = Focus(FocusKind.COMPETENCY, "calculus", "mathematics")
    order = replace(wish(), id="ovr-3", focus=far, session="")
    answer = repaired(school(), usual(), OverrideGiven(order))
    assert isinstance(answer.plan, Plan)
    assert not answer.whole
    assert [(one.standing, one.rule) for one in answer.plan.overrides] == [(OverrideStanding.REFUSED, "prerequisite")]
    assert answer.plan.attendances == usual().attendances
    assert answer.plan.sessions == usual().sessions


def test_a_session_that_is_full_refuses_by_name() -> None:
    order = wish()
    session = next(one for one in usual().sessions if one.id == order.session)
    sitting = sum(row.session == session.id and row.presence is Presence.PRESENT for row in usual().attendances)
    full = replace(
        usual(), sessions=tuple(replace(one, most=sitting) if one is session else one for one in usual().sessions)
    )
    answer = repaired(school(), full, OverrideGiven(order))
    assert isinstance(answer.plan, Plan)
    assert [(one.standing, one.rule) for one in answer.plan.overrides] == [(OverrideStanding.REFUSED, "adult-cap")]
    assert answer.plan.attendances == full.attendances


def test_who_is_kept_out_stays_out_through_later_repairs_and_whole_plans() -> None:
    row = next(one for one in usual().attendances if one.because.code == "studio.competency")
    focus = session_of(usual(), row).focus
    days = [slot.interval for slot in school().slots]
    scope = replace(row.interval, start=min(one.start for one in days), end=max(one.end for one in days))
    order = Override(
        "ovr-4", "adt_001", "not now", OverrideAction.KEEP_OUT, scope, learners=(row.learner,), focus=focus
    )
    answer = repaired(school(), usual(), OverrideGiven(order))
    assert not answer.whole
    assert answer.difference is not None
    assert answer.difference.learners == (row.learner,)
    fresh = tuple(replace(one, urgency=1.0) for one in school().needs if one.learner == row.learner)
    assert isinstance(answer.plan, Plan)
    later = repaired(answer.problem, answer.plan, NeedsChanged(row.learner, fresh))
    assert isinstance(later.plan, Plan)
    read = Plan.from_json(later.plan.to_json())
    for plan in (answer.plan, later.plan, door.plan(later.problem, read)):
        assert isinstance(plan, Plan)
        assert plan.overrides[0].standing is OverrideStanding.HONOURED
        mine = [session_of(plan, one) for one in plan.attendances if one.learner == row.learner]
        assert all(one.focus != focus for one in mine)


def test_a_withdrawn_decision_moves_nobody_and_its_receipt_is_gone() -> None:
    answer = decided()
    assert isinstance(answer.plan, Plan)
    again = repaired(answer.problem, answer.plan, OverrideWithdrawn(wish().id))
    assert isinstance(again.plan, Plan)
    assert not again.whole
    assert again.plan.overrides == ()
    assert again.difference is not None
    assert again.difference.moves == ()
    assert not any(row.because.code == "override.place" for row in again.plan.attendances)


def test_a_decision_gives_the_same_bytes_from_memory_and_from_stored_bytes() -> None:
    answer = decided()
    assert isinstance(answer.plan, Plan)
    read = door.repair(
        SiteProblem.from_json(school().to_json()), Plan.from_json(usual().to_json()), Changes((OverrideGiven(wish()),))
    )
    assert isinstance(read.plan, Plan)
    assert read.plan.to_json() == answer.plan.to_json()
