"""What a plan promises, asked of a tight school, and the failures of other systems that must not happen here."""

import importlib.util
import subprocess
import sys
from collections import defaultdict
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from atelier_scheduling.engine import door
from atelier_scheduling.engine.needs import Focus, FocusKind, Gate, GateMetBy, NeedClass
from atelier_scheduling.engine.overrides import Override, OverrideAction, OverrideStanding
from atelier_scheduling.engine.people import Accommodation, AccommodationKind, Bar, BarReason, BarTarget, Pin
from atelier_scheduling.engine.plan import Infeasible, Plan, Presence
from atelier_scheduling.engine.problem import SiteProblem
from atelier_scheduling.engine.times import Interval, SlotPurpose
from atelier_scheduling.oracle import check


def _tight() -> ModuleType:
    place = Path(__file__).with_name("tight_school.py")
    spec = importlib.util.spec_from_file_location("tight_school", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def school(learners: int = 96, days: int = 2, seed: int = 1) -> SiteProblem:
    problem: SiteProblem = _tight().tight_school(learners, seed, 8, days)
    return problem


def planned(problem: SiteProblem, previous: Plan | None = None) -> Plan:
    made = door.plan(problem, previous)
    assert isinstance(made, Plan), made
    return made


@cache
def usual() -> Plan:
    return planned(school())


def teaching_slot(problem: SiteProblem, bell: str, number: int = 0) -> Interval:
    rows = [slot for slot in problem.slots if slot.bell == bell and slot.purpose is SlotPurpose.TEACHING]
    return sorted(rows, key=lambda slot: slot.interval)[number].interval


def test_a_tight_school_gets_a_week_in_which_the_oracle_finds_nothing() -> None:
    assert check(school(), usual()) == []


def test_a_plan_is_not_supervised_study_for_everybody() -> None:
    metrics = planned(school(112, 3)).metrics
    assert metrics.contact_minutes > 260 * metrics.learners
    assert metrics.independent_share < 0.5
    assert metrics.needs_served_share > 0.4


def test_the_same_problem_and_seed_give_the_same_bytes() -> None:
    assert planned(school()).to_json() == usual().to_json()


def test_the_order_in_which_facts_arrived_does_not_show() -> None:
    problem = school()
    shuffled = replace(
        problem,
        learners=problem.learners[::-1],
        needs=problem.needs[::-1],
        adults=problem.adults[::-1],
        zones=problem.zones[::-1],
        slots=problem.slots[::-1],
    )
    assert replace(planned(shuffled), problem="") == replace(usual(), problem="")


def test_another_process_with_another_hash_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "problem").write_bytes(school().to_json())
    code = (
        "import sys; from pathlib import Path; from atelier_scheduling.engine import door;"
        "from atelier_scheduling.engine.problem import SiteProblem;"
        "sys.stdout.buffer.write(door.plan(SiteProblem.from_json(Path(sys.argv[1]).read_bytes())).to_json())"
    )
    made = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "problem")],
        check=True,
        capture_output=True,
        env={"PYTHONHASHSEED": "77"},
    )
    assert made.stdout == usual().to_json()


def test_a_plan_reads_back_from_its_bytes() -> None:
    assert Plan.from_json(usual().to_json()) == usual()
    assert SiteProblem.from_json(school().to_json()) == school()


def test_no_adult_has_more_learners_than_the_cap() -> None:
    problem, plan = school(), usual()
    caps = {kind.id: kind.cap for kind in problem.kinds}
    present = defaultdict(set)
    for row in plan.attendances:
        if row.presence is Presence.PRESENT:
            present[row.session].add(row.learner)
    for session in plan.sessions:
        assert len(present[session.id]) <= caps[session.kind] * len(session.staff)


def test_nobody_has_the_same_lesson_two_days_running() -> None:
    plan = usual()
    days = {slot.interval.start: slot.date for slot in school().slots}
    dates = sorted(set(days.values()))
    met = defaultdict(set)
    sessions = {session.id: session for session in plan.sessions}
    for row in plan.attendances:
        session = sessions[row.session]
        if session.focus is not None and session.focus.kind is FocusKind.COMPETENCY:
            met[row.learner, session.focus].add(dates.index(days[session.interval.start]))
    assert met
    for when in met.values():
        assert not any(day + 1 in when for day in when)


def test_a_topic_beyond_its_prerequisites_is_never_taught() -> None:
    problem = school()
    first = next(need for need in problem.needs if need.focus.kind is FocusKind.COMPETENCY)
    blocked = tuple(
        replace(need, gates=(Gate("fractions", GateMetBy.OPEN),)) if need.focus == first.focus else need
        for need in problem.needs
    )
    plan = planned(replace(problem, needs=blocked))
    assert not any(session.focus == first.focus for session in plan.sessions)
    assert any(row.need == first.id and row.code == "unserved.prerequisite" for row in plan.unserved)


def test_a_learner_with_extended_time_is_owed_more_minutes() -> None:
    problem = school()
    need = next(need for need in problem.needs if need.focus.kind is FocusKind.SERVICE)
    timed = tuple(replace(one, timed=True) if one is need else one for one in problem.needs)
    longer = (Accommodation(AccommodationKind.EXTENDED_TIME, factor=1.5),)
    people = tuple(replace(one, accommodations=longer) if one.id == need.learner else one for one in problem.learners)
    plan = planned(replace(problem, needs=timed, learners=people))
    line = next(line for line in plan.obligations if line.need == need.id)
    assert line.due == 90
    assert line.scheduled == 90


def test_one_unfilled_post_leaves_a_school_day() -> None:
    problem = school()
    plan = planned(replace(problem, adults=problem.adults[1:]))
    assert check(replace(problem, adults=problem.adults[1:]), plan) == []


