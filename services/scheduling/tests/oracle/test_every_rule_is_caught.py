"""For every safety rule: a plan that keeps them all, changed so that it breaks only this one, and the oracle says exactly that."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from atelier_scheduling.engine.needs import Focus, FocusKind, Gate, GateMetBy, Need, NeedClass
from atelier_scheduling.engine.people import (
    Accommodation,
    AccommodationKind,
    Adult,
    Bar,
    BarTarget,
    Cap,
    Commitment,
    Learner,
    Pair,
    PairKind,
)
from atelier_scheduling.engine.places import Travel, Zone
from atelier_scheduling.engine.plan import Attendance, LedgerLine, Plan, Presence, Receipt
from atelier_scheduling.engine.policy import Policy, Ratio, SessionKind, StaffNeed
from atelier_scheduling.engine.problem import SiteProblem
from atelier_scheduling.engine.rules import Rule
from atelier_scheduling.engine.sessions import Session, Staff, StaffRole, Station
from atelier_scheduling.engine.times import Day, Interval, Slot, minute_of
from atelier_scheduling.oracle import check, check_days, check_moved

DATE = "2026-09-14"
NINE = minute_of(DATE, 9 * 60, "UTC")
FIRST, SECOND, WHOLE = Interval(NINE, NINE + 60), Interval(NINE + 60, NINE + 120), Interval(NINE, NINE + 120)
FRACTIONS = Focus(FocusKind.COMPETENCY, "fractions", "mathematics")
WHY = Receipt("need")
Scene = tuple[SiteProblem, Plan]
LEARNERS = ("ann", "ben", "cem", "dua")


def attend(learner: str, session: str, interval: Interval, **more: object) -> Attendance:
    return Attendance(learner, session, interval, WHY, **more)  # type: ignore[arg-type]  # field names checked at run time


def safe() -> Scene:
    """Two hours, four learners: all together at home first; then two learn fractions while two go on at home."""
    problem = SiteProblem(
        site="harbour",
        week="2026-W38",
        time_zone="UTC",
        now=NINE - 1000,
        days=(Day(DATE),),
        slots=(Slot("first", "bell", DATE, "first", FIRST), Slot("second", "bell", DATE, "second", SECOND)),
        zones=(Zone("hall", "Hall", "home", 6), Zone("lab", "Lab", "lab", 4, devices=1), Zone("den", "Den", "lab", 4)),
        kinds=(
            SessionKind("home", (FocusKind.HOME,), zone_kinds=("home",), cap=6),
            SessionKind("direct", (FocusKind.COMPETENCY,), teaching=True, zone_kinds=("lab",), cap=4),
        ),
        adults=(
            Adult("rue", (WHOLE,), roles=("teacher",), certificates=("*",)),
            Adult("sol", (WHOLE,), roles=("teacher",), certificates=("*",)),
            Adult("tau", (WHOLE,), roles=("aide",), certificated=False, bound_to="cem"),
        ),
        learners=tuple(Learner(name, "bell", birth_date="2016-05-01") for name in LEARNERS),
        needs=(
            Need("ann:fractions", "ann", FRACTIONS, minutes=60, gates=(Gate("counting"),)),
            Need("ben:fractions", "ben", FRACTIONS, minutes=60),
        ),
    )
    plan = Plan(
        site="harbour",
        week="2026-W38",
        problem=problem.digest(),
        engine="by hand",
        seed=1,
        effort=1,
        sessions=(
            Session("home-1", "home", FIRST, "hall", (Staff("rue"),), 1, 6),
            Session("home-2", "home", SECOND, "hall", (Staff("rue"), Staff("tau", StaffRole.BOUND)), 1, 6),
            Session("direct-2", "direct", SECOND, "lab", (Staff("sol"),), 1, 4, focus=FRACTIONS),
        ),
        attendances=(
            *(attend(name, "home-1", FIRST) for name in LEARNERS),
            attend("ann", "direct-2", SECOND, needs=("ann:fractions",)),
            attend("ben", "direct-2", SECOND, needs=("ben:fractions",)),
            attend("cem", "home-2", SECOND),
            attend("dua", "home-2", SECOND),
        ),
    )
    return problem, plan


def with_problem(scene: Scene, **changed: object) -> Scene:
    return replace(scene[0], **changed), scene[1]  # type: ignore[arg-type]  # field names checked at run time


def with_plan(scene: Scene, **changed: object) -> Scene:
    return scene[0], replace(scene[1], **changed)  # type: ignore[arg-type]  # field names checked at run time


def with_learner(scene: Scene, name: str, **changed: object) -> Scene:
    learners = tuple(
        replace(one, **changed) if one.id == name else one  # type: ignore[arg-type]  # field names checked at run time
        for one in scene[0].learners
    )
    return with_problem(scene, learners=learners)


def with_adult(scene: Scene, name: str, **changed: object) -> Scene:
    adults = tuple(
        replace(one, **changed) if one.id == name else one  # type: ignore[arg-type]  # field names checked at run time
        for one in scene[0].adults
    )
    return with_problem(scene, adults=adults)


def with_session(scene: Scene, name: str, **changed: object) -> Scene:
    sessions = tuple(
        replace(one, **changed) if one.id == name else one  # type: ignore[arg-type]  # field names checked at run time
        for one in scene[1].sessions
    )
    return with_plan(scene, sessions=sessions)


def with_kind(scene: Scene, name: str, **changed: object) -> Scene:
    kinds = tuple(
        replace(one, **changed) if one.id == name else one  # type: ignore[arg-type]  # field names checked at run time
        for one in scene[0].kinds
    )
    return with_problem(scene, kinds=kinds)


def with_zone(scene: Scene, name: str, **changed: object) -> Scene:
    zones = tuple(
        replace(one, **changed) if one.id == name else one  # type: ignore[arg-type]  # field names checked at run time
        for one in scene[0].zones
    )
    return with_problem(scene, zones=zones)


def in_two_places(scene: Scene) -> Scene:
    return with_plan(
        scene, attendances=(*scene[1].attendances, attend("dua", "direct-2", Interval(NINE + 70, NINE + 80)))
    )


def dua_may_learn(scene: Scene) -> Scene:
    return with_problem(scene, needs=(*scene[0].needs, Need("dua:fractions", "dua", FRACTIONS)))


def nowhere_for_ten_minutes(scene: Scene) -> Scene:
    shortened = tuple(
        replace(one, interval=Interval(NINE, NINE + 45)) if (one.learner, one.session) == ("dua", "home-1") else one
        for one in scene[1].attendances
    )
    return with_plan(scene, attendances=shortened)


def one_adult_in_two_rooms(scene: Scene) -> Scene:
    return with_session(scene, "direct-2", staff=(Staff("rue"),))


def two_sessions_in_one_zone(scene: Scene) -> Scene:
    return with_session(with_kind(scene, "direct", zone_kinds=()), "direct-2", zone="hall")


def far_zone(scene: Scene) -> Scene:
    return with_problem(with_zone(scene, "lab", place="annex"), travel=(Travel("", "annex", 5),))


def forty_nine_learners_with_one_adult(scene: Scene) -> Scene:
    """One adult was given 49 learners elsewhere: seats and the session's own number allowed it, the adult's cap did not."""
    crowd = tuple(Learner(f"extra-{number:02d}", "bell", birth_date="2016-05-01") for number in range(45))
    problem = replace(
        scene[0],
        learners=(*scene[0].learners, *crowd),
        zones=tuple(replace(zone, seats=60) for zone in scene[0].zones),
        kinds=tuple(replace(kind, cap=16) for kind in scene[0].kinds),
        slots=scene[0].slots[:1],
    )
    plan = replace(
        scene[1],
        sessions=(replace(scene[1].sessions[0], most=60),),
        attendances=tuple(attend(one.id, "home-1", FIRST) for one in problem.learners),
    )
    return problem, plan


def stations_too_full(scene: Scene) -> Scene:
    stations = (Station("paint", "hall", 1), Station("clay", "hall", 6))
    at_station = tuple(
        replace(one, station="paint" if one.learner in ("ann", "ben") else "clay") if one.session == "home-1" else one
        for one in scene[1].attendances
    )
    return with_plan(with_session(scene, "home-1", stations=stations), attendances=at_station)


def devices_in_a_shared_zone(scene: Scene) -> Scene:
    """Each of two sessions has enough devices; the zone that they share has not."""
    shared = with_kind(
        with_kind(with_zone(scene, "lab", shared=True), "direct", needs_device=True), "home", zone_kinds=()
    )
    two = with_session(with_session(shared, "home-2", zone="lab", needs_device=True), "home-2", staff=(Staff("rue"),))
    return with_learner(with_learner(two, "ann", has_device=True), "cem", has_device=True)


def apart(scene: Scene) -> Scene:
    return with_problem(scene, pairs=(Pair("ann", "ben", PairKind.APART, order=True),))


def a_gate_that_is_open(scene: Scene) -> Scene:
    first, second = scene[0].needs
    return with_problem(scene, needs=(replace(first, gates=(Gate("counting", GateMetBy.OPEN),)), second))


def a_test_outside_its_window(scene: Scene) -> Scene:
    test = Need("cem:test", "cem", Focus(FocusKind.TEST, "spring"), NeedClass.SAFETY, minutes=30, windows=(FIRST,))
    served = tuple(
        replace(one, needs=("cem:test",)) if (one.learner, one.session) == ("cem", "home-2") else one
        for one in scene[1].attendances
    )
    return with_plan(with_problem(scene, needs=(*scene[0].needs, test)), attendances=served)


def an_aide_without_the_learner(scene: Scene) -> Scene:
    return with_session(scene, "direct-2", staff=(Staff("sol"), Staff("tau", StaffRole.BOUND)))


def the_aide_elsewhere(scene: Scene) -> Scene:
    return with_session(an_aide_without_the_learner(scene), "home-2", staff=(Staff("rue"),))


BROKEN: dict[Rule, Callable[[Scene], Scene]] = {
    Rule.ONE_PLACE: lambda scene: in_two_places(dua_may_learn(scene)),
    Rule.SUPERVISED_EVERY_MINUTE: nowhere_for_ten_minutes,
    Rule.ADULT_ONE_PLACE: one_adult_in_two_rooms,
    Rule.ADULT_AVAILABLE: lambda scene: with_adult(scene, "sol", available=(FIRST,)),
    Rule.CERTIFICATED_IN_CHARGE: lambda scene: with_kind(
        with_adult(scene, "sol", certificated=False), "direct", staff=(StaffNeed("teacher"),)
    ),
    Rule.LEARNER_AVAILABLE: lambda scene: with_learner(scene, "dua", absences=(SECOND,)),
    Rule.TRAVEL_TIME: far_zone,
    Rule.ZONE_ONCE: two_sessions_in_one_zone,
    Rule.SEATS: lambda scene: with_zone(scene, "lab", seats=1),
    Rule.DEVICES: devices_in_a_shared_zone,
    Rule.SESSION_CAP: lambda scene: with_session(scene, "direct-2", most=1),
    Rule.STATION_CAP: stations_too_full,
    Rule.ADULT_CAP: forty_nine_learners_with_one_adult,
    Rule.RATIO: lambda scene: with_problem(scene, policy=Policy(ratios=(Ratio(11, 3),))),
    Rule.STEP_FREE: lambda scene: with_learner(
        with_zone(scene, "lab", step_free=False), "ann", accommodations=(Accommodation(AccommodationKind.STEP_FREE),)
    ),
    Rule.APART: apart,
    Rule.BAR: lambda scene: with_learner(scene, "ann", bars=(Bar(BarTarget.ADULT, "sol"),)),
    Rule.AGE_SPAN: lambda scene: with_kind(
        with_learner(scene, "ben", birth_date="2012-03-30"), "direct", age_span_months=48
    ),
    Rule.PREREQUISITE: a_gate_that_is_open,
    Rule.DEVICE_REQUIRED: lambda scene: with_zone(
        with_session(scene, "direct-2", needs_device=True), "lab", shared=True
    ),
    Rule.MANDATED_COHORT: a_test_outside_its_window,
    Rule.BOUND_ADULT: the_aide_elsewhere,
    Rule.ZONE_KIND: lambda scene: with_zone(scene, "lab", kind="kitchen"),
    Rule.STAFF_ROLES: lambda scene: with_kind(scene, "direct", staff=(StaffNeed("teacher", 2),)),
    Rule.KNOWN: lambda scene: with_session(scene, "direct-2", zone="attic"),
}
ALSO_BROKEN = {
    # Where one session needs more devices than its zone has, the zone as a whole has too few as well.
    Rule.DEVICE_REQUIRED: {Rule.DEVICES},
}


def rules_broken(scene: Scene) -> set[str]:
    return {str(finding.rule) for finding in check(*scene)}


def test_the_plan_that_all_of_these_start_from_is_safe() -> None:
    assert check(*safe()) == []


def test_there_is_a_broken_plan_for_every_rule() -> None:
    assert set(BROKEN) == set(Rule)


@pytest.mark.parametrize("rule", list(BROKEN), ids=str)
def test_a_plan_that_breaks_one_rule_is_caught_by_that_rule_alone(rule: Rule) -> None:
    assert rules_broken(BROKEN[rule](safe())) == {str(rule)} | {str(one) for one in ALSO_BROKEN.get(rule, ())}


def cut(learner: str, session: str, interval: Interval) -> Scene:
    problem, plan = safe()
    attendances = tuple(
        replace(one, interval=interval) if (one.learner, one.session) == (learner, session) else one
        for one in plan.attendances
    )
    return problem, replace(plan, attendances=attendances)


def test_a_school_day_begins_and_ends_under_supervision() -> None:
    assert rules_broken(cut("dua", "home-1", Interval(NINE + 5, NINE + 60))) == {"supervised-every-minute"}
    assert rules_broken(cut("dua", "home-2", Interval(NINE + 60, NINE + 115))) == {"supervised-every-minute"}


def test_the_way_to_the_next_place_and_to_an_absence_is_passing_time() -> None:
    assert check(*cut("dua", "home-1", Interval(NINE, NINE + 55))) == []
    leaving = with_learner(
        cut("dua", "home-2", Interval(NINE + 60, NINE + 80)), "dua", absences=(Interval(NINE + 85, NINE + 120),)
    )
    assert check(*leaving) == []


def test_a_member_of_a_session_must_be_present_in_one_inside_it() -> None:
    problem, plan = safe()
    member = attend("ann", "home-2", SECOND, presence=Presence.MEMBER)
    assert rules_broken((problem, replace(plan, attendances=(*plan.attendances, member)))) == {"one-place"}


def test_a_pull_out_keeps_membership_of_the_session_it_lies_in() -> None:
    scene = with_session(safe(), "direct-2", parent="home-2")
    member = attend("ann", "home-2", SECOND, presence=Presence.MEMBER)
    assert check(scene[0], replace(scene[1], attendances=(*scene[1].attendances, member))) == []


def test_an_adult_with_a_commitment_elsewhere_is_in_two_places() -> None:
    scene = with_adult(safe(), "sol", commitments=(Commitment(SECOND, "duty"),))
    assert rules_broken(scene) == {"adult-one-place"}


def test_an_adults_own_cap_overrules_the_kinds() -> None:
    assert rules_broken(with_adult(safe(), "sol", caps=(Cap("direct", 1),))) == {"adult-cap"}


SPEECH = Need(
    "cem:speech",
    "cem",
    Focus(FocusKind.SERVICE, "speech"),
    NeedClass.OBLIGATION,
    minutes=60,
    provider_role="speech-pathologist",
)


def promised(line: LedgerLine | None, served: bool = False) -> Scene:
    problem, plan = with_problem(safe(), needs=(*safe()[0].needs, SPEECH))
    attendances = tuple(
        replace(one, needs=(SPEECH.id,)) if served and (one.learner, one.session) == ("cem", "home-2") else one
        for one in plan.attendances
    )
    return problem, replace(plan, attendances=attendances, obligations=(line,) if line else ())


def test_an_obligation_that_no_line_names_is_hidden() -> None:
    assert rules_broken(promised(None)) == {"ledger"}


def test_an_obligation_that_is_named_and_owed_is_not_hidden() -> None:
    line = LedgerLine("cem", "service-minutes", SPEECH.id, due=60, scheduled=0, owed=60, code="owed.no-provider")
    assert check(*promised(line)) == []


def test_minutes_with_somebody_who_is_not_the_provider_do_not_count() -> None:
    line = LedgerLine("cem", "service-minutes", SPEECH.id, due=60, scheduled=60, owed=0)
    assert rules_broken(promised(line, served=True)) == {"ledger"}


def test_a_promise_may_not_shrink_in_the_ledger() -> None:
    line = LedgerLine("cem", "service-minutes", SPEECH.id, due=0, scheduled=0, owed=0)
    assert rules_broken(promised(line)) == {"ledger"}


@pytest.mark.parametrize("rule", [rule for rule in BROKEN if rule is not Rule.MANDATED_COHORT], ids=str)
def test_a_look_at_the_day_alone_finds_what_a_look_at_the_plan_does(rule: Rule) -> None:
    scene = BROKEN[rule](safe())
    assert check_days(*scene, {DATE}) == [finding for finding in check(*scene) if finding.rule != "ledger"]


def test_a_look_at_another_day_finds_nothing() -> None:
    assert check_days(*in_two_places(dua_may_learn(safe())), {"2026-09-15"}) == []


OF_SESSIONS_THEMSELVES = {Rule.ADULT_AVAILABLE, Rule.ADULT_ONE_PLACE}


@pytest.mark.parametrize("rule", [rule for rule in BROKEN if rule is not Rule.MANDATED_COHORT], ids=str)
def test_a_look_at_who_moved_finds_all_that_moving_somebody_can_break(rule: Rule) -> None:
    problem, plan = BROKEN[rule](safe())
    learners, sessions = {one.id for one in problem.learners}, {one.id for one in plan.sessions}
    found = [one for one in check(problem, plan) if one.rule not in OF_SESSIONS_THEMSELVES | {"ledger"}]
    assert check_moved(problem, plan, learners, sessions) == found


def test_a_look_at_who_moved_judges_everybody_at_that_time_and_nobody_else() -> None:
    problem, plan = BROKEN[Rule.SEATS](safe())
    (finding,) = [one for one in check(problem, plan) if one.rule == Rule.SEATS]
    at = {one.id for one in plan.sessions if one.interval.start <= finding.minute < one.interval.end}
    assert finding in check_moved(problem, plan, set(), at)
    assert check_moved(problem, plan, set(), set()) == []
