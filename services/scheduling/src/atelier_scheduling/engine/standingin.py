"""Somebody or some place is not there: who takes over, where it is held instead, or that it is not held."""

from dataclasses import replace

from atelier_scheduling.engine.checks import adult_forbidden, learner_forbidden, staffed_cap, zone_forbidden
from atelier_scheduling.engine.reseating import Reseating
from atelier_scheduling.engine.restoring import recount
from atelier_scheduling.engine.sessions import StaffRole
from atelier_scheduling.engine.times import Interval
from atelier_scheduling.engine.timetable import Meeting, Seat
from atelier_scheduling.engine.worktable import Worktable


class StandingIn:
    """Each of these says whether it could be settled; if not, nothing can be said of the table any more."""

    def __init__(self, work: Worktable, reseating: Reseating) -> None:
        self.work = work
        self.reseating = reseating

    def learner_absent(self, learner: int, interval: Interval) -> bool:
        if self.work.facts.bound_to.get(learner):
            return False
        self.work.facts.set_learner(
            learner, next(one for one in self.work.problem.learners if one.id == self.work.facts.learners[learner].id)
        )
        self.work.touched.add(learner)
        for seat in self.work.table.seats_of(learner):
            if seat.end <= interval.start or interval.end <= seat.start:
                continue
            self.work.table.unseat(seat)
            for start, end in ((seat.start, interval.start), (interval.end, seat.end)):
                if start < end:
                    self.work.table.seat(replace(seat, start=start, end=end))
            self.work.let_go(seat.session)
        recount(self.work.table, self.work.demands, learner)
        return True

    def adult_absent(self, adult: int, interval: Interval) -> bool:
        name = self.work.facts.adults[adult].id
        self.work.facts.adults[adult] = next(one for one in self.work.problem.adults if one.id == name)
        self.work.adults.add(adult)
        for one, kind, start, end in list(self.work.table.own_time):
            if one == adult and start < interval.end and interval.start < end:
                self.work.table.release(one, kind, start, end)
        concerned = [
            meeting
            for cell in self.work.facts.cells_between(interval.start, interval.end)
            for meeting in self.work.table.in_cell[cell.index]
            if meeting.start < interval.end
            and interval.start < meeting.end
            and any(a == adult for a, _ in meeting.staff)
        ]
        return all(
            self._replace_adult(meeting, adult) or self._dissolve(meeting)
            for meeting in sorted(concerned, key=lambda m: (m.start, m.id))
            if meeting.end > self.work.problem.now
        )

    def _replace_adult(self, meeting: Meeting, adult: int) -> bool:
        """Somebody free takes over: qualified if there is anybody, else to supervise only."""
        facts = self.work.facts
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
            and adult_forbidden(self.work.table, one, meeting.start, meeting.end, place) is None
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
        self.work.adults.update(adult for adult, _ in (*meeting.staff, *staff))
        self.work.table.drop(meeting)
        meeting.staff = staff
        meeting.cap = min(meeting.cap, staffed_cap(self.work.facts, meeting.kind, staff))
        self.work.table.add(meeting)
        self.work.sessions.add(meeting.id)

    def _recount_all(self, meeting: Meeting) -> None:
        """Whether minutes count may have changed for everybody here."""
        for seat in sorted(meeting.seats, key=lambda item: (item.learner, item.start)):
            if seat.present:
                seat.needs = ()
                recount(self.work.table, self.work.demands, seat.learner)
                self.work.demands.credit(seat)
                recount(self.work.table, self.work.demands, seat.learner)
                self.work.touched.add(seat.learner)

    def _dissolve(self, meeting: Meeting) -> bool:
        """Everybody here goes to the ground of the same time; the meeting is not held."""
        if any(other.parent == meeting.id for other in self.work.table.in_cell[meeting.cell]) or any(
            not seat.present for seat in meeting.seats
        ):
            return False
        for seat in sorted(meeting.seats, key=lambda item: (item.learner, item.start)):
            if not self.reseating.to_ground(seat):
                return False
        self.work.let_go(meeting)
        return True

    def zone_lost(self, zone: int, interval: Interval) -> bool:
        self.work.facts.zones[zone] = next(
            one for one in self.work.problem.zones if one.id == self.work.facts.zones[zone].id
        )
        days = sorted({cell.day for cell in self.work.facts.cells_between(interval.start, interval.end)})
        concerned = [
            meeting
            for day in days
            for meeting in self.work.table.by_zone[zone][day]
            if meeting.start < interval.end and interval.start < meeting.end and meeting.end > self.work.problem.now
        ]
        return all(
            self._replace_zone(meeting) or self._dissolve(meeting)
            for meeting in sorted(concerned, key=lambda m: (m.start, m.id))
        )

    def _replace_zone(self, meeting: Meeting) -> bool:
        facts = self.work.facts
        if any(
            other.parent == meeting.id or other.id == meeting.parent for other in self.work.table.in_cell[meeting.cell]
        ):
            return False
        old, seats = meeting.zone, sorted(meeting.seats, key=lambda item: (item.learner, item.start))
        self.work.table.drop(meeting)
        for zone in facts.zones_for[meeting.kind.id]:
            place = facts.zones[zone].place
            if zone == old or zone_forbidden(self.work.table, zone, meeting.start, meeting.end):
                continue
            if any(adult_forbidden(self.work.table, one, meeting.start, meeting.end, place) for one in meeting.leads):
                continue
            meeting.zone, meeting.seats, meeting.occupants = zone, [], {}
            self.work.table.add(meeting)
            if all(self._seat_again(meeting, seat) for seat in seats):
                meeting.cap = min(meeting.cap, facts.zones[zone].seats)
                self.work.sessions.add(meeting.id)
                self.work.adults.update(meeting.leads)
                return True
            for seat in list(meeting.seats):
                self.work.table.unseat(seat)
            self.work.table.drop(meeting)
        meeting.zone, meeting.seats, meeting.occupants = old, [], {}
        self.work.table.add(meeting)
        for seat in seats:
            self.work.table.seat(seat)
        return False

    def _seat_again(self, meeting: Meeting, seat: Seat) -> bool:
        if seat.present and learner_forbidden(self.work.table, meeting, seat.learner, seat.start, seat.end) is not None:
            return False
        self.work.table.seat(seat)
        return True
