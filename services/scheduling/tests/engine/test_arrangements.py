"""What schools arrange beside lessons: push-ins, aides who follow a learner, sessions that stand already, several
places, days off site, devices. Each plan is judged by the oracle."""

from dataclasses import replace

from atelier_scheduling.engine import door
from atelier_scheduling.engine.changes import Changes, OverrideGiven
from atelier_scheduling.engine.needs import Focus, FocusKind, Need, NeedClass, Readiness, Setting
from atelier_scheduling.engine.overrides import Override, OverrideAction, OverrideStanding
from atelier_scheduling.engine.people import Adult, Learner, OffSite
from atelier_scheduling.engine.places import Travel, Zone
from atelier_scheduling.engine.plan import Attendance, Plan, Presence
from atelier_scheduling.engine.policy import Policy, SessionKind
from atelier_scheduling.engine.problem import SiteProblem
from atelier_scheduling.engine.questions import Reason
from atelier_scheduling.engine.sessions import OfficialIdentity, Session, Staff, StaffRole
from atelier_scheduling.engine.times import Day, Interval, Slot, SlotPurpose
from atelier_scheduling.oracle import check

DAY = Interval(400, 900)
KINDS = (
    SessionKind("home", (FocusKind.HOME,), zone_kinds=("room",), cap=12),
    SessionKind("study", (FocusKind.STUDY,), independent=True, zone_kinds=("room",), cap=15),
    SessionKind("direct", (FocusKind.COMPETENCY,), teaching=True, zone_kinds=("room",), cap=8, fewest=2),
    SessionKind("project", (FocusKind.PROJECT,), zone_kinds=("shop",), cap=10, fewest=2),
    SessionKind("coding", (FocusKind.ELECTIVE,), zone_kinds=("room",), cap=10, fewest=1, needs_device=True),
    SessionKind("service", (FocusKind.SERVICE,), cap=3),
)
FRACTIONS = Focus(FocusKind.COMPETENCY, "fractions", "numbers")
ROBOT = Focus(FocusKind.PROJECT, "robot", "")
CODING = Focus(FocusKind.ELECTIVE, "coding", "")
SPEECH = Focus(FocusKind.SERVICE, "speech")


def school(*needs: Need) -> SiteProblem:
    """Twelve learners, four adults, one day of four blocks of 50 minutes with 10 between."""
    slots = tuple(
        Slot(f"s{n}", "a", "2031-01-06", f"Block {n}", Interval(480 + 60 * n, 530 + 60 * n), SlotPurpose.TEACHING)
        for n in range(4)
    )
    rooms = [Zone(f"room-{n}", f"Room {n}", "room", 15) for n in range(3)]
    zones = (*rooms, Zone("shop", "Shop", "shop", 12))
    adults = tuple(Adult(f"a{n}", (DAY,), certificates=("*",)) for n in range(3))
    adults += (Adult("a3", (DAY,), roles=("speech",), certificates=("*",)),)
    learners = tuple(Learner(f"l{n:02}", "a", has_device=n % 2 == 0) for n in range(12))
    return SiteProblem(
        "s",
        "w",
        "UTC",
        0,
        (Day("2031-01-06"),),
        slots,
        zones,
        KINDS,
        adults,
        learners,
        needs,
        policy=Policy(studio_fewest=2),
    )


def wants(focus: Focus, *learners: int) -> tuple[Need, ...]:
    return tuple(Need(f"l{n:02}-{focus.id}", f"l{n:02}", focus, readiness=Readiness(0.5, 0.2)) for n in learners)


def planned(problem: SiteProblem) -> Plan:
    made = door.plan(problem)
    assert isinstance(made, Plan), made
    assert check(problem, made) == []
    again = door.plan(problem, made)
    assert isinstance(again, Plan)
    assert check(problem, again) == []
    return made


def present(plan: Plan, learner: str) -> list[tuple[Attendance, Session]]:
    sessions = {session.id: session for session in plan.sessions}
    rows = [row for row in plan.attendances if row.learner == learner and row.presence is Presence.PRESENT]
    return [(row, sessions[row.session]) for row in rows]


def test_a_push_in_takes_place_in_the_learners_own_session() -> None:
    need = Need(
        "l00-speech",
        "l00",
        SPEECH,
        NeedClass.OBLIGATION,
        20,
        setting=Setting.PUSH_IN,
        group_most=1,
        provider_role="speech",
    )
    plan = planned(school(need, *wants(FRACTIONS, 0, 1, 2, 3)))
    (_, service) = next((row, one) for row, one in present(plan, "l00") if one.focus == SPEECH)
    host = next(one for one in plan.sessions if one.id == service.parent)
    assert service.zone == host.zone
    assert service.staff[0].adult == "a3"
    assert any(row.presence is Presence.MEMBER and row.session == host.id for row in plan.attendances)
    line = next(line for line in plan.obligations if line.need == need.id)
    assert (line.scheduled, line.owed) == (20, 0)


