"""The safety rules as the planner asks them before it does anything. ``None`` means allowed; otherwise the rule that
forbids.

The oracle shares nothing with this module: each was written from the rules alone.
"""

from bisect import bisect_left

from atelier_scheduling.engine.facts import Facts, age_months
from atelier_scheduling.engine.needs import Focus, FocusKind
from atelier_scheduling.engine.overrides import Override
from atelier_scheduling.engine.people import Reach
from atelier_scheduling.engine.policy import SessionKind
from atelier_scheduling.engine.rules import Obligation, Rule
from atelier_scheduling.engine.sessions import StaffRole
from atelier_scheduling.engine.timetable import Meeting, Timetable


def adult_forbidden(table: Timetable, adult: int, start: int, end: int, place: str) -> Rule | None:
    """Whether the adult can be at a place from ``start`` to ``end``: available, in one place, with time to travel."""
    person = table.facts.adults[adult]
    if not any(span.start <= start and end <= span.end for span in person.available):
        return Rule.ADULT_AVAILABLE
    busy = table.busy[adult]
    at = bisect_left(busy, (start, start, ""))
    travel = table.facts.travel_minutes
    for low in range(max(0, at - 2), min(len(busy), at + 3)):
        other_start, other_end, other_place = busy[low]
        if other_start < end and start < other_end:
            return Rule.ADULT_ONE_PLACE
        if not table.facts.many_places or not place or not other_place:
            continue
        gap = start - other_end if other_end <= start else other_start - end
        if gap < travel(place, other_place):
            return Rule.TRAVEL_TIME
    return None


def zone_forbidden(table: Timetable, zone: int, start: int, end: int, parent: str = "") -> Rule | None:
    """Whether the zone is closed or another meeting holds it. Parent and siblings may share it."""
    if any(span.start < end and start < span.end for span in table.facts.zones[zone].closed):
        return Rule.ZONE_ONCE
    if table.facts.zones[zone].shared:
        return None
    for meeting in table.in_zone(zone, start, end):
        if not parent or parent not in (meeting.id, meeting.parent):
            return Rule.ZONE_ONCE
    return None


def staffed_cap(facts: Facts, kind: SessionKind, staff: list[tuple[int, StaffRole]]) -> int:
    """Learners that the staff may have together in a session of the kind."""
    return sum(facts.cap(adult, kind) for adult, role in staff if role is not StaffRole.BOUND)


def staff_forbidden(facts: Facts, kind: SessionKind, staff: list[tuple[int, StaffRole]]) -> Rule | None:
    """Whether somebody certificated is in charge and the kind's roles are there."""
    if not any(facts.may_lead[adult] and role in (StaffRole.LEAD, StaffRole.PROCTOR) for adult, role in staff):
        return Rule.CERTIFICATED_IN_CHARGE
    people = [facts.adults[adult] for adult, role in staff if role is not StaffRole.BOUND]
    for wanted in kind.staff:
        fit = [person for person in people if not wanted.role or wanted.role in person.roles]
        if not wanted.role:
            fit = [person for person in fit if person.certificated]
        if len(fit) < wanted.count:
            return Rule.STAFF_ROLES
    return None


def learner_forbidden(
    table: Timetable, meeting: Meeting, learner: int, start: int, end: int, leaving: Meeting | None = None
) -> Rule | Obligation | None:
    """Whether the learner may be present in the meeting from ``start`` to ``end``. ``leaving``: the meeting they
    would come from."""
    facts = table.facts
    new = learner not in meeting.occupants
    if new and len(meeting.occupants) >= meeting.cap:
        return Rule.ADULT_CAP
    for low, high in facts.stretches[learner]:
        if low <= start and end <= high:
            break
    else:
        return Rule.LEARNER_AVAILABLE
    for seat in table.seats_on[learner][table.day_of_cell[meeting.cell]]:
        if seat.start < end and start < seat.end and seat.present and seat.session is not leaving:
            return Rule.ONE_PLACE
    if new:
        rule = _room_forbidden(table, meeting, learner, leaving)
        if rule:
            return rule
    zone = facts.zones[meeting.zone]
    if facts.step_free[learner] and not zone.step_free:
        return Rule.STEP_FREE
    if facts.bars[learner] and facts.barred(learner, meeting.leads, meeting.zone, meeting.focus):
        return Rule.BAR
    for order in table.keep_out.get(learner, ()):
        if order.scope.start < end and start < order.scope.end and matches(facts, meeting, order):
            return Obligation.OVERRIDE
    if facts.apart[learner] and _apart(table, meeting, learner, start, end):
        return Rule.APART
    if not may_learn(facts, learner, meeting.focus):
        return Rule.PREREQUISITE
    if facts.many_places and zone.place:
        return travel_forbidden(table, learner, start, end, zone.place, leaving)
    return None


