"""Home groups come together: whoever is on the ground of a time sits with the own home group wherever seats and
safety allow."""

from collections import Counter

from atelier_scheduling.engine.checks import learner_forbidden
from atelier_scheduling.engine.facts import Cell
from atelier_scheduling.engine.supervision import Ground
from atelier_scheduling.engine.times import SlotPurpose
from atelier_scheduling.engine.timetable import DECIDED, Meeting, Seat, Timetable


def gather(table: Timetable, ground: Ground, cell: Cell) -> None:
    """Learners change places between the ground sessions of one cell. Needs are not counted: nothing here has been
    credited yet."""
    rows = sorted((m for m in ground.base(cell.index) if m.focus is None and not m.fixed), key=lambda m: m.zone)
    if cell.purpose is SlotPurpose.HOME:
        _name(ground, rows)
    home = {m.home_group: m for m in rows if m.home_group}
    for meeting in rows:
        for seat in sorted(meeting.seats, key=lambda item: item.learner):
            own = home.get(ground.home_of(seat.learner))
            if own is not None and own is not meeting and _alone(table, seat, cell):
                _join(table, ground, seat, own, cell)


def _name(ground: Ground, rows: list[Meeting]) -> None:
    """Home time without the group's own adult is still the group's, where most of its members are."""
    named = {meeting.home_group for meeting in rows}
    for meeting in rows:
        groups = Counter(ground.home_of(one) for one in meeting.occupants)
        usual = min(groups, key=lambda name: (-groups[name], name), default="")
        if not meeting.home_group and usual not in named:
            meeting.home_group = usual
            named.add(usual)
            for seat in meeting.seats:
                if seat.why[0] not in DECIDED:
                    seat.why = ground.why(meeting, seat.learner)


def _alone(table: Timetable, seat: Seat, cell: Cell) -> bool:
    """Whether the learner is nowhere else in this time, so that nothing hangs on this seat."""
    day = table.day_of_cell[cell.index]
    around = [one for one in table.seats_on[seat.learner][day] if one.start < cell.end and cell.start < one.end]
    return around == [seat] and seat.present and seat.why[0] not in DECIDED


def _join(table: Timetable, ground: Ground, seat: Seat, own: Meeting, cell: Cell) -> None:
    here = seat.session
    if learner_forbidden(table, own, seat.learner, seat.start, seat.end, here) is None:
        _sit(table, ground, seat, own)
        return
    for other in sorted(own.seats, key=lambda item: item.learner):
        if ground.home_of(other.learner) == own.home_group or not _alone(table, other, cell):
            continue
        table.unseat(seat)
        table.unseat(other)
        fits = (
            learner_forbidden(table, own, seat.learner, seat.start, seat.end) is None
            and learner_forbidden(table, here, other.learner, other.start, other.end) is None
        )
        table.seat(seat)
        table.seat(other)
        if fits:
            _sit(table, ground, other, here)
            _sit(table, ground, seat, own)
            return


def _sit(table: Timetable, ground: Ground, seat: Seat, meeting: Meeting) -> None:
    table.unseat(seat)
    table.seat(Seat(seat.learner, meeting, seat.start, seat.end, ground.why(meeting, seat.learner)))
