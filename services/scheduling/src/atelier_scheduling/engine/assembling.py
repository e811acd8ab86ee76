"""From the finished timetable to the plan that leaves: canonical order, official ids, roster membership, bound
adults."""

from atelier_scheduling.engine.checks import adult_forbidden, learner_forbidden
from atelier_scheduling.engine.demand import Demands
from atelier_scheduling.engine.facts import Facts
from atelier_scheduling.engine.ledger import adult_lines, learner_lines, unserved
from atelier_scheduling.engine.metrics import Tally, alarms
from atelier_scheduling.engine.needs import FocusKind
from atelier_scheduling.engine.overrides import OverrideOutcome
from atelier_scheduling.engine.plan import Attendance, LedgerLine, Plan, Presence, Receipt
from atelier_scheduling.engine.sessions import AdultTime, HomeGroup, OfficialIdentity, Session, Staff, StaffRole
from atelier_scheduling.engine.studios import Draft, as_studios
from atelier_scheduling.engine.times import Interval
from atelier_scheduling.engine.timetable import DECIDED, Meeting, Seat, Timetable, name_meetings

ENGINE = "atelier-scheduling-2"


def assemble(
    table: Timetable,
    demands: Demands,
    groups: list[HomeGroup],
    drafts: list[Draft],
    outcomes: tuple[OverrideOutcome, ...],
    reasons: dict[str, str],
    seed: int,
    effort: int,
) -> Plan:
    """The plan of a timetable in which everybody has a place."""
    facts = table.facts
    problem = facts.problem
    for rows in table.in_cell:
        for meeting in [item for item in rows if item.base and not item.occupants]:
            table.drop(meeting)
    meetings = [meeting for rows in table.in_cell for meeting in rows]
    name_meetings(problem.site, meetings)
    lie_inside(table, meetings)
    follow(table, meetings)
    sessions = sorted((as_session(facts, meeting) for meeting in meetings), key=session_order)
    attendances = sorted(
        (as_attendance(facts, seat) for meeting in meetings for seat in meeting.seats),
        key=attendance_order,
    )
    own_time = sorted(
        (AdultTime(facts.adults[adult].id, kind, Interval(start, end)) for adult, kind, start, end in table.own_time),
        key=lambda row: (row.interval, row.adult),
    )
    ledger = [line for one in range(len(facts.learners)) for line in learner_lines(facts, demands, one, reasons)]
    ledger += [line for one in range(len(facts.adults)) for line in adult_lines(table, one)]
    left = [row for one in range(len(facts.learners)) for row in unserved(facts, demands, one, reasons)]
    studios = as_studios(facts, drafts, seed)
    metrics = Tally(table, demands).metrics(tuple(ledger), (0, 0), len(studios))
    return Plan(
        problem.site,
        problem.week,
        problem.digest(),
        ENGINE,
        seed,
        effort,
        tuple(sessions),
        tuple(attendances),
        studios,
        tuple(sorted(groups, key=lambda group: group.id)),
        tuple(own_time),
        tuple(sorted(ledger, key=line_order)),
        tuple(sorted(left, key=lambda row: row.need)),
        outcomes,
        alarms(facts, metrics, tuple(ledger)),
        metrics,
    )


def session_order(session: Session) -> tuple[int, str]:
    return session.interval.start, session.id


def attendance_order(row: Attendance) -> tuple[int, str, str, int]:
    return row.interval.start, row.learner, row.session, row.interval.end


def line_order(line: LedgerLine) -> tuple[str, str, str]:
    return line.subject_of, line.obligation, line.need


