"""Where a learner may go whose seat is no longer the right one, among the sessions that stand."""

from atelier_scheduling.engine.checks import learner_forbidden
from atelier_scheduling.engine.demand import GROUPED, Demand
from atelier_scheduling.engine.plan import PlacedBy
from atelier_scheduling.engine.timetable import DECIDED, LATER, SHOWN, Meeting, Seat
from atelier_scheduling.engine.worktable import Worktable

# Receipts of a place on the ground that is not the own home group's, by whether the kind is independent work.
_ELSEWHERE = {True: "supervised.study", False: "home.another-group"}

# Receipts of seats that serve nothing more that is owed.
_PRACTISING = ("studio.practice", SHOWN, LATER)


class Reseating:
    """Moves one learner at a time; every rule is asked, and what was tried in vain is as it was."""

    def __init__(self, work: Worktable) -> None:
        self.work = work

    def serve(self, learner: int, budget: int) -> None:
        """Seats for the learner's open needs, most worthy first, ``budget`` moves at most: where there is room, at the price of
        another meeting of what is had already, or in the place of somebody who only practises there."""
        work = self.work
        ways = ((1, self._take), (2, self._swap), (1, self._in_place_of_practice))
        demands = [demand for demand in work.demands.of[learner] if demand.need.focus in work.sectioning.meetings]
        for demand in sorted(demands, key=lambda one: (-work.sectioning.weight(one), one.need.id)):
            meetings = sorted(work.sectioning.meetings[demand.need.focus], key=lambda one: (one.start, one.id))
            for moves, way in ways:
                for meeting in meetings:
                    if demand.met or budget < moves:
                        break
                    if meeting.start >= work.free_from and way(demand, meeting):
                        budget -= moves

    def pass_on(self, learner: int) -> None:
        """What the learner has shown and still sits in goes to whoever waits for a seat there, most worthy first."""
        work = self.work
        for seat in sorted(work.table.seats_of(learner), key=lambda one: (one.start, one.session.id)):
            meeting = seat.session
            if seat.why[0] != SHOWN or not seat.present or meeting.start < work.free_from:
                continue
            waiting = [one for one in work.demands.asking(meeting.focus) if one.need.is_open and not one.met]
            for demand in sorted(waiting, key=lambda one: (-work.sectioning.weight(one), one.need.id)):
                if work.budget(demand.learner) > 0 and self._in_place_of_practice(demand, meeting):
                    work.touched.add(demand.learner)
                    break

    def better(self, seat: Seat) -> bool:
        """Move to another meeting at the same time that serves an open need."""
        work = self.work
        for demand in sorted(work.demands.of[seat.learner], key=lambda d: (-work.sectioning.weight(d), d.need.id)):
            for meeting in self._beside(seat):
                if self._fits(demand, meeting) and self._may(seat, meeting):
                    work.sectioning.move(seat, demand, meeting)
                    return True
        return False

    def _take(self, demand: Demand, meeting: Meeting) -> bool:
        """A seat that is left, from the ground or from a seat that the learner can spare."""
        work = self.work
        seat = self._only_seat(demand.learner, meeting)
        if seat is None or seat.session.base:
            return work.sectioning.sit(demand, meeting)
        if not self._fits(demand, meeting) or not self._spare(seat, meeting) or not self._may(seat, meeting):
            return False
        work.sectioning.move(seat, demand, meeting)
        return True

    def _swap(self, demand: Demand, meeting: Meeting) -> bool:
        return self.work.sectioning.swap(demand, meeting, self.work.free_from)

    def _in_place_of_practice(self, demand: Demand, meeting: Meeting) -> bool:
        """The meeting is full, and somebody there has had what they needed: they go to the ground."""
        work = self.work
        mine = self._only_seat(demand.learner, meeting)
        if mine is None or len(meeting.occupants) < meeting.cap or not self._fits(demand, meeting):
            return False
        if mine.why[0] in DECIDED or not (mine.session.base or self._spare(mine, meeting)):
            return False
        for other in sorted(meeting.seats, key=lambda one: work.facts.learners[one.learner].id):
            if (
                other.why[0] in _PRACTISING
                and other.present
                and (other.start, other.end) == (meeting.start, meeting.end)
                and work.budget(other.learner) > 0
                and not work.facts.bound_to.get(other.learner)
                and self._spare(other, None)
                and self._give_way(mine, demand, other)
            ):
                return True
        return False

    def _give_way(self, mine: Seat, demand: Demand, other: Seat) -> bool:
        work, meeting = self.work, other.session
        work.table.unseat(mine)
        work.table.unseat(other)
        allowed = learner_forbidden(work.table, meeting, mine.learner, mine.start, mine.end) is None
        ground = self._ground(other) if allowed else None
        work.table.seat(mine)
        work.table.seat(other)
        if ground is None:
            return False
        self._put(other, ground)
        work.sectioning.move(mine, demand, meeting)
        return True

    def _only_seat(self, learner: int, meeting: Meeting) -> Seat | None:
        """The learner's one seat of the very time of the meeting."""
        seats = self.work.table.seats_in(learner, meeting.start, meeting.end)
        if len(seats) == 1 and (seats[0].start, seats[0].end) == (meeting.start, meeting.end):
            return seats[0]
        return None

    def _spare(self, seat: Seat, instead: Meeting | None) -> bool:
        """Whether nothing that is asked for is lost by giving the seat up, for a seat in ``instead`` if there is one."""
        work, session = self.work, seat.session
        if session.base or seat.why[0] in DECIDED or len(session.occupants) <= session.fewest:
            return False
        minutes = seat.end - seat.start
        return all(
            not demand.need.is_open
            or (demand.minutes - minutes >= demand.due and demand.times > demand.times_due)
            or (instead is not None and work.demands.serves(demand, instead))
            for demand in (work.demands.by_need[name] for name in seat.needs)
        )

    def _fits(self, demand: Demand, meeting: Meeting) -> bool:
        """Whether the need is still owed and a meeting of this focus, kind and time would serve it."""
        work = self.work
        return (
            meeting.focus == demand.need.focus
            and work.sectioning.fits_kind(demand, meeting)
            and work.demands.open_now(demand, work.facts.cells[meeting.cell], meeting.end - meeting.start)
        )

    def _may(self, seat: Seat, meeting: Meeting) -> bool:
        """Whether every rule lets the learner leave the seat for the meeting."""
        return learner_forbidden(self.work.table, meeting, seat.learner, seat.start, seat.end, seat.session) is None

    def leave(self, seat: Seat) -> bool:
        """Move off a seat that is not lawful any more: to the ground, in exchange, or into any other session."""
        return self.to_ground(seat) or self._exchange(seat) or self._practise_beside(seat)

    def _beside(self, seat: Seat) -> list[Meeting]:
        """Other meetings of the very same time."""
        return sorted(
            (
                meeting
                for meeting in self.work.table.in_cell[seat.session.cell]
                if meeting is not seat.session and (meeting.start, meeting.end) == (seat.start, seat.end)
            ),
            key=lambda meeting: meeting.id,
        )

    def _exchange(self, seat: Seat) -> bool:
        """The ground is full: somebody on it who is ready for this session takes the seat, and leaves theirs."""
        meeting, cell = seat.session, self.work.facts.cells[seat.session.cell]
        if seat.start < self.work.free_from or meeting.focus is None or self.work.facts.bound_to.get(seat.learner):
            return False
        rows = [
            (-self.work.sectioning.weight(demand), demand.need.id, demand, other)
            for ground in self.work.table.in_cell[cell.index]
            if ground.base
            for other in ground.seats
            if (other.start, other.end) == (seat.start, seat.end) and other.present and other.why[0] not in DECIDED
            for demand in self.work.demands.of[other.learner]
            if demand.need.focus == meeting.focus and self.work.budget(other.learner) > 0
        ]
        for _, _, demand, other in sorted(rows, key=lambda row: row[:2]):
            fits = self.work.sectioning.fits_kind(demand, meeting)
            if not fits or not self.work.demands.open_now(demand, cell, seat.end - seat.start):
                continue
            ground = other.session
            self.work.table.unseat(seat)
            self.work.table.unseat(other)
            lawful = (
                learner_forbidden(self.work.table, meeting, other.learner, seat.start, seat.end) is None
                and learner_forbidden(self.work.table, ground, seat.learner, seat.start, seat.end) is None
            )
            self.work.table.seat(seat)
            self.work.table.seat(other)
            if lawful:
                self.work.sectioning.move(other, demand, meeting)
                self.work.demands.uncredit(seat)
                self.work.table.unseat(seat)
                moved = Seat(
                    seat.learner, ground, seat.start, seat.end, ("supervised.study", PlacedBy.NEED, (), False, 0.0)
                )
                self.work.table.seat(moved)
                self.work.demands.credit(moved)
                self.work.touched.add(other.learner)
                return True
        return False

    def _practise_beside(self, seat: Seat) -> bool:
        """No room on the ground: any other session of this time that the learner may attend, to practise what is
        known."""
        for meeting in sorted(self._beside(seat), key=lambda m: (len(m.occupants), m.id)):
            if meeting.base or meeting.focus is None or meeting.focus.kind not in GROUPED:
                continue
            if learner_forbidden(self.work.table, meeting, seat.learner, seat.start, seat.end, seat.session) is None:
                self.work.demands.uncredit(seat)
                self.work.table.unseat(seat)
                why = ("studio.practice", PlacedBy.NEED, (("focus", meeting.focus.id),), False, 0.0)
                moved = Seat(seat.learner, meeting, seat.start, seat.end, why)
                self.work.table.seat(moved)
                self.work.demands.credit(moved)
                return True
        return False

    def to_ground(self, seat: Seat) -> bool:
        """Move to where people are who are nowhere else at the time, the own home group's place first."""
        if self.work.facts.bound_to.get(seat.learner):
            return False
        ground = self._ground(seat)
        if ground is None:
            return False
        self._put(seat, ground)
        return True

    def _ground(self, seat: Seat) -> Meeting | None:
        """A place on the ground that has room for the learner of the seat."""
        group = self.work.home_group(seat.learner)
        rows = [
            meeting
            for meeting in self.work.table.in_cell[seat.session.cell]
            if meeting.base
            and meeting.start <= seat.start
            and seat.end <= meeting.end
            and meeting is not seat.session
            and self._may(seat, meeting)
        ]
        return min(rows, key=lambda m: (m.home_group != group, -len(m.occupants), m.id), default=None)

    def _put(self, seat: Seat, ground: Meeting) -> None:
        work = self.work
        group = work.home_group(seat.learner)
        work.demands.uncredit(seat)
        work.table.unseat(seat)
        own = ground.home_group == group and group
        code = "home.own-group" if own else _ELSEWHERE[ground.kind.independent]
        if ground.focus is not None:
            code = f"time.{work.facts.cells[ground.cell].purpose}"
        law = PlacedBy.LAW if code.startswith("time.") else PlacedBy.NEED
        moved = Seat(seat.learner, ground, seat.start, seat.end, (code, law, (), False, 0.0))
        work.table.seat(moved)
        work.demands.credit(moved)
        work.touched.add(seat.learner)
