"""Repair touches only whom it must and answers alike from memory and from bytes; explanations are true and tell nothing planted."""

import importlib.util
from dataclasses import replace
from functools import cache
from pathlib import Path

from atelier_scheduling.engine import door
from atelier_scheduling.engine.changes import (
    AdultAbsent,
    Change,
    Changes,
    DayClosed,
    LearnerAbsent,
    NeedsChanged,
    Repaired,
    ZoneLost,
)
from atelier_scheduling.engine.needs import FocusKind, Gate, GateMetBy, Need
from atelier_scheduling.engine.people import Pair, PairKind
from atelier_scheduling.engine.plan import Attendance, Plan, Presence
from atelier_scheduling.engine.problem import SiteProblem
from atelier_scheduling.engine.questions import Asking, Question
from atelier_scheduling.engine.rendering import NEUTRAL_SENTENCE
from atelier_scheduling.oracle import check


@cache
def school() -> SiteProblem:
    spec = importlib.util.spec_from_file_location("tight_school", Path(__file__).with_name("tight_school.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    problem: SiteProblem = module.tight_school(112, 1, 8, 3)
    return problem


@cache
def usual() -> Plan:
    made = door.plan(school())
    assert isinstance(made, Plan)
    return made


def repaired(*changes: Change) -> Repaired:
    answer = door.repair(school(), usual(), Changes(changes))
    assert isinstance(answer.plan, Plan), answer.plan
    assert check(answer.problem, answer.plan) == []
    return answer


def taught() -> tuple[Attendance, Need]:
    """Somebody's seat in a studio, and the need it serves."""
    needs = {need.id: need for need in school().needs}
    for row in usual().attendances:
        if row.because.code == "studio.competency":
            return row, needs[dict(row.because.parameters)["need"]]
    raise AssertionError("nobody is taught")


def after_mastering(need: Need) -> NeedsChanged:
    return NeedsChanged(
        need.learner, tuple(one for one in school().needs if one.learner == need.learner and one is not need)
    )


def test_a_mastered_competency_moves_its_learner_and_nobody_else() -> None:
    row, need = taught()
    answer = repaired(after_mastering(need))
    assert not answer.whole
    assert answer.difference is not None
    assert answer.difference.learners == (row.learner,)
    assert all(move.forced for move in answer.difference.moves if move.before == row.session)


def test_a_repair_gives_the_same_bytes_from_memory_and_from_stored_bytes() -> None:
    _, need = taught()
    change = Changes((after_mastering(need),))
    warm = door.repair(school(), usual(), change)
    assert isinstance(warm.plan, Plan)
    later = Changes((NeedsChanged(school().learners[5].id, ()),))
    kept = door.repair(warm.problem, warm.plan, later)
    read = door.repair(SiteProblem.from_json(warm.problem.to_json()), Plan.from_json(warm.plan.to_json()), later)
    assert isinstance(kept.plan, Plan)
    assert isinstance(read.plan, Plan)
    assert kept.plan.to_json() == read.plan.to_json()


def test_an_absent_learner_is_expected_nowhere_and_nobody_else_moves() -> None:
    row, _ = taught()
    answer = repaired(LearnerAbsent(row.learner, row.interval))
    assert isinstance(answer.plan, Plan)
    assert not any(
        one.learner == row.learner and one.interval.overlaps(row.interval) for one in answer.plan.attendances
    )
    assert answer.difference is not None
    assert answer.difference.learners == (row.learner,)
    assert answer.plan.metrics.moves_of_choice == 0


def test_an_absent_adult_leaves_everybody_supervised() -> None:
    row, _ = taught()
    session = next(one for one in usual().sessions if one.id == row.session)
    answer = repaired(AdultAbsent(session.staff[0].adult, session.interval))
    assert isinstance(answer.plan, Plan)
    for one in answer.plan.sessions:
        if one.interval.overlaps(session.interval):
            assert all(member.adult != session.staff[0].adult for member in one.staff)
    assert answer.difference is not None
    assert len(answer.difference.learners) < len(school().learners)
    assert all(abs(move.interval.start - session.interval.start) < 120 for move in answer.difference.moves)


def test_a_lost_place_is_not_used_again() -> None:
    row, _ = taught()
    session = next(one for one in usual().sessions if one.id == row.session)
    answer = repaired(ZoneLost(session.zone, session.interval))
    assert isinstance(answer.plan, Plan)
    for one in answer.plan.sessions:
        assert one.zone != session.zone or not one.interval.overlaps(session.interval)


def test_a_snow_day_has_no_sessions_and_the_other_days_stand() -> None:
    date = school().days[1].date
    closed = [slot.interval for slot in school().slots if slot.date == date]
    answer = repaired(DayClosed(date))
    assert isinstance(answer.plan, Plan)
    assert not any(one.interval.overlaps(slot) for one in answer.plan.sessions for slot in closed)


def test_why_names_the_focus_and_its_readiness() -> None:
    row, need = taught()
    said = door.explain(school(), usual(), Question(Asking.WHY, row.learner, row.interval.start))
    assert said.session == row.session
    assert said.reasons[0].code == "studio.competency"
    assert ("focus", need.focus.id) in said.reasons[0].parameters
    assert "Fractions" in door.render(said, {need.focus.id: "Fractions"})[0]


def test_why_is_true_without_the_need_the_placement_is_gone() -> None:
    row, need = taught()
    answer = repaired(after_mastering(need))
    assert isinstance(answer.plan, Plan)
    assert not any(one.learner == row.learner and one.session == row.session for one in answer.plan.attendances)


def test_why_not_names_the_missing_prerequisite() -> None:
    row, need = taught()
    other = next(
        one
        for one in school().needs
        if one.learner == row.learner and one.focus.kind is FocusKind.COMPETENCY and one is not need
    )
    gated = tuple(
        replace(one, gates=(Gate("counting", GateMetBy.OPEN),)) if one is other else one for one in school().needs
    )
    problem = replace(school(), needs=gated)
    plan = door.plan(problem)
    assert isinstance(plan, Plan)
    here = next(one for one in plan.attendances if one.learner == row.learner and one.because.code.startswith("studio"))
    said = door.explain(
        problem, plan, Question(Asking.WHAT_WOULD_CHANGE, row.learner, here.interval.start, focus=other.focus)
    )
    assert said.reasons[0].code == "not.prerequisite"
    assert said.would_change[0].code == "would.prerequisite"


def test_a_service_reads_as_the_neutral_sentence() -> None:
    row = next(
        one
        for one in usual().attendances
        if one.because.code == "appointment.service" and one.presence is Presence.PRESENT
    )
    said = door.explain(school(), usual(), Question(Asking.WHY, row.learner, row.interval.start))
    assert door.render(said, {}) == (NEUTRAL_SENTENCE,)


def test_a_planted_apart_order_answers_like_a_full_room() -> None:
    """The same wish, with and without an order behind the refusal, gives the same words."""
    row, need = taught()
    peers = [one.learner for one in usual().attendances if one.session == row.session and one.learner != row.learner]
    order = Pair(row.learner, peers[0], PairKind.APART, order=True)
    problem = replace(school(), pairs=(*school().pairs, order))
    plan = door.plan(problem)
    assert isinstance(plan, Plan)
    answers = set()
    for made, asked in ((plan, problem), (usual(), school())):
        for session in made.sessions:
            if session.focus is None or session.focus.kind is not FocusKind.PROJECT:
                continue
            question = Question(Asking.WHY_NOT, row.learner, session.interval.start, zone=session.zone)
            said = door.explain(asked, made, question)
            answers |= {reason.code for reason in said.reasons}
            assert all(peer not in str(said) for peer in peers if peer != row.learner)
    assert answers <= {"arranged", "already-there", "not-on-site", "protected-time"}
    assert need.learner == row.learner


def test_diagnose_prices_what_one_more_adult_would_serve() -> None:
    small = replace(
        school(),
        slots=tuple(slot for slot in school().slots if slot.date == school().days[0].date),
        days=school().days[:1],
    )
    found = door.diagnose(small)
    assert found.feasible
    price = next(one for one in found.relaxations if one.code == "more-adults")
    assert price.served > 0


def test_time_before_the_freeze_is_left_alone_by_choice() -> None:
    until = max(slot.interval.end for slot in school().slots)
    frozen = replace(school(), policy=replace(school().policy, freeze_until=until))
    learner = school().learners[20].id
    fresh = tuple(replace(one, minutes=one.minutes + 30) for one in school().needs if one.learner == learner)
    answer = door.repair(frozen, usual(), Changes((NeedsChanged(learner, fresh),)))
    assert answer.difference is not None
    assert [move for move in answer.difference.moves if not move.forced] == []