def lie_inside(table: Timetable, meetings: list[Meeting]) -> None:
    """Pull-outs and push-ins keep their learners on the roster of the session they were taken from."""
    for meeting in meetings:
        if meeting.focus is None or meeting.focus.kind not in (FocusKind.SERVICE, FocusKind.MENTOR, FocusKind.TEST):
            continue
        hosts: dict[int, Meeting] = {}
        for learner in meeting.occupants:
            for seat in table.seats_on[learner][table.day_of_cell[meeting.cell]]:
                host = seat.session
                if seat.present and host is not meeting and host.start <= meeting.start and meeting.end <= host.end:
                    hosts[learner] = host
        if not hosts:
            continue
        usual = max(hosts.values(), key=lambda host: (sum(other is host for other in hosts.values()), host.id))
        meeting.parent = usual.id
        for learner, host in hosts.items():
            if host is not usual and not _gather(table, learner, host, usual):
                continue
            host = usual
            kept = [s for s in host.seats if s.learner == learner and s.present]
            if any(not s.present and s.learner == learner and s.start == meeting.start for s in host.seats):
                continue
            table.seat(Seat(learner, host, meeting.start, meeting.end, kept[0].why, present=False))


def _gather(table: Timetable, learner: int, host: Meeting, usual: Meeting) -> bool:
    """Let a learner of a pull-out spend the rest of the cell where the others of the group do, if both sessions are
    ground."""
    mine = [seat for seat in host.seats if seat.learner == learner]
    if not (host.base and usual.base and host.kind is usual.kind) or any(
        not seat.present or seat.why[0] in DECIDED for seat in mine
    ):
        return False
    for seat in mine:
        table.unseat(seat)
    if all(learner_forbidden(table, usual, learner, seat.start, seat.end) is None for seat in mine):
        for seat in mine:
            table.seat(Seat(learner, usual, seat.start, seat.end, seat.why, seat.needs))
        return True
    for seat in mine:
        table.seat(seat)
    return False


def follow(table: Timetable, meetings: list[Meeting]) -> None:
    """Adults bound to a learner are where the learner is, for whole meetings that do not collide."""
    facts = table.facts
    for meeting in meetings:
        meeting.staff = [(adult, role) for adult, role in meeting.staff if role is not StaffRole.BOUND]
    for learner, adults in sorted(facts.bound_to.items()):
        mine = {id(seat.session): seat.session for seat in table.seats_of(learner) if seat.present}
        inner_first = sorted(mine.values(), key=lambda m: (m.end - m.start, m.start, m.id))
        for adult in adults:
            taken: list[Meeting] = []
            for meeting in inner_first:
                clash = [o for o in taken if o.start < meeting.end and meeting.start < o.end and o.parent != meeting.id]
                place = facts.zones[meeting.zone].place
                if not clash and adult_forbidden(table, adult, meeting.start, meeting.end, place) is None:
                    meeting.staff.append((adult, StaffRole.BOUND))
                    taken.append(meeting)


def as_session(facts: Facts, meeting: Meeting) -> Session:
    most = min(meeting.cap, facts.zones[meeting.zone].seats, meeting.group_most or meeting.cap)
    slots = facts.cells[meeting.cell].slots
    return Session(
        meeting.id,
        meeting.kind.id,
        Interval(meeting.start, meeting.end),
        facts.zones[meeting.zone].id,
        tuple(Staff(facts.adults[adult].id, role) for adult, role in meeting.staff),
        meeting.fewest,
        most,
        meeting.focus,
        meeting.slot or slots[min(slots)],
        meeting.studio,
        meeting.home_group,
        meeting.series,
        meeting.parent,
        meeting.stations,
        meeting.needs_device,
        meeting.delivers,
        meeting.official or OfficialIdentity(),
    )


def as_attendance(facts: Facts, seat: Seat) -> Attendance:
    code, placed_by, parameters, restricted, margin = seat.why
    return Attendance(
        facts.learners[seat.learner].id,
        seat.session.id,
        Interval(seat.start, seat.end),
        Receipt(code, placed_by, parameters, restricted, margin),
        Presence.PRESENT if seat.present else Presence.MEMBER,
        seat.station,
        seat.needs,
    )
