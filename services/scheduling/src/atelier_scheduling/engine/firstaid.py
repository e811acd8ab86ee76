"""First aid for a standing plan: one event, the few people it concerns, milliseconds.

Never opens a session; it moves people between those that stand, exchanges an adult or a place, or gives up
(``None``), and then the whole week is planned again. Every decision reads canonical content only, so a kept and a
restored timetable give the same bytes.
"""

from bisect import bisect_left
from dataclasses import replace

from atelier_scheduling.engine.assembling import as_attendance, attendance_order, line_order
from atelier_scheduling.engine.changes import (
    AdultAbsent,
    Change,
    LearnerAbsent,
    NeedsChanged,
    OverrideGiven,
    OverrideWithdrawn,
    ZoneLost,
)
from atelier_scheduling.engine.checks import adult_forbidden, learner_forbidden, may_learn, staffed_cap, zone_forbidden
from atelier_scheduling.engine.decisions import Answer, Decisions
from atelier_scheduling.engine.demand import APPOINTED, GROUPED, Demands
from atelier_scheduling.engine.facts import Facts
from atelier_scheduling.engine.ledger import adult_lines, learner_lines, unserved
from atelier_scheduling.engine.metrics import alarms, measure
from atelier_scheduling.engine.needs import Need
from atelier_scheduling.engine.overrides import Override
from atelier_scheduling.engine.plan import LedgerLine, PlacedBy, Plan
from atelier_scheduling.engine.problem import SiteProblem
from atelier_scheduling.engine.restoring import recount, restore
from atelier_scheduling.engine.sectioning import Sectioning
from atelier_scheduling.engine.sessions import AdultTime, Session, Staff, StaffRole, Studio
from atelier_scheduling.engine.times import Interval
from atelier_scheduling.engine.timetable import DECIDED, Meeting, Seat

# Receipts of a place on the ground that is not the own home group's, by whether the kind is independent work.
_ELSEWHERE = {True: "supervised.study", False: "home.another-group"}