def matches(facts: Facts, meeting: Meeting, order: Override) -> bool:
    """Whether the meeting has everything that an override names (focus, kind, studio, session, zone, one of the
    adults)."""
    return (
        (order.focus is None or order.focus == meeting.focus)
        and order.kind in ("", meeting.kind.id)
        and order.studio in ("", meeting.studio)
        and order.session in ("", meeting.id)
        and order.zone in ("", facts.zones[meeting.zone].id)
        and (not order.adults or any(facts.adults[adult].id in order.adults for adult in meeting.leads))
    )


def may_learn(facts: Facts, learner: int, focus: Focus | None) -> bool:
    """Whether all essential prerequisites of the focus are met for the learner (a competency asks for a need with met
    gates)."""
    return focus is None or focus.kind is not FocusKind.COMPETENCY or focus.id in facts.open_foci[learner]


def _room_forbidden(table: Timetable, meeting: Meeting, learner: int, leaving: Meeting | None) -> Rule | None:
    facts = table.facts
    count = len(meeting.occupants) + 1
    if count > meeting.cap:
        return Rule.ADULT_CAP
    if meeting.group_most and count > meeting.group_most:
        return Rule.SESSION_CAP
    zone = facts.zones[meeting.zone]
    beside = [
        other
        for other in table.by_zone[meeting.zone][table.day_of_cell[meeting.cell]]
        if other.start < meeting.end and meeting.start < other.end and other is not meeting
    ]
    taken: set[int] | dict[int, int] = meeting.occupants
    if beside:
        taken = set(meeting.occupants).union(*(other.occupants for other in beside if other is not leaving))
    used = sum(map(facts.seats_of.__getitem__, taken)) if facts.bound_to else len(taken)
    if used + (facts.seats_of[learner] if learner not in taken else 0) > zone.seats:
        return Rule.SEATS
    if meeting.needs_device and not facts.learners[learner].has_device:
        using = set(meeting.occupants).union(*(other.occupants for other in beside if other.needs_device))
        without = sum(not facts.learners[one].has_device for one in using if one != learner) + 1
        if without > zone.devices:
            return Rule.DEVICES
    if meeting.kind.age_span_months and not _in_span(facts, meeting, learner):
        return Rule.AGE_SPAN
    if facts.young and not _in_ratio(facts, meeting, learner, count):
        return Rule.RATIO
    return None


def _in_span(facts: Facts, meeting: Meeting, learner: int) -> bool:
    births = [facts.birth[one] for one in meeting.occupants] + [facts.birth[learner]]
    known = [birth for birth in births if birth is not None]
    if len(known) < len(births):
        return False
    return age_months(min(known), max(known)) <= meeting.kind.age_span_months


def _in_ratio(facts: Facts, meeting: Meeting, learner: int, count: int) -> bool:
    day = facts.cells[meeting.cell].day
    for ratio, by_day in facts.young:
        if ratio.kind not in ("", meeting.kind.id) or count <= ratio.most_per_adult:
            continue
        young = by_day[day]
        if (learner in young or not young.isdisjoint(meeting.occupants)) and count > ratio.most_per_adult * len(
            meeting.leads
        ):
            return False
    return True


def _apart(table: Timetable, meeting: Meeting, learner: int, start: int, end: int) -> bool:
    facts = table.facts
    room = facts.zones[meeting.zone].room or facts.zones[meeting.zone].id
    for other, reach in facts.apart[learner]:
        if other in meeting.occupants:
            return True
        for seat in table.seats_on[other][table.facts.day_at(start)]:
            if seat.start < end and start < seat.end:
                zone = facts.zones[seat.session.zone]
                if seat.session is meeting or (reach is Reach.ROOM and (zone.room or zone.id) == room):
                    return True
    return False


def travel_forbidden(
    table: Timetable, learner: int, start: int, end: int, place: str, leaving: Meeting | None = None
) -> Rule | None:
    """Whether the learner could reach ``place`` from where they are before, and the next place from there."""
    facts = table.facts
    before: tuple[int, str] | None = None
    after: tuple[int, str] | None = None
    for seat in table.seats_on[learner][facts.day_at(start)]:
        if not seat.present or seat.session is leaving:
            continue
        there = facts.zones[seat.session.zone].place
        if seat.end <= start and (before is None or seat.end > before[0]):
            before = (seat.end, there)
        if seat.start >= end and (after is None or seat.start < after[0]):
            after = (seat.start, there)
    if before and start - before[0] < facts.travel_minutes(before[1], place):
        return Rule.TRAVEL_TIME
    if after and after[0] - end < facts.travel_minutes(place, after[1]):
        return Rule.TRAVEL_TIME
    return None


def may_share(facts: Facts, learner: int, others: list[int]) -> bool:
    """Whether no apart-order stands between the learner and the others."""
    apart = facts.apart.get(learner)
    return not apart or not any(other in others for other, _ in apart)
