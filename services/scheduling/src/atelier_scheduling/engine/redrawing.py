"""The plan after first aid: what was touched is told anew, everything else is taken from the plan before."""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from atelier_scheduling.engine.assembling import as_attendance, attendance_order, line_order
from atelier_scheduling.engine.difference import differing
from atelier_scheduling.engine.ledger import adult_lines, learner_lines, unserved
from atelier_scheduling.engine.metrics import Tally, alarms
from atelier_scheduling.engine.plan import Attendance, LedgerLine, Plan, Presence, Unserved
from atelier_scheduling.engine.sessions import AdultTime, Session, Staff, Studio
from atelier_scheduling.engine.times import Interval
from atelier_scheduling.engine.timetable import SHOWN, Seat
from atelier_scheduling.engine.worktable import Worktable

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Redrawn:
    """A plan, and the attendances that it gave up and took on."""

    plan: Plan
    gone: tuple[Attendance, ...]
    new: tuple[Attendance, ...]


class Drawing:
    """Tells the plan of a worktable. It keeps what it told of each person and session, so that a repair costs what it touched."""

    def __init__(self, work: Worktable) -> None:
        self._work = work
        self._tally = Tally(work.table, work.demands)
        self._rows: dict[str, list[Attendance]] = defaultdict(list)
        for row in work.plan.attendances:
            self._rows[row.learner].append(row)
        self._lines: dict[str, list[LedgerLine]] = defaultdict(list)
        for line in work.plan.obligations:
            self._lines[line.subject_of].append(line)
        self._left: dict[str, list[Unserved]] = defaultdict(list)
        for one in work.plan.unserved:
            self._left[one.learner].append(one)

    def redraw(self, digest: str, seed: int, effort: int) -> Redrawn:
        """The plan as the worktable has it now. ``digest`` names its problem."""
        work, before = self._work, self._work.plan
        gone, new = self._attendances()
        lines, left = self._owed()
        studios = self._studios()
        sessions = self._sessions()
        concerned = {row.session for row in (*gone, *new)} | work.sessions
        self._tally.again({name: work.meetings.get(name) for name in concerned}, work.touched)
        metrics = self._tally.metrics(lines, (0, 0), len(studios))
        plan = replace(
            before,
            problem=digest,
            seed=seed,
            effort=effort,
            sessions=sessions,
            attendances=_spliced(before.attendances, gone, new, attendance_order),
            studios=studios,
            adult_time=_own_time(work),
            obligations=lines,
            unserved=left,
            overrides=tuple(outcome for _, outcome in sorted(work.decisions.outcomes.items())),
            alarms=alarms(work.facts, metrics, lines),
            metrics=metrics,
        )
        return Redrawn(plan, tuple(gone), tuple(new))

    def _attendances(self) -> tuple[list[Attendance], list[Attendance]]:
        work = self._work
        gone: list[Attendance] = []
        new: list[Attendance] = []
        for one in sorted(work.touched):
            name = work.facts.learners[one].id
            before = {(row.interval.start, row.session, row.interval.end): row for row in self._rows[name]}
            rows = []
            for seat in work.table.seats_of(one):
                row = before.get((seat.start, seat.session.id, seat.end))
                rows.append(row if row is not None and _tells(row, seat) else as_attendance(work.facts, seat))
            left, came = differing(self._rows[name], rows, attendance_order)
            gone += left
            new += came
            self._rows[name] = rows
        return gone, new

    def _owed(self) -> tuple[tuple[LedgerLine, ...], tuple[Unserved, ...]]:
        """The ledger and what is left unserved, of everybody who was touched anew."""
        work, facts = self._work, self._work.facts
        lines: dict[str, list[LedgerLine]] = {}
        left: dict[str, list[Unserved]] = {}
        for one in work.touched:
            name = facts.learners[one].id
            reasons = {row.need: row.code for row in self._left[name]}
            reasons |= {line.need: line.code for line in self._lines[name] if line.need and line.code}
            lines[name] = learner_lines(facts, work.demands, one, reasons)
            left[name] = unserved(facts, work.demands, one, reasons)
        for one in work.adults:
            lines[facts.adults[one].id] = adult_lines(work.table, one)
        return (
            _told_anew(work.plan.obligations, self._lines, lines, line_order),
            _told_anew(work.plan.unserved, self._left, left, lambda row: row.need),
        )

    def _sessions(self) -> tuple[Session, ...]:
        work = self._work
        if not work.sessions:
            return work.plan.sessions
        return tuple(_session(work, one) for one in work.plan.sessions if one.id in work.meetings)

    def _studios(self) -> tuple[Studio, ...]:
        """Who left a studio because its gap is closed for them, and who joined one by attending it."""
        work = self._work
        joined: dict[str, set[str]] = defaultdict(set)
        gone: dict[str, set[str]] = defaultdict(set)
        for one in sorted(work.touched):
            name = work.facts.learners[one].id
            for seat in work.table.seats_of(one):
                if seat.session.studio and seat.why[0] != SHOWN:
                    joined[seat.session.studio].add(name)
            foci = {need.focus for need in work.facts.needs[one] if need.is_open}
            for studio in work.plan.studios:
                if name in studio.members and studio.focus not in foci:
                    gone[studio.id].add(name)
        others: dict[str, Studio] = {}
        for studio in work.plan.studios:
            if studio.id in joined or studio.id in gone:
                members = (set(studio.members) - gone[studio.id]) | joined[studio.id]
                if members != set(studio.members):
                    others[studio.id] = replace(studio, members=tuple(sorted(members)))
        return tuple(others.get(one.id, one) for one in work.plan.studios) if others else work.plan.studios


def _tells(row: Attendance, seat: Seat) -> bool:
    """Whether the attendance says of the seat what there is to say."""
    because = row.because
    return (
        row.needs == seat.needs
        and (because.code, because.placed_by, because.parameters, because.restricted, because.margin) == seat.why
        and (row.presence is Presence.PRESENT) == seat.present
        and row.station == seat.station
    )


def _told_anew(
    rows: tuple[Row, ...], before: dict[str, list[Row]], after: dict[str, list[Row]], order: Callable[[Row], Any]
) -> tuple[Row, ...]:
    """``rows`` with those of some people replaced; ``before`` keeps what is told of each."""
    gone: list[Row] = []
    new: list[Row] = []
    for name, mine in after.items():
        left, came = differing(before[name], mine, order)
        gone += left
        new += came
        if left or came:
            stayed = {order(row): row for row in before[name]} | {order(row): row for row in came}
            before[name] = [stayed[order(row)] for row in mine]
    return _spliced(rows, gone, new, order)


def _spliced(
    rows: tuple[Row, ...], gone: Sequence[Row], new: Sequence[Row], order: Callable[[Row], Any]
) -> tuple[Row, ...]:
    """Rows in canonical order without some of them and with others."""
    if not gone and not new:
        return rows
    left = list(rows)
    for row in gone:
        at = bisect_left(left, order(row), key=order)
        while left[at] != row:
            at += 1
        del left[at]
    for row in new:
        insort(left, row, key=order)
    return tuple(left)


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
