"""Who has shown a step keeps the seat to practise until there is something better; what is only known of a learner moves nobody."""

import importlib.util
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

from atelier_scheduling.engine import door, wire
from atelier_scheduling.engine.applying import apply_changes
from atelier_scheduling.engine.changes import Changes, NeedsChanged, Repaired
from atelier_scheduling.engine.needs import Focus, FocusKind, Need, NeedState, Readiness
from atelier_scheduling.engine.plan import Attendance, Plan, Presence
from atelier_scheduling.engine.problem import SiteProblem
from atelier_scheduling.engine.questions import Asking, Question
from atelier_scheduling.engine.repair import repair
from atelier_scheduling.engine.sessions import Session
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


def repaired(*changes: NeedsChanged) -> tuple[Repaired, Plan]:
    answer = repair(school(), usual(), Changes(changes))
    assert isinstance(answer.plan, Plan), answer.plan
    assert check(answer.problem, answer.plan) == []
    return answer, answer.plan


def of(learner: str) -> tuple[Need, ...]:
    return tuple(one for one in school().needs if one.learner == learner)


def taught() -> Iterator[tuple[Attendance, Need]]:
    """Seats in studios, and the needs they serve."""
    needs = {need.id: need for need in school().needs}
    for row in usual().attendances:
        if row.because.code == "studio.competency":
            yield row, needs[dict(row.because.parameters)["need"]]


def shown(need: Need, *more: Need) -> NeedsChanged:
    left = tuple(one for one in of(need.learner) if one is not need)
    return NeedsChanged(need.learner, (*left, *more), shown=(need.focus.id,))


def seat(plan: Plan, learner: str, minute: int) -> tuple[Attendance, Session]:
    sessions = {session.id: session for session in plan.sessions}
    (row,) = (
        one
        for one in plan.attendances
        if one.learner == learner
        and one.presence is Presence.PRESENT
        and one.interval.start <= minute < one.interval.end
    )
    return row, sessions[row.session]


def wish(learner: str, focus: Focus) -> Need:
    """A step that became ready."""
    return Need(f"{learner}:next", learner, focus, times=1, urgency=1.0, readiness=Readiness(0.5, 0.3))


def test_a_shown_step_keeps_its_seat_and_says_so() -> None:
    for row, need in taught():
        answer, plan = repaired(shown(need))
        after, _ = seat(plan, row.learner, row.interval.start)
        if after.session == row.session:
            break
    else:
        raise AssertionError("everybody found something better")
    assert not answer.whole
    assert after.because.code == "studio.shown"
    why = door.explain(answer.problem, plan, Question(Asking.WHY, row.learner, row.interval.start))
    assert "studio.shown" in [reason.code for reason in why.reasons]
    assert "ready.now" not in [reason.code for reason in why.reasons]


def test_a_shown_step_is_neither_served_nor_unserved() -> None:
    _, need = next(taught())
    answer, plan = repaired(shown(need))
    (kept,) = (one for one in answer.problem.needs if one.id == need.id)
    assert kept.state is NeedState.SHOWN
    assert plan.metrics.needs == usual().metrics.needs - 1
    assert need.id not in {row.need for row in plan.unserved}


def test_a_step_that_waits_keeps_its_seat_and_one_that_is_not_ready_does_not() -> None:
    for row, need in taught():
        left = tuple(one for one in of(need.learner) if one is not need)
        _, waiting = repaired(NeedsChanged(need.learner, left, later=(need.focus.id,)))
        kept, session = seat(waiting, row.learner, row.interval.start)
        if session.focus == need.focus:
            break
    else:
        raise AssertionError("everybody found something better")
    assert kept.because.code == "studio.later"
    _, gone = repaired(NeedsChanged(need.learner, left))
    assert seat(gone, row.learner, row.interval.start)[1].focus != need.focus


def test_a_shown_step_makes_room_for_one_that_is_taught_at_the_same_time() -> None:
    crowd = Counter(row.session for row in usual().attendances if row.presence is Presence.PRESENT)
    tried = 0
    for row, need in taught():
        for session in usual().sessions:
            room = session.focus and session.focus.kind is FocusKind.COMPETENCY and crowd[session.id] < session.most
            if not room or session.interval != row.interval or session.focus in {one.focus for one in of(row.learner)}:
                continue
            assert session.focus is not None
            tried += 1
            answer, plan = repaired(shown(need, wish(row.learner, session.focus)))
            if seat(plan, row.learner, row.interval.start)[1].focus == session.focus:
                assert answer.difference is not None
                assert answer.difference.learners == (row.learner,)
                return
    raise AssertionError(f"none of {tried} found the seat that is left")


