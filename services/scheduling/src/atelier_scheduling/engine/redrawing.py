"""The plan after first aid: what was touched is told anew, everything else is taken from the plan before."""

from bisect import bisect_left
from dataclasses import replace

from atelier_scheduling.engine.assembling import as_attendance, attendance_order, line_order
from atelier_scheduling.engine.ledger import adult_lines, learner_lines, unserved
from atelier_scheduling.engine.metrics import alarms, measure
from atelier_scheduling.engine.plan import Attendance, LedgerLine, Plan
from atelier_scheduling.engine.sessions import AdultTime, Session, Staff, Studio
from atelier_scheduling.engine.times import Interval
from atelier_scheduling.engine.timetable import SHOWN
from atelier_scheduling.engine.worktable import Worktable


def redrawn(work: Worktable, digest: str, seed: int, effort: int) -> Plan:
    """The plan as the worktable has it. ``digest`` names its problem."""
    facts, before = work.facts, work.plan
    rows = {
        facts.learners[one].id: sorted(
            (as_attendance(facts, seat) for seat in work.table.seats_of(one)), key=attendance_order
        )
        for one in sorted(work.touched)
    }
    studios = _studios(work)
    touched = {facts.learners[one].id for one in work.touched}
    adults = {facts.adults[one].id for one in work.adults}
    reasons = {row.need: row.code for row in before.unserved if row.learner in touched}
    reasons |= {
        line.need: line.code for line in before.obligations if line.need and line.code and line.subject_of in touched
    }
    lines: list[LedgerLine] = [line for line in before.obligations if line.subject_of not in touched | adults]
    lines += [line for one in sorted(work.touched) for line in learner_lines(facts, work.demands, one, reasons)]
    lines += [line for one in sorted(work.adults) for line in adult_lines(work.table, one)]
    lines.sort(key=line_order)
    left = [row for row in before.unserved if row.learner not in touched]
    left += [row for one in sorted(work.touched) for row in unserved(facts, work.demands, one, reasons)]
    left.sort(key=lambda row: row.need)
    ledger = tuple(lines)
    metrics = measure(work.table, work.demands, ledger, (0, 0), len(studios))
    return replace(
        before,
        problem=digest,
        seed=seed,
        effort=effort,
        sessions=tuple(_session(work, session) for session in before.sessions if session.id in work.meetings),
        attendances=_attendances(before, rows),
        studios=studios,
        adult_time=_own_time(work),
        obligations=ledger,
        unserved=tuple(left),
        overrides=tuple(outcome for _, outcome in sorted(work.decisions.outcomes.items())),
        alarms=alarms(facts, metrics, ledger),
        metrics=metrics,
    )


def _attendances(before: Plan, rows: dict[str, list[Attendance]]) -> tuple[Attendance, ...]:
    kept = [row for row in before.attendances if row.learner not in rows]
    new = sorted((row for mine in rows.values() for row in mine), key=attendance_order)
    at = 0
    merged: list[Attendance] = []
    for row in new:
        place = bisect_left(kept, attendance_order(row), at, key=attendance_order)
        merged += kept[at:place]
        merged.append(row)
        at = place
    return (*merged, *kept[at:])


def _session(work: Worktable, session: Session) -> Session:
    if session.id not in work.sessions:
        return session
    meeting = work.meetings[session.id]
    staff = tuple(Staff(work.facts.adults[adult].id, role) for adult, role in meeting.staff)
    zone = work.facts.zones[meeting.zone].id
    return replace(session, staff=staff, zone=zone, most=meeting.cap, delivers=meeting.delivers)


def _own_time(work: Worktable) -> tuple[AdultTime, ...]:
    if not work.adults:
        return work.plan.adult_time
    rows = [AdultTime(work.facts.adults[one].id, kind, Interval(a, b)) for one, kind, a, b in work.table.own_time]
    return tuple(sorted(rows, key=lambda row: (row.interval, row.adult)))


def _studios(work: Worktable) -> tuple[Studio, ...]:
    """Who left a studio because its gap is closed for them, and who joined one by attending it."""
    joined: dict[str, set[str]] = {}
    gone: dict[str, set[str]] = {}
    member: dict[str, list[Studio]] = {work.facts.learners[one].id: [] for one in work.touched}
    for studio in work.plan.studios:
        for name in member.keys() & studio.members:
            member[name].append(studio)
    for one in sorted(work.touched):
        name = work.facts.learners[one].id
        for seat in work.table.seats_of(one):
            if seat.session.studio and seat.why[0] != SHOWN:
                joined.setdefault(seat.session.studio, set()).add(name)
        foci = {need.focus for need in work.facts.needs[one] if need.is_open}
        for studio in member[name]:
            if studio.focus not in foci:
                gone.setdefault(studio.id, set()).add(name)
    found = []
    for studio in work.plan.studios:
        members = set(studio.members)
        if studio.id in joined or studio.id in gone:
            members = (members - gone.get(studio.id, set())) | joined.get(studio.id, set())
        same = len(members) == len(studio.members)
        found.append(
            studio if same and members.issuperset(studio.members) else replace(studio, members=tuple(sorted(members)))
        )
    if all(one is other for one, other in zip(found, work.plan.studios, strict=True)):
        return work.plan.studios
    return tuple(found)
