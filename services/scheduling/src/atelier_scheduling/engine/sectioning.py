"""Who sits in which meeting, once the meetings stand: open seats are filled, and learners change places where both
sides gain."""

from atelier_scheduling.engine.appointments import practice, why
from atelier_scheduling.engine.checks import learner_forbidden
from atelier_scheduling.engine.demand import GROUPED, PRACTISED, Demand, Demands, kinds_of
from atelier_scheduling.engine.facts import Facts
from atelier_scheduling.engine.needs import Focus, NeedClass
from atelier_scheduling.engine.timetable import DECIDED, Meeting, Seat, Timetable


class Sectioning:
    """Works on placed meetings only; opens and closes none. ``effort`` bounds the exchanges that are tried."""

    def __init__(self, table: Timetable, demands: Demands) -> None:
        self.table = table
        self.facts: Facts = table.facts
        self.demands = demands
        self.meetings: dict[Focus, list[Meeting]] = {}
        for rows in table.in_cell:
            for meeting in rows:
                if meeting.focus is not None and not meeting.base and meeting.focus.kind in GROUPED:
                    self.meetings.setdefault(meeting.focus, []).append(meeting)

    def fill(self, learners: list[int], moves: dict[int, int] | None = None, after: int = 0) -> int:
        """Give learners open seats for what they still need, most worthy first; ``moves`` is each one's budget,
        nothing before minute ``after`` changes. Returns how many seats were taken."""
        rows: list[tuple[float, str, Demand]] = []
        for one in learners:
            for demand in self.demands.of[one]:
                if demand.need.focus in self.meetings and not demand.met:
                    rows.append((-self.weight(demand), demand.need.id, demand))
        rows.sort(key=lambda row: row[:2])
        taken = 0
        for _, _, demand in rows:
            for meeting in self.meetings[demand.need.focus]:
                if demand.met or (moves is not None and moves.get(demand.learner, 0) <= 0):
                    break
                if meeting.start >= after and self.sit(demand, meeting):
                    taken += 1
                    if moves is not None:
                        moves[demand.learner] -= 1
        return taken

    def practise(self, learners: list[int]) -> int:
        """Seats that nobody needs any more go to learners in independent work who were at the focus on another day.
        Returns how many seats were taken."""
        taken = 0
        for one in learners:
            for demand in self.demands.of[one]:
                if demand.met and demand.need.focus.kind in PRACTISED:
                    rows = self.meetings.get(demand.need.focus, ())
                    taken += sum(self.sit(demand, meeting, again=True) for meeting in rows)
        return taken

    def exchange(self, learners: list[int], effort: int) -> int:
        """For a need whose meetings collide with another meeting of the learner: move that other one to a later
        meeting of its own studio's focus, if there is room. Returns how many needs were newly served."""
        served = 0
        for one in learners:
            for demand in self.demands.of[one]:
                if demand.need.focus not in self.meetings or demand.met:
                    continue
                for meeting in self.meetings[demand.need.focus]:
                    if effort <= 0:
                        return served
                    effort -= 1
                    if self.swap(demand, meeting):
                        served += 1
                        break
        return served

    def sit(self, demand: Demand, meeting: Meeting, again: bool = False) -> bool:
        """Move the learner from the ground into the meeting, if every rule allows. ``again``: from independent work,
        to practise."""
        if again and len(meeting.occupants) >= meeting.cap:
            return False
        if meeting.fixed and not self.fits_kind(demand, meeting):
            return False
        if not self._may(demand, meeting, again):
            return False
        seats = self.table.seats_in(demand.learner, meeting.start, meeting.end)
        if len(seats) != 1 or not seats[0].session.base or seats[0].start > meeting.start or seats[0].end < meeting.end:
            return False
        ground = seats[0]
        if ground.why[0] in DECIDED or (again and not ground.session.kind.independent):
            return False
        if learner_forbidden(self.table, meeting, demand.learner, meeting.start, meeting.end, ground.session):
            return False
        self.demands.uncredit(ground)
        self.table.unseat(ground)
        for start, end in ((ground.start, meeting.start), (meeting.end, ground.end)):
            if start < end:
                rest = Seat(demand.learner, ground.session, start, end, ground.why)
                self.table.seat(rest)
                self.demands.credit(rest)
        reason = practice(demand) if again else why(demand, "studio")
        seat = Seat(demand.learner, meeting, meeting.start, meeting.end, reason)
        self.table.seat(seat)
        self.demands.credit(seat)
        return True

    def move(self, old: Seat, demand: Demand, meeting: Meeting) -> None:
        """Exchange one seat for another at the same time; the caller has asked every rule."""
        self.demands.uncredit(old)
        self.table.unseat(old)
        seat = Seat(demand.learner, meeting, old.start, old.end, why(demand, "studio"))
        self.table.seat(seat)
        self.demands.credit(seat)

    def forget(self, meeting: Meeting) -> None:
        """The meeting is not held any more."""
        if meeting.focus in self.meetings and meeting in self.meetings[meeting.focus]:
            self.meetings[meeting.focus].remove(meeting)

    def fits_kind(self, demand: Demand, meeting: Meeting) -> bool:
        return meeting.kind in kinds_of(self.facts, demand.need)

    def _may(self, demand: Demand, meeting: Meeting, again: bool = False) -> bool:
        cell = self.facts.cells[meeting.cell]
        if not self.fits_kind(demand, meeting) or demand.need.focus != meeting.focus:
            return False
        minutes = meeting.end - meeting.start
        return (self.demands.may_practise if again else self.demands.open_now)(demand, cell, minutes)

    def swap(self, demand: Demand, meeting: Meeting, after: int = 0) -> bool:
        """Take a seat in the meeting at the price of the own seat at that time, whose need finds another meeting that
        begins at ``after`` or later."""
        if not self._may(demand, meeting):
            return False
        seats = self.table.seats_in(demand.learner, meeting.start, meeting.end)
        if len(seats) != 1 or seats[0].session.base or seats[0].why[0] in DECIDED or len(seats[0].needs) == 0:
            return False
        old = seats[0]
        if (old.start, old.end) != (meeting.start, meeting.end) or old.session.focus not in self.meetings:
            return False
        if len(old.session.occupants) <= old.session.fewest:
            return False
        own = next(
            (
                self.demands.by_need[name]
                for name in old.needs
                if self.demands.by_need[name].need.focus == old.session.focus
            ),
            None,
        )
        if own is None or learner_forbidden(
            self.table, meeting, demand.learner, meeting.start, meeting.end, old.session
        ):
            return False
        self.demands.uncredit(old)
        self.table.unseat(old)
        seat = Seat(demand.learner, meeting, meeting.start, meeting.end, why(demand, "studio"))
        self.table.seat(seat)
        self.demands.credit(seat)
        for other in self.meetings[own.need.focus]:
            if other is not old.session and other.start >= after and self.sit(own, other):
                return True
        self.demands.uncredit(seat)
        self.table.unseat(seat)
        self.table.seat(old)
        self.demands.credit(old)
        return False

    @staticmethod
    def weight(demand: Demand) -> float:
        base = {NeedClass.SAFETY: 20.0, NeedClass.OBLIGATION: 8.0, NeedClass.PREFERENCE: 1.0}[demand.need.need_class]
        return base + 4.0 * demand.need.urgency