def test_a_service_that_cannot_be_given_is_named_and_owed() -> None:
    problem = school()
    adults = tuple(replace(one, roles=("coach",)) for one in problem.adults)
    plan = planned(replace(problem, adults=adults))
    lines = [line for line in plan.obligations if line.obligation == "service-minutes"]
    assert lines
    assert all(line.owed == line.due and line.code == "owed.no-provider" for line in lines)
    assert any(alarm.code == "obligation-owed" for alarm in plan.alarms)


def test_a_pull_out_keeps_its_learners_on_the_roster_they_came_from() -> None:
    plan = usual()
    services = {session.id: session for session in plan.sessions if session.kind == "service"}
    pulled = [row for row in plan.attendances if row.session in services]
    assert pulled
    members = {(row.learner, row.session) for row in plan.attendances if row.presence is Presence.MEMBER}
    assert any((row.learner, services[row.session].parent) in members for row in pulled)


def test_nobody_is_with_a_barred_adult() -> None:
    problem = school()
    barred = problem.adults[0].id
    bar = Bar(BarTarget.ADULT, barred, BarReason.OWN_PARENT)
    people = (replace(problem.learners[0], bars=(bar,)), *problem.learners[1:])
    plan = planned(replace(problem, learners=people))
    with_adult = {session.id for session in plan.sessions if any(one.adult == barred for one in session.staff)}
    mine = [row for row in plan.attendances if row.learner == problem.learners[0].id]
    assert mine
    assert not any(row.session in with_adult for row in mine)


def test_labels_are_stable_for_a_term_and_carry_no_number() -> None:
    again = planned(replace(school(), needs=school().needs), usual())
    before = {studio.id: studio.label for studio in usual().studios}
    for studio in again.studios:
        assert before.get(studio.id, studio.label) == studio.label
        assert not any(mark.isdigit() for mark in studio.label)


def _placed_together(learner: str, interval: Interval, plan: Plan) -> set[str]:
    return {
        row.session
        for row in plan.attendances
        if row.learner == learner and row.interval.overlaps(interval) and row.presence is Presence.PRESENT
    }


def test_an_override_is_honoured_and_no_later_solve_undoes_it() -> None:
    problem = school()
    learner = next(one for one in problem.learners if one.bell == "early" and not one.absences)
    focus = next(n.focus for n in problem.needs if n.learner == learner.id and n.focus.kind is FocusKind.PROJECT)
    scope = teaching_slot(problem, "early")
    order = Override("ovr-1", "adt_001", "a promise", OverrideAction.PLACE, scope, learners=(learner.id,), focus=focus)
    problem = replace(problem, overrides=(order,))
    plan = planned(problem)
    for _ in range(2):
        assert [one.standing for one in plan.overrides] == [OverrideStanding.HONOURED]
        held = {session.id for session in plan.sessions if session.focus == focus}
        assert _placed_together(learner.id, scope, plan) <= held
        assert check(problem, plan) == []
        problem = replace(problem, needs=problem.needs[5:])
        plan = planned(problem, plan)


def test_an_override_against_safety_is_refused_naming_the_rule() -> None:
    problem = school()
    learner = next(one for one in problem.learners if one.bell == "early" and not one.absences)
    focus = Focus(FocusKind.COMPETENCY, "calculus", "mathematics")
    scope = teaching_slot(problem, "early")
    order = Override("ovr-2", "adt_001", "hope", OverrideAction.PLACE, scope, learners=(learner.id,), focus=focus)
    plan = planned(replace(problem, overrides=(order,)))
    assert [(one.standing, one.rule) for one in plan.overrides] == [(OverrideStanding.REFUSED, "prerequisite")]


def test_contradictory_pins_leave_the_first_and_name_the_second() -> None:
    problem = school()
    learner = next(one for one in problem.learners if one.bell == "early" and not one.absences)
    scope = teaching_slot(problem, "early")
    pins = (Pin("pin-a", scope, adult="adt_000"), Pin("pin-b", scope, adult="adt_001"))
    people = tuple(replace(one, pins=pins) if one is learner else one for one in problem.learners)
    problem = replace(problem, learners=people)
    plan = planned(problem)
    standing = {one.override: (one.standing, one.rule) for one in plan.overrides}
    assert standing["pin-a"][0] is OverrideStanding.HONOURED
    assert standing["pin-b"] == (OverrideStanding.REFUSED, "one-place")
    assert check(problem, plan) == []


def test_where_nobody_can_supervise_nothing_is_proposed_and_the_reason_is_named() -> None:
    problem = replace(school(), adults=school().adults[:1])
    answer = door.plan(problem)
    assert isinstance(answer, Infeasible)
    assert not answer.diagnosis.feasible
    assert "adults" in {conflict.code for conflict in answer.diagnosis.conflicts}
    more = next(one for one in answer.diagnosis.relaxations if one.code == "more-adults")
    sentence = door.school_sentence(answer.diagnosis.conflicts[-1], {})
    assert "1 adults who may be in charge" in sentence
    assert int(dict(more.parameters)["by"]) >= 1


def test_overlapping_slots_are_refused_by_name() -> None:
    problem = school()
    late = problem.slots[1]
    broken = replace(late, id="again", name="Double block")
    answer = door.plan(replace(problem, slots=(*problem.slots, broken)))
    assert isinstance(answer, Infeasible)
    assert answer.diagnosis.conflicts[0].code == "slots-overlap"


def test_every_obligation_has_a_line() -> None:
    lines = {line.need for line in usual().obligations}
    owed = {need.id for need in school().needs if need.need_class is NeedClass.OBLIGATION}
    assert owed <= lines


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_other_tight_schools_are_safe_too(seed: int) -> None:
    problem = school(64, 2, seed)
    assert check(problem, planned(problem)) == []
