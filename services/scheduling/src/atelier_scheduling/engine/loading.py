"""A former plan laid into a new timetable, as far as it is still lawful: the ground of stability.

Sessions whose adult, zone or time no longer stands are left out; learners whom a rule or a met need takes out of a
session are not seated. Ground sessions (home, study, lunch) are laid like the others and keep their people.
"""

from atelier_scheduling.engine.checks import (
    adult_forbidden,
    learner_forbidden,
    staff_forbidden,
    staffed_cap,
    zone_forbidden,
)
from atelier_scheduling.engine.demand import Demands
from atelier_scheduling.engine.facts import Facts
from atelier_scheduling.engine.needs import FocusKind
from atelier_scheduling.engine.plan import Plan, Presence
from atelier_scheduling.engine.sessions import Session, StaffRole
from atelier_scheduling.engine.timetable import DECIDED, Meeting, Seat, Timetable

_GROUND = (FocusKind.LUNCH, FocusKind.RECESS, FocusKind.HOME, FocusKind.STUDY)


def is_ground(session: Session) -> bool:
    """Whether the session only holds people who are nowhere else."""
    if session.focus is None:
        return True
    return session.focus.kind in _GROUND or (session.focus.kind is FocusKind.PASSION and not session.studio)


def lay(table: Timetable, demands: Demands, plan: Plan, keep_unneeded: bool = False) -> dict[str, Meeting]:
    """Lay every session of the plan that still stands; returns them by id. ``keep_unneeded`` seats learners also
    where the need is met."""
    facts = table.facts
    meetings: dict[str, Meeting] = {}
    for session in plan.sessions:
        meeting = _meeting(table, session)
        if meeting is not None:
            table.add(meeting)
            meetings[session.id] = meeting
    standing = {order.id for order in facts.problem.overrides} | {pin.id for one in facts.learners for pin in one.pins}
    for row in plan.attendances:
        meeting = meetings.get(row.session)
        learner = facts.learner_of.get(row.learner)
        if meeting is None or learner is None or row.presence is Presence.MEMBER:
            continue
        parts = facts.parts[learner].get(meeting.cell, [])
        if not meeting.base and not any(a <= row.interval.start and row.interval.end <= b for a, b in parts):
            continue
        for low, high in parts:
            start, end = max(low, row.interval.start), min(high, row.interval.end)
            if start >= end or learner_forbidden(table, meeting, learner, start, end) is not None:
                continue
            receipt = row.because
            if receipt.code in DECIDED and dict(receipt.parameters).get("override") not in standing:
                continue
            why = (receipt.code, receipt.placed_by, receipt.parameters, receipt.restricted, receipt.margin)
            seat = Seat(learner, meeting, start, end, why, station=row.station)
            table.seat(seat)
            if meeting.base:
                continue
            demands.credit(seat)
            if not seat.needs and not keep_unneeded and not meeting.fixed and receipt.code not in DECIDED:
                demands.uncredit(seat)
                table.unseat(seat)
    for meeting in list(meetings.values()):
        if not meeting.base and not meeting.fixed and len(meeting.occupants) < 1:
            table.drop(meeting)
            del meetings[meeting.id]
    return meetings


def lay_fixed(table: Timetable) -> list[str]:
    """Meetings that stand already (``SiteProblem.fixed_sessions``); returns the ids of those that cannot."""
    refused = []
    for session in sorted(table.facts.problem.fixed_sessions, key=lambda item: (item.interval, item.id)):
        meeting = _meeting(table, session)
        if meeting is None:
            refused.append(session.id)
            continue
        meeting.fixed, meeting.base = True, False
        meeting.official = session.official
        table.add(meeting)
    return refused


def _meeting(table: Timetable, session: Session) -> Meeting | None:
    facts = table.facts
    kind = facts.kinds.get(session.kind)
    zone = facts.zone_of.get(session.zone, -1)
    start, end = session.interval.start, session.interval.end
    cell = facts.cell_at(start, end, session.slot)
    if kind is None or zone < 0 or cell < 0:
        return None
    if kind.zone_kinds and facts.zones[zone].kind not in kind.zone_kinds:
        return None
    staff: list[tuple[int, StaffRole]] = [
        (facts.adult_of[member.adult], member.role)
        for member in session.staff
        if member.adult in facts.adult_of and member.role is not StaffRole.BOUND
    ]
    place = facts.zones[zone].place
    staff = [(adult, role) for adult, role in staff if adult_forbidden(table, adult, start, end, place) is None]
    if zone_forbidden(table, zone, start, end, session.parent) or staff_forbidden(facts, kind, staff):
        return None
    cap = staffed_cap(facts, kind, staff)
    meeting = Meeting(
        kind, cell, start, end, zone, staff, cap, session.focus, session.slot, session.studio, session.home_group
    )
    meeting.series, meeting.fewest, meeting.needs_device = session.series, session.fewest, session.needs_device
    meeting.id, meeting.parent, meeting.stations = session.id, session.parent, session.stations
    meeting.base = is_ground(session)
    meeting.group_most = (
        session.most if session.most < cap and not meeting.base and session.most < facts.zones[zone].seats else 0
    )
    lead = next(adult for adult, role in staff if facts.may_lead[adult])
    role = _role(facts, session)
    meeting.delivers = (
        any(facts.qualified(adult, session.focus, kind, role) for adult, _ in staff)
        if role
        else facts.qualified(lead, session.focus, kind)
    )
    return meeting


def _role(facts: Facts, session: Session) -> str:
    """The role a service asks for, as any need of its focus states it."""
    if session.focus is None or session.focus.kind is not FocusKind.SERVICE:
        return ""
    return facts.provider_role.get(session.focus.id, "")