class FirstAid:
    """A plan, its problem and its timetable, kept together while repairs follow one another."""

    def __init__(self, problem: SiteProblem, plan: Plan) -> None:
        self.problem = problem
        self.plan = plan
        self.facts = Facts(problem)
        self.table, self.meetings = restore(self.facts, plan)
        self.demands = Demands(self.facts)
        for learner in range(len(self.facts.learners)):
            recount(self.table, self.demands, learner)
        self.sectioning = Sectioning(self.table, self.demands)
        self.decisions = Decisions(self.table, self.demands, plan)
        self.forced: dict[str, str] = {}
        self._touched: set[int] = set()
        self._adults: set[int] = set()
        self._sessions: set[str] = set()

    def mend(self, after: SiteProblem, changes: tuple[Change, ...], digest: str, seed: int, effort: int) -> Plan | None:
        """The plan after the changes, or ``None`` if it takes more than first aid (then this object must not be used
        again)."""
        self._touched, self._adults, self._sessions, self.forced = set(), set(), set(), {}
        before = self.problem
        self.problem = self.facts.problem = after
        held = self.decisions.minutes()
        for change in changes:
            if isinstance(change, OverrideWithdrawn):
                if not self._withdrawn(before, change.override, held):
                    return None
            elif not self._mend(change):
                return None
        now = self.decisions.minutes()
        if any(now.get(key, 0) < minutes for key, minutes in held.items()):
            # What a person decided does not stand any more: whether it is suspended takes the whole week.
            return None
        self.plan = self._assembled(digest, seed, effort)
        return self.plan

    @property
    def touched(self) -> set[str]:
        """Ids of the learners whom the last repair looked at."""
        return {self.facts.learners[one].id for one in self._touched}

    def _mend(self, change: Change) -> bool:
        match change:
            case NeedsChanged(learner, _):
                return learner not in self.facts.learner_of or self._needs_changed(self.facts.learner_of[learner])
            case LearnerAbsent(learner, interval):
                return learner not in self.facts.learner_of or self._absent(self.facts.learner_of[learner], interval)
            case AdultAbsent(adult, interval):
                return adult not in self.facts.adult_of or self._adult_absent(self.facts.adult_of[adult], interval)
            case ZoneLost(zone, interval):
                return zone not in self.facts.zone_of or self._zone_lost(self.facts.zone_of[zone], interval)
            case OverrideGiven(override):
                return self._given(override)
            case _:
                return False

    def _given(self, order: Override) -> bool:
        answer = self.decisions.give(order)
        if isinstance(answer, Answer):
            return False
        if not isinstance(answer, set):
            self.decisions.settle(order, answer)
            return True
        self.decisions.settle(order, None)
        self._touched |= answer
        self.forced |= {self.facts.learners[one].id: "override" for one in answer}
        for meeting in self.decisions.left:
            self._let_go(meeting)
        self.decisions.left.clear()
        return True

    def _withdrawn(self, before: SiteProblem, name: str, held: dict[tuple[str, int], int]) -> bool:
        order = next((one for one in before.overrides if one.id == name), None)
        if order is None:
            return name not in self.decisions.outcomes
        answer = self.decisions.withdraw(order)
        if isinstance(answer, Answer):
            return False
        self._touched |= answer
        for key in [key for key in held if key[0] == name]:
            del held[key]
        return True

    @property
    def _free_from(self) -> int:
        """Before this minute nothing moves by choice."""
        return max(self.problem.now, self.problem.policy.freeze_until)

    def _needs_changed(self, learner: int) -> bool:
        name = self.facts.learners[learner].id
        needs = [need for need in self.problem.needs if need.learner == name]
        if self.facts.bound_to.get(learner) or _appointed(needs) != _appointed(self.facts.needs[learner]):
            return False
        self.facts.set_needs(learner, needs)
        self._touched.add(learner)
        self.demands.refresh(learner)
        seats = sorted(self.table.seats_of(learner), key=lambda seat: (seat.start, seat.session.id))
        stale = []
        for seat in seats:
            if not seat.present:
                continue
            if seat.end <= self.problem.now:
                seat.needs = tuple(one for one in seat.needs if one in self.demands.by_need)
                continue
            self.demands.credit(seat)
            unlawful = not may_learn(self.facts, learner, seat.session.focus)
            if unlawful or (not seat.needs and not seat.session.base and seat.why[0] not in DECIDED):
                stale.append(seat)
        recount(self.table, self.demands, learner)
        budget = {learner: self._budget(learner)}
        for seat in stale:
            must = not may_learn(self.facts, learner, seat.session.focus)
            if (must or (budget[learner] > 0 and seat.start >= self._free_from)) and not self._better(seat, must):
                return False
            if must:
                self.forced[name] = "need-met"
            else:
                budget[learner] -= 1
        self.sectioning.fill([learner], budget, self._free_from)
        return True

    def _budget(self, learner: int) -> int:
        left = self.facts.learners[learner].moves_left
        most = self.problem.policy.moves_most
        return most if left is None else min(left, most)

    def _better(self, seat: Seat, must: bool) -> bool:
        """Another meeting at the same time that serves an open need; else, where the learner must leave, the ground."""
        cell = self.facts.cells[seat.session.cell]
        here = [
            m
            for m in self.table.in_cell[cell.index]
            if m is not seat.session and (m.start, m.end) == (seat.start, seat.end)
        ]
        for demand in sorted(self.demands.of[seat.learner], key=lambda d: (-self.sectioning.weight(d), d.need.id)):
            if not self.demands.open_now(demand, cell, seat.end - seat.start):
                continue
            for meeting in sorted(here, key=lambda m: m.id):
                if meeting.focus == demand.need.focus and self.sectioning.fits_kind(demand, meeting):
                    rule = learner_forbidden(self.table, meeting, seat.learner, seat.start, seat.end, seat.session)
                    if rule is None:
                        self.sectioning.move(seat, demand, meeting)
                        return True
        return not must or self._to_ground(seat) or self._exchange(seat) or self._beside(seat, here)

    def _exchange(self, seat: Seat) -> bool:
        """The ground is full: somebody on it who is ready for this session takes the seat, and leaves theirs."""
        meeting, cell = seat.session, self.facts.cells[seat.session.cell]
        if seat.start < self._free_from or meeting.focus is None or self.facts.bound_to.get(seat.learner):
            return False
        rows = [
            (-self.sectioning.weight(demand), demand.need.id, demand, other)
            for ground in self.table.in_cell[cell.index]
            if ground.base
            for other in ground.seats
            if (other.start, other.end) == (seat.start, seat.end) and other.present and other.why[0] not in DECIDED
            for demand in self.demands.of[other.learner]
            if demand.need.focus == meeting.focus and self._budget(other.learner) > 0
        ]
        for _, _, demand, other in sorted(rows, key=lambda row: row[:2]):
            fits = self.sectioning.fits_kind(demand, meeting)
            if not fits or not self.demands.open_now(demand, cell, seat.end - seat.start):
                continue
            ground = other.session
            self.table.unseat(seat)
            self.table.unseat(other)
            lawful = (
                learner_forbidden(self.table, meeting, other.learner, seat.start, seat.end) is None
                and learner_forbidden(self.table, ground, seat.learner, seat.start, seat.end) is None
            )
            self.table.seat(seat)
            self.table.seat(other)
            if lawful:
                self.sectioning.move(other, demand, meeting)
                self.demands.uncredit(seat)
                self.table.unseat(seat)
                moved = Seat(
                    seat.learner, ground, seat.start, seat.end, ("supervised.study", PlacedBy.NEED, (), False, 0.0)
                )
                self.table.seat(moved)
                self.demands.credit(moved)
                self._touched.add(other.learner)
                return True
        return False

    def _beside(self, seat: Seat, here: list[Meeting]) -> bool:
        """No room on the ground: any other session of this time that the learner may attend, to practise what is
        known."""
        for meeting in sorted(here, key=lambda m: (len(m.occupants), m.id)):
            if meeting.base or meeting.focus is None or meeting.focus.kind not in GROUPED:
                continue
            if learner_forbidden(self.table, meeting, seat.learner, seat.start, seat.end, seat.session) is None:
                self.demands.uncredit(seat)
                self.table.unseat(seat)
                why = ("studio.practice", PlacedBy.NEED, (("focus", meeting.focus.id),), False, 0.0)
                moved = Seat(seat.learner, meeting, seat.start, seat.end, why)
                self.table.seat(moved)
                self.demands.credit(moved)
                return True
        return False

    def _to_ground(self, seat: Seat) -> bool:
        if self.facts.bound_to.get(seat.learner):
            return False
        group = self._home_group(seat.learner)
        rows = [
            m for m in self.table.in_cell[seat.session.cell] if m.base and m.start <= seat.start and seat.end <= m.end
        ]
        for meeting in sorted(rows, key=lambda m: (m.home_group != group, -len(m.occupants), m.id)):
            if meeting is seat.session:
                continue
            if learner_forbidden(self.table, meeting, seat.learner, seat.start, seat.end, seat.session) is None:
                self.demands.uncredit(seat)
                self.table.unseat(seat)
                own = meeting.home_group == group and group
                code = "home.own-group" if own else _ELSEWHERE[meeting.kind.independent]
                if meeting.focus is not None:
                    code = f"time.{self.facts.cells[meeting.cell].purpose}"
                law = PlacedBy.LAW if code.startswith("time.") else PlacedBy.NEED
                moved = Seat(seat.learner, meeting, seat.start, seat.end, (code, law, (), False, 0.0))
                self.table.seat(moved)
                self.demands.credit(moved)
                self._touched.add(seat.learner)
                return True
        return False

    def _home_group(self, learner: int) -> str:
        name = self.facts.learners[learner].id
        return next((group.id for group in self.plan.home_groups if name in group.members), "")

    def _absent(self, learner: int, interval: Interval) -> bool:
        if self.facts.bound_to.get(learner):
            return False
        self.facts.set_learner(
            learner, next(one for one in self.problem.learners if one.id == self.facts.learners[learner].id)
        )
        self._touched.add(learner)
        for seat in self.table.seats_of(learner):
            if seat.end <= interval.start or interval.end <= seat.start:
                continue
            self.table.unseat(seat)
            for start, end in ((seat.start, interval.start), (interval.end, seat.end)):
                if start < end:
                    self.table.seat(replace(seat, start=start, end=end))
            self._let_go(seat.session)
        recount(self.table, self.demands, learner)
        return True

    def _let_go(self, meeting: Meeting) -> None:
        """A meeting that nobody attends any more is not held."""
        if meeting.occupants or meeting.seats or meeting.id not in self.meetings:
            return
        self.table.drop(meeting)
        del self.meetings[meeting.id]
        self._sessions.add(meeting.id)
        self._adults.update(meeting.leads)
        self.sectioning.forget(meeting)

    def _adult_absent(self, adult: int, interval: Interval) -> bool:
        name = self.facts.adults[adult].id
        self.facts.adults[adult] = next(one for one in self.problem.adults if one.id == name)
        self._adults.add(adult)
        for one, kind, start, end in list(self.table.own_time):
            if one == adult and start < interval.end and interval.start < end:
                self.table.release(one, kind, start, end)
        concerned = [
            meeting
            for cell in self.facts.cells_between(interval.start, interval.end)
            for meeting in self.table.in_cell[cell.index]
            if meeting.start < interval.end
            and interval.start < meeting.end
            and any(a == adult for a, _ in meeting.staff)
        ]
        return all(
            self._replace_adult(meeting, adult) or self._dissolve(meeting)
            for meeting in sorted(concerned, key=lambda m: (m.start, m.id))
            if meeting.end > self.problem.now
        )

    def _replace_adult(self, meeting: Meeting, adult: int) -> bool:
        """Somebody free takes over: qualified if there is anybody, else to supervise only."""
        facts = self.facts
        role = next(role for one, role in meeting.staff if one == adult)
        rest = [(one, its) for one, its in meeting.staff if one != adult]
        if role is StaffRole.BOUND:
            self._restaff(meeting, rest)
            return True
        place = facts.zones[meeting.zone].place
        wanted = facts.provider_role.get(meeting.focus.id, "") if meeting.focus else ""
        roles = [need.role for need in meeting.kind.staff if need.role]
        options = [
            one
            for one in range(len(facts.adults))
            if facts.may_lead[one]
            and all(one != other for other, _ in rest)
            and all(name in facts.adults[one].roles for name in roles)
            and adult_forbidden(self.table, one, meeting.start, meeting.end, place) is None
            and not any(facts.barred(learner, [one], meeting.zone, meeting.focus) for learner in meeting.occupants)
        ]
        options.sort(
            key=lambda one: (
                not facts.qualified(one, meeting.focus, meeting.kind, wanted),
                len(facts.adults[one].certificates),
                one,
            )
        )
        for one in options:
            staff = [(one, role), *rest]
            if staffed_cap(facts, meeting.kind, staff) >= len(meeting.occupants):
                self._restaff(meeting, staff)
                meeting.delivers = any(
                    facts.qualified(someone, meeting.focus, meeting.kind, wanted) for someone in meeting.leads
                )
                self._recount_all(meeting)
                return True
        return False

    def _restaff(self, meeting: Meeting, staff: list[tuple[int, StaffRole]]) -> None:
        self._adults.update(adult for adult, _ in (*meeting.staff, *staff))
        self.table.drop(meeting)
        meeting.staff = staff
        meeting.cap = min(meeting.cap, staffed_cap(self.facts, meeting.kind, staff))
        self.table.add(meeting)
        self._sessions.add(meeting.id)

    def _recount_all(self, meeting: Meeting) -> None:
        """Whether minutes count may have changed for everybody here."""
        for seat in sorted(meeting.seats, key=lambda item: (item.learner, item.start)):
            if seat.present:
                seat.needs = ()
                recount(self.table, self.demands, seat.learner)
                self.demands.credit(seat)
                recount(self.table, self.demands, seat.learner)
                self._touched.add(seat.learner)

    def _dissolve(self, meeting: Meeting) -> bool:
        """Everybody here goes to the ground of the same time; the meeting is not held."""
        if any(other.parent == meeting.id for other in self.table.in_cell[meeting.cell]) or any(
            not seat.present for seat in meeting.seats
        ):
            return False
        for seat in sorted(meeting.seats, key=lambda item: (item.learner, item.start)):
            if not self._to_ground(seat):
                return False
        self._let_go(meeting)
        return True

    def _zone_lost(self, zone: int, interval: Interval) -> bool:
        self.facts.zones[zone] = next(one for one in self.problem.zones if one.id == self.facts.zones[zone].id)
        days = sorted({cell.day for cell in self.facts.cells_between(interval.start, interval.end)})
        concerned = [
            meeting
            for day in days
            for meeting in self.table.by_zone[zone][day]
            if meeting.start < interval.end and interval.start < meeting.end and meeting.end > self.problem.now
        ]
        return all(
            self._replace_zone(meeting) or self._dissolve(meeting)
            for meeting in sorted(concerned, key=lambda m: (m.start, m.id))
        )

    def _replace_zone(self, meeting: Meeting) -> bool:
        facts = self.facts
        if any(other.parent == meeting.id or other.id == meeting.parent for other in self.table.in_cell[meeting.cell]):
            return False
        old, seats = meeting.zone, sorted(meeting.seats, key=lambda item: (item.learner, item.start))
        self.table.drop(meeting)
        for zone in facts.zones_for[meeting.kind.id]:
            place = facts.zones[zone].place
            if zone == old or zone_forbidden(self.table, zone, meeting.start, meeting.end):
                continue
            if any(adult_forbidden(self.table, one, meeting.start, meeting.end, place) for one in meeting.leads):
                continue
            meeting.zone, meeting.seats, meeting.occupants = zone, [], {}
            self.table.add(meeting)
            if all(self._seat_again(meeting, seat) for seat in seats):
                meeting.cap = min(meeting.cap, facts.zones[zone].seats)
                self._sessions.add(meeting.id)
                self._adults.update(meeting.leads)
                return True
            for seat in list(meeting.seats):
                self.table.unseat(seat)
            self.table.drop(meeting)
        meeting.zone, meeting.seats, meeting.occupants = old, [], {}
        self.table.add(meeting)
        for seat in seats:
            self.table.seat(seat)
        return False

    def _seat_again(self, meeting: Meeting, seat: Seat) -> bool:
        if seat.present and learner_forbidden(self.table, meeting, seat.learner, seat.start, seat.end) is not None:
            return False
        self.table.seat(seat)
        return True

    def _assembled(self, digest: str, seed: int, effort: int) -> Plan:
        facts, before = self.facts, self.plan
        touched = {facts.learners[one].id for one in self._touched}
        adults = {facts.adults[one].id for one in self._adults}
        rows = [row for row in before.attendances if row.learner not in touched]
        for seat in (seat for one in sorted(self._touched) for seat in self.table.seats_of(one)):
            row = as_attendance(facts, seat)
            rows.insert(bisect_left(rows, attendance_order(row), key=attendance_order), row)
        reasons = {row.need: row.code for row in before.unserved if row.learner in touched}
        reasons |= {
            line.need: line.code
            for line in before.obligations
            if line.need and line.code and line.subject_of in touched
        }
        lines: list[LedgerLine] = [line for line in before.obligations if line.subject_of not in touched | adults]
        lines += [line for one in sorted(self._touched) for line in learner_lines(facts, self.demands, one, reasons)]
        lines += [line for one in sorted(self._adults) for line in adult_lines(self.table, one)]
        lines.sort(key=line_order)
        left = [row for row in before.unserved if row.learner not in touched]
        left += [row for one in sorted(self._touched) for row in unserved(facts, self.demands, one, reasons)]
        left.sort(key=lambda row: row.need)
        studios = self._studios()
        ledger = tuple(lines)
        metrics = measure(self.table, self.demands, ledger, (0, 0), len(studios))
        return replace(
            before,
            problem=digest,
            seed=seed,
            effort=effort,
            sessions=tuple(self._session(session) for session in before.sessions if session.id in self.meetings),
            attendances=tuple(rows),
            studios=studios,
            adult_time=self._own_time(),
            obligations=ledger,
            unserved=tuple(left),
            overrides=tuple(outcome for _, outcome in sorted(self.decisions.outcomes.items())),
            alarms=alarms(facts, metrics, ledger),
            metrics=metrics,
        )

    def _session(self, session: Session) -> Session:
        if session.id not in self._sessions:
            return session
        meeting = self.meetings[session.id]
        staff = tuple(Staff(self.facts.adults[adult].id, role) for adult, role in meeting.staff)
        zone = self.facts.zones[meeting.zone].id
        return replace(session, staff=staff, zone=zone, most=meeting.cap, delivers=meeting.delivers)

    def _own_time(self) -> tuple[AdultTime, ...]:
        if not self._adults:
            return self.plan.adult_time
        rows = [AdultTime(self.facts.adults[one].id, kind, Interval(a, b)) for one, kind, a, b in self.table.own_time]
        return tuple(sorted(rows, key=lambda row: (row.interval, row.adult)))

    def _studios(self) -> tuple[Studio, ...]:
        """Who left a studio because its gap is closed for them, and who joined one by attending it."""
        joined: dict[str, set[str]] = {}
        gone: dict[str, set[str]] = {}
        for one in sorted(self._touched):
            name = self.facts.learners[one].id
            for seat in self.table.seats_of(one):
                if seat.session.studio:
                    joined.setdefault(seat.session.studio, set()).add(name)
            foci = {need.focus for need in self.facts.needs[one]}
            for studio in self.plan.studios:
                if name in studio.members and studio.focus not in foci:
                    gone.setdefault(studio.id, set()).add(name)
        if not joined and not gone:
            return self.plan.studios
        found = []
        for studio in self.plan.studios:
            members = (set(studio.members) - gone.get(studio.id, set())) | joined.get(studio.id, set())
            same = len(members) == len(studio.members) and members == set(studio.members)
            found.append(studio if same else replace(studio, members=tuple(sorted(members))))
        return tuple(found)


def _appointed(needs: list[Need]) -> list[Need]:
    """Services, tests and mentor talks: to place or lift one takes more than first aid."""
    return sorted((need for need in needs if need.focus.kind in APPOINTED), key=lambda need: need.id)
