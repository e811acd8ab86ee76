"""Whatever a school may look like, the answer is a safe plan or a named reason: generated schools held against the oracle."""

from dataclasses import replace

from atelier_scheduling.engine import door
from atelier_scheduling.engine.needs import Focus, FocusKind, Need, NeedClass, Readiness, Setting
from atelier_scheduling.engine.people import Adult, Bar, BarTarget, Contract, Learner, Pair, PairKind, Pin
from atelier_scheduling.engine.places import Zone
from atelier_scheduling.engine.plan import Infeasible, Plan
from atelier_scheduling.engine.policy import Policy, Ratio, SessionKind
from atelier_scheduling.engine.problem import SiteProblem
from atelier_scheduling.engine.times import Day, Interval, Slot, SlotPurpose
from atelier_scheduling.oracle import check
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

KINDS = (
    SessionKind("home", (FocusKind.HOME,), cap=12),
    SessionKind("study", (FocusKind.STUDY,), independent=True, cap=15),
    SessionKind("direct", (FocusKind.COMPETENCY,), teaching=True, cap=6, fewest=1, age_span_months=36),
    SessionKind("service", (FocusKind.SERVICE,), cap=3, zone_kinds=("office",)),
    SessionKind("lunch", (FocusKind.LUNCH,), cap=20, zone_kinds=("dining",)),
)
SHIFT = {"a": 0, "b": 17}


def slots(count: int, lunch: bool) -> tuple[Slot, ...]:
    made = []
    for bell, shift in SHIFT.items():
        for number in range(count):
            start = 480 + number * 53 + shift
            purpose = SlotPurpose.LUNCH if lunch and number == count // 2 else SlotPurpose.TEACHING
            made.append(
                Slot(f"{bell}{number}", bell, "2031-01-06", f"Slot {number}", Interval(start, start + 50), purpose)
            )
    return tuple(made)


@st.composite
def schools(draw: st.DrawFn) -> SiteProblem:
    count = draw(st.integers(1, 3))
    day = Interval(400, 900)
    learners = draw(st.integers(0, 14))
    adults = draw(st.integers(0, 5))
    ids = [f"l{number:02}" for number in range(learners)]
    people = []
    for number, name in enumerate(ids):
        bars = (Bar(BarTarget.ADULT, f"a{draw(st.integers(0, 4))}"),) if draw(st.booleans()) and number % 4 == 0 else ()
        pins = ()
        if draw(st.integers(0, 3)) == 0:
            pins = tuple(
                Pin(f"{name}-pin{which}", Interval(480, 530), adult=f"a{draw(st.integers(0, 4))}")
                for which in range(draw(st.integers(1, 2)))
            )
        born = draw(st.sampled_from(["2020-05-05", "2022-02-01", "2024-12-31", ""]))
        away = (Interval(500, 560),) if draw(st.integers(0, 5)) == 0 else ()
        people.append(
            Learner(name, "ab"[number % 2], born, absences=away, bars=bars, pins=pins, has_device=draw(st.booleans()))
        )
    staff = tuple(
        Adult(
            f"a{number}",
            (day,) if draw(st.booleans()) else (Interval(400, 610),),
            roles=("speech",) if number == 0 else (),
            certificates=("*",),
            certificated=draw(st.integers(0, 4)) > 0,
            contract=Contract(duty_free_lunch=20, planning=30),
        )
        for number in range(adults)
    )
    zones = tuple(
        Zone(f"z{number}", f"Zone {number}", "direct", draw(st.integers(1, 16)))
        for number in range(draw(st.integers(1, 5)))
    )
    zones += (
        Zone("office", "Office", "office", 4),
        Zone("hall", "Hall", "dining", draw(st.integers(1, 30)), shared=True),
    )
    needs = []
    for name in ids:
        for number in range(draw(st.integers(0, 3))):
            focus = Focus(FocusKind.COMPETENCY, f"c{draw(st.integers(0, 3))}-{number}", "m")
            needs.append(Need(f"{name}-{number}", name, focus, readiness=Readiness(0.5, 0.2)))
        if draw(st.integers(0, 4)) == 0:
            focus = Focus(FocusKind.SERVICE, "speech")
            setting = draw(st.sampled_from(list(Setting)))
            needs.append(
                Need(
                    f"{name}-s",
                    name,
                    focus,
                    NeedClass.OBLIGATION,
                    20,
                    provider_role="speech",
                    group_most=2,
                    setting=setting,
                )
            )
    pairs = (Pair("l00", "l01", PairKind.APART, order=True),) if draw(st.booleans()) else ()
    ratios = (Ratio(8, 7),) if draw(st.booleans()) else ()
    return SiteProblem(
        "s",
        "w",
        "UTC",
        0,
        (Day("2031-01-06"),),
        slots(count, draw(st.booleans())),
        zones,
        KINDS,
        staff,
        tuple(people),
        tuple(needs),
        pairs,
        policy=Policy(studio_fewest=2, ratios=ratios),
    )


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(schools())
def test_every_answer_is_a_safe_plan_or_a_named_reason(problem: SiteProblem) -> None:
    answer = door.plan(problem)
    if isinstance(answer, Infeasible):
        assert not answer.diagnosis.feasible
        assert answer.diagnosis.conflicts
        return
    assert check(problem, answer) == []
    again = door.plan(problem, answer)
    assert isinstance(again, Plan)
    assert check(problem, again) == []


def test_a_school_without_adults_gets_a_reason() -> None:
    problem = SiteProblem(
        "s",
        "w",
        "UTC",
        0,
        (Day("2031-01-06"),),
        slots(2, False),
        (Zone("z", "Z", "direct", 9),),
        KINDS,
        (),
        (Learner("l", "a"),),
    )
    answer = door.plan(problem)
    assert isinstance(answer, Infeasible)
    assert [conflict.code for conflict in answer.diagnosis.conflicts] == ["adults"]


def test_a_school_without_learners_gets_an_empty_week() -> None:
    problem = SiteProblem(
        "s", "w", "UTC", 0, (Day("2031-01-06"),), slots(2, False), (Zone("z", "Z", "direct", 9),), KINDS
    )
    answer = door.plan(problem)
    assert isinstance(answer, Plan)
    assert answer.attendances == ()


def test_one_seat_rooms_hold_one_learner_each() -> None:
    zones = tuple(Zone(f"z{number}", f"Z{number}", "direct", 1) for number in range(3))
    adults = tuple(Adult(f"a{number}", (Interval(0, 2000),)) for number in range(3))
    learners = tuple(Learner(f"l{number}", "a") for number in range(3))
    problem = SiteProblem("s", "w", "UTC", 0, (Day("2031-01-06"),), slots(2, False), zones, KINDS, adults, learners)
    answer = door.plan(problem)
    assert isinstance(answer, Plan)
    assert check(problem, answer) == []
    assert isinstance(door.plan(replace(problem, zones=zones[:2])), Infeasible)