def test_an_aide_is_wherever_the_learner_is_and_takes_a_seat() -> None:
    problem = school(*wants(FRACTIONS, 0, 1, 2, 3))
    aide = Adult("a9", (DAY,), roles=("aide",), certificated=False, bound_to="l00")
    rooms = tuple(replace(zone, seats=7) if zone.kind == "room" else zone for zone in problem.zones)
    plan = planned(replace(problem, adults=(*problem.adults, aide), zones=rooms))
    for _, session in present(plan, "l00"):
        assert Staff("a9", StaffRole.BOUND) in session.staff
    with_aide = [one for one in plan.sessions if any(member.adult == "a9" for member in one.staff)]
    for session in with_aide:
        people = {row.learner for row in plan.attendances if row.session == session.id}
        assert "l00" in people
        assert len(people) + 1 <= 7


def test_a_session_that_stands_already_keeps_its_time_place_and_identity() -> None:
    problem = school(*wants(FRACTIONS, *range(6)))
    official = OfficialIdentity("sec-1", "math-7", "a0", "office")
    stands = Session(
        "ses_fixed", "direct", Interval(600, 650), "room-1", (Staff("a0"),), 1, 8, FRACTIONS, "s2", official=official
    )
    plan = planned(replace(problem, fixed_sessions=(stands,)))
    kept = next(one for one in plan.sessions if one.id == "ses_fixed")
    assert (kept.interval, kept.zone, kept.official) == (stands.interval, "room-1", official)
    assert any(row.session == "ses_fixed" for row in plan.attendances)


def test_nobody_is_sent_to_a_place_that_cannot_be_reached_in_time() -> None:
    problem = school(*wants(ROBOT, *range(6)), *wants(FRACTIONS, *range(6)))
    zones = tuple(replace(zone, place="annex" if zone.kind == "shop" else "main") for zone in problem.zones)
    near = planned(replace(problem, zones=zones, travel=(Travel("main", "annex", 10),)))
    assert any(one.zone == "shop" for one in near.sessions)
    far = planned(replace(problem, zones=zones, travel=(Travel("main", "annex", 25),)))
    assert not any(one.zone == "shop" for one in far.sessions)


def test_a_learner_off_site_is_expected_only_when_back() -> None:
    problem = school(*wants(FRACTIONS, *range(6)))
    away = OffSite(Interval(540, 640), "workshop in town", "host", travel_before=15, travel_after=15)
    people = (replace(problem.learners[0], off_site=(away,)), *problem.learners[1:])
    plan = planned(replace(problem, learners=people))
    hole = Interval(525, 655)
    rows = present(plan, "l00")
    assert rows
    assert not any(row.interval.overlaps(hole) for row, _ in rows)


def test_no_more_learners_without_a_device_than_the_room_has() -> None:
    problem = school(*wants(CODING, *range(12)))
    zones = tuple(replace(zone, devices=2) if zone.kind == "room" else zone for zone in problem.zones)
    plan = planned(replace(problem, zones=zones))
    own = {one.id: one.has_device for one in problem.learners}
    held = [one for one in plan.sessions if one.kind == "coding"]
    assert held
    for session in held:
        people = {row.learner for row in plan.attendances if row.session == session.id}
        assert sum(not own[one] for one in people) <= 2


def test_a_decision_cannot_take_the_last_device() -> None:
    problem = school(*wants(CODING, 0, 2, 4))
    plan = planned(problem)
    session = next(one for one in plan.sessions if one.kind == "coding")
    order = Override(
        "ovr-1", "a0", "asked", OverrideAction.PLACE, session.interval, learners=("l01",), session=session.id
    )
    answer = door.repair(problem, plan, Changes((OverrideGiven(order),)))
    assert isinstance(answer.plan, Plan)
    assert answer.plan.overrides[0].rule == "devices"
    assert answer.plan.attendances == plan.attendances


def test_a_decision_that_needs_a_new_session_opens_it_and_moves_only_who_must() -> None:
    problem = school(*wants(FRACTIONS, *range(6)))
    plan = planned(problem)
    block = problem.slots[3].interval
    order = Override("ovr-2", "a0", "asked", OverrideAction.PLACE, block, learners=("l10",), focus=ROBOT)
    answer = door.repair(problem, plan, Changes((OverrideGiven(order),)))
    assert isinstance(answer.plan, Plan)
    assert answer.whole
    assert check(answer.problem, answer.plan) == []
    assert answer.plan.overrides[0].standing is OverrideStanding.HONOURED
    assert any(one.focus == ROBOT and row.interval == block for row, one in present(answer.plan, "l10"))
    assert answer.difference is not None
    others = [move for move in answer.difference.moves if move.learner != "l10"]
    assert all(move.forced and move.interval == block for move in others)


def test_a_title_that_ends_in_a_full_stop_is_not_given_a_second_one() -> None:
    said = door.sentence(Reason("studio.competency", (("focus", "fractions"),)), {"fractions": "Adds fractions."})
    assert said == "Next on the path, and ready for it: Adds fractions."


def test_home_time_is_spent_with_the_own_home_group_where_there_is_room() -> None:
    problem = school()
    slots = tuple(replace(slot, purpose=SlotPurpose.HOME) for slot in problem.slots[:1]) + problem.slots[1:]
    plan = planned(replace(problem, slots=slots))
    group_of = {one: group.id for group in plan.home_groups for one in group.members}
    assert len(plan.home_groups) > 1
    for learner in problem.learners:
        row, session = present(plan, learner.id)[0]
        assert session.home_group == group_of[learner.id]
        assert row.because.code == "home.own-group"