def test_who_only_practises_gives_way_to_who_needs_the_seat() -> None:
    crowd = Counter(row.session for row in usual().attendances if row.presence is Presence.PRESENT)
    full = {session.id: session for session in usual().sessions if crowd[session.id] >= session.most}
    practising = [one for one in usual().attendances if one.session in full and one.because.code == "studio.practice"]
    for guest in practising:
        session = full[guest.session]
        assert session.focus is not None
        for row in usual().attendances:
            if row.interval != session.interval or row.because.code not in ("supervised.study", "home.own-group"):
                continue
            if session.focus in {one.focus for one in of(row.learner)}:
                continue
            change = NeedsChanged(row.learner, (*of(row.learner), wish(row.learner, session.focus)))
            answer, plan = repaired(change)
            if seat(plan, row.learner, row.interval.start)[1].id == session.id:
                assert answer.difference is not None
                (other,) = set(answer.difference.learners) - {row.learner}
                before, _ = seat(usual(), other, row.interval.start)
                assert before.because.code == "studio.practice"
                assert plan.metrics.needs_served == usual().metrics.needs_served + 1
                return
    raise AssertionError("nobody gave way")


def test_a_seat_in_a_shown_step_goes_to_who_waits_for_it() -> None:
    crowd = Counter(row.session for row in usual().attendances if row.presence is Presence.PRESENT)
    full = {session.id: session for session in usual().sessions if crowd[session.id] >= session.most}
    for row, need in taught():
        if row.session not in full:
            continue
        for ground in usual().attendances:
            if ground.interval != row.interval or ground.because.code not in ("supervised.study", "home.own-group"):
                continue
            if need.focus in {one.focus for one in of(ground.learner)}:
                continue
            waits = NeedsChanged(ground.learner, (*of(ground.learner), wish(ground.learner, need.focus)))
            first, before = repaired(waits)
            if (
                first.difference is None
                or first.difference.moves
                or seat(before, row.learner, row.interval.start)[0] != row
            ):
                continue
            answer = repair(first.problem, before, Changes((shown(need),)))
            assert isinstance(answer.plan, Plan)
            assert check(answer.problem, answer.plan) == []
            if seat(answer.plan, ground.learner, row.interval.start)[1].id == row.session:
                assert seat(answer.plan, row.learner, row.interval.start)[1].id != row.session
                return
    raise AssertionError("nobody who waited got the seat")


def test_what_is_only_known_of_a_learner_moves_nobody() -> None:
    _, need = next(taught())
    surer = tuple(
        replace(one, readiness=Readiness(0.61, 0.1), evidence=("another",)) if one is need else one
        for one in of(need.learner)
    )
    answer = repair(school(), usual(), Changes((NeedsChanged(need.learner, surer),)))
    assert not answer.changed
    assert answer.plan is usual()
    assert answer.problem is school()


def test_who_asks_for_the_same_is_passed_over_beside_somebody_who_does_not() -> None:
    rows = taught()
    _, need = next(rows)
    other = next(one for _, one in rows if one.learner != need.learner)
    surer = tuple(replace(one, readiness=Readiness(0.61, 0.1)) if one is need else one for one in of(need.learner))
    answer, plan = repaired(NeedsChanged(need.learner, surer), shown(other))
    alone, same = repaired(shown(other))
    assert answer.answered == Changes((shown(other),))
    assert wire.write(plan) == wire.write(same)
    assert answer.problem == alone.problem


def test_what_is_said_twice_of_a_learner_in_one_repair_counts_as_it_was_said_last() -> None:
    _, need = next(taught())
    back = NeedsChanged(need.learner, of(need.learner))
    answer, _ = repaired(shown(need), back)
    assert answer.answered == Changes((shown(need), back))
    assert need.id in {one.id for one in answer.problem.needs if one.is_open}


def test_a_repair_after_one_that_changed_nothing_answers_as_from_bytes() -> None:
    rows = taught()
    _, need = next(rows)
    other = next(one for _, one in rows if one.learner != need.learner)
    surer = tuple(replace(one, readiness=Readiness(0.61, 0.1)) if one is need else one for one in of(need.learner))
    change = Changes((shown(other),))
    repair(school(), usual(), Changes((NeedsChanged(need.learner, surer),)))
    kept = repair(school(), usual(), change)
    plan = wire.read(Plan, wire.write(usual()))
    restored = repair(wire.read(SiteProblem, wire.write(school())), replace(plan, problem=plan.problem), change)
    assert wire.write(kept.plan) == wire.write(restored.plan)


def test_changes_of_needs_taken_together_are_the_same_as_one_after_the_other() -> None:
    rows = taught()
    _, first = next(rows)
    second = next(one for _, one in rows if one.learner != first.learner)
    changes = (shown(first), shown(second), NeedsChanged(first.learner, of(first.learner)[1:], shown=(first.focus.id,)))
    one_by_one = school()
    for change in changes:
        one_by_one = apply_changes(one_by_one, Changes((change,)))
    together = apply_changes(school(), Changes(changes))
    by_id = {need.id: need for need in together.needs}
    assert by_id == {need.id: need for need in one_by_one.needs}
    assert len(together.needs) == len(by_id)
