"""Whether a learner may be in this session at all: access, orders, bars, age span, prerequisites, mandated cohorts, kinds of zone."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import date

from atelier_scheduling.engine.needs import FocusKind, GateMetBy, NeedClass
from atelier_scheduling.engine.people import AccommodationKind, BarTarget, PairKind, Reach
from atelier_scheduling.engine.plan import Attendance
from atelier_scheduling.engine.rules import Rule
from atelier_scheduling.engine.sessions import Session
from atelier_scheduling.oracle.findings import Finding
from atelier_scheduling.oracle.ground import Ground


def check(ground: Ground) -> Iterator[Finding]:
    yield from check_places(ground)
    yield from _mandated(ground)


def check_places(ground: Ground) -> Iterator[Finding]:
    """All but what spans days."""
    allowed = _may_learn(ground)
    for session in ground.plan.sessions:
        kinds = ground.kinds[session.kind].zone_kinds
        for zone in ground.zones_of(session):
            if kinds and ground.zones[zone].kind not in kinds:
                yield Finding(Rule.ZONE_KIND, session.id, session.interval.start, zone)
        yield from _age_span(ground, session)
        for attendance in ground.in_session[session.id]:
            yield from _fits(ground, session, attendance, allowed)
    yield from _apart(ground)


def _may_learn(ground: Ground) -> dict[tuple[str, str], bool]:
    """(learner, competency) -> whether some need for it has all its gates met, of every competency that is taught."""
    taught = {session.focus.id for session in ground.plan.sessions if session.focus is not None}
    allowed: dict[tuple[str, str], bool] = defaultdict(bool)
    for need in [need for need in ground.problem.needs if need.focus.id in taught]:
        met = all(gate.met_by is not GateMetBy.OPEN for gate in need.gates)
        allowed[(need.learner, need.focus.id)] |= met
    return allowed


def _fits(
    ground: Ground, session: Session, attendance: Attendance, allowed: dict[tuple[str, str], bool]
) -> Iterator[Finding]:
    learner = ground.learners[attendance.learner]
    at = attendance.interval.start
    zone = ground.zone_of(attendance)
    if not ground.zones[zone].step_free and any(
        one.kind is AccommodationKind.STEP_FREE for one in learner.accommodations
    ):
        yield Finding(Rule.STEP_FREE, learner.id, at, zone)
    focus = session.focus
    if focus is not None and focus.kind is FocusKind.COMPETENCY and not allowed[(learner.id, focus.id)]:
        yield Finding(Rule.PREREQUISITE, learner.id, at, focus.id)
    for bar in learner.bars:
        met = (
            (bar.target is BarTarget.ADULT and any(staff.adult == bar.id for staff in session.staff))
            or (bar.target is BarTarget.ZONE and bar.id == zone)
            or (bar.target is BarTarget.FOCUS and focus is not None and bar.id in (focus.id, focus.subject))
        )
        if met:
            yield Finding(Rule.BAR, learner.id, at, f"{bar.target} in {session.id}")


def _age_span(ground: Ground, session: Session) -> Iterator[Finding]:
    span = ground.kinds[session.kind].age_span_months
    if not span:
        return
    births = sorted(
        date.fromisoformat(born)
        for born in {ground.learners[one.learner].birth_date for one in ground.in_session[session.id]}
        if born
    )
    if births:
        oldest, youngest = births[0], births[-1]
        months = (youngest.year - oldest.year) * 12 + youngest.month - oldest.month - (youngest.day < oldest.day)
        if months > span:
            yield Finding(Rule.AGE_SPAN, session.id, session.interval.start, f"{months} months of {span}")


def _apart(ground: Ground) -> Iterator[Finding]:
    for pair in ground.problem.pairs:
        if pair.kind is not PairKind.APART or not pair.order:
            continue
        for one in ground.present.get(pair.learner, []):
            for other in ground.present.get(pair.other, []):
                if not one.interval.overlaps(other.interval):
                    continue
                together = one.session == other.session
                if pair.reach is Reach.ROOM:
                    together = together or _room(ground, one) == _room(ground, other)
                if together:
                    minute = max(one.interval.start, other.interval.start)
                    yield Finding(Rule.APART, pair.learner, minute, one.session)


def _room(ground: Ground, attendance: Attendance) -> str:
    zone = ground.zones[ground.zone_of(attendance)]
    return zone.room or f"zone:{zone.id}"


def _mandated(ground: Ground) -> Iterator[Finding]:
    served: dict[str, list[Attendance]] = defaultdict(list)
    for attendances in ground.present.values():
        for attendance in attendances:
            for served_need in attendance.needs:
                served[served_need].append(attendance)
    for need in ground.problem.needs:
        if need.need_class is not NeedClass.SAFETY:
            continue
        inside = [
            one
            for one in served[need.id]
            if one.learner == need.learner
            and (not need.windows or any(window.covers(one.interval) for window in need.windows))
        ]
        minutes = sum(one.interval.minutes for one in inside)
        if not inside or minutes + need.already_minutes < need.minutes:
            yield Finding(Rule.MANDATED_COHORT, need.learner, detail=need.id)
