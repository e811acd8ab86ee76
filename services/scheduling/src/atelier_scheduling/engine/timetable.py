"""The plan while it is being made: sessions, who is where, and whose time is taken. Knows no rule; ``checks`` does.

Every change goes through ``add``/``drop`` (sessions), ``seat``/``unseat`` (learners) and ``hold``/``release``
(adults' time), and each has an exact inverse, so a room that tries something can always put things back.
"""

import hashlib
from bisect import insort
from dataclasses import dataclass, field

from atelier_scheduling.engine.facts import Facts, Span, subtract
from atelier_scheduling.engine.needs import Focus
from atelier_scheduling.engine.overrides import Override
from atelier_scheduling.engine.plan import PlacedBy
from atelier_scheduling.engine.policy import SessionKind
from atelier_scheduling.engine.sessions import AdultTimeKind, OfficialIdentity, StaffRole, Station

# Receipts of seats that a person decided: nobody moves these.
DECIDED = ("override.place", "pin")
# Receipts of seats that nothing is asked of any more: the step was shown since, or others come first.
SHOWN, LATER = "studio.shown", "studio.later"
Why = tuple[str, PlacedBy, tuple[tuple[str, str], ...], bool, float]


@dataclass(slots=True, eq=False)
class Seat:
    """One learner in one session for one stretch; ``present`` is false for a member who is elsewhere meanwhile."""

    learner: int
    session: "Meeting"
    start: int
    end: int
    why: Why
    needs: tuple[str, ...] = ()
    present: bool = True
    station: str = ""


@dataclass(slots=True, eq=False)
class Meeting:
    """A session in the making. ``occupants`` counts each learner's present seats; a learner with any counts for the
    whole interval."""

    kind: SessionKind
    cell: int
    start: int
    end: int
    zone: int
    staff: list[tuple[int, StaffRole]]
    cap: int
    focus: Focus | None = None
    slot: str = ""
    studio: str = ""
    home_group: str = ""
    series: str = ""
    parent: str = ""
    group_most: int = 0
    fewest: int = 1
    needs_device: bool = False
    delivers: bool = True
    base: bool = False
    fixed: bool = False
    id: str = ""
    stations: tuple[Station, ...] = ()
    official: OfficialIdentity | None = None
    seats: list[Seat] = field(default_factory=list)
    occupants: dict[int, int] = field(default_factory=dict)

    @property
    def leads(self) -> list[int]:
        return [adult for adult, role in self.staff if role is not StaffRole.BOUND]


class Timetable:
    """Mutable state over one ``Facts``. ``busy[adult]`` is a sorted list of (start, end, place) that is taken."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.in_cell: list[list[Meeting]] = [[] for _ in facts.cells]
        days = len(facts.day_of)
        self.day_of_cell = [cell.day for cell in facts.cells]
        self.by_zone: list[list[list[Meeting]]] = [[[] for _ in range(days)] for _ in facts.zones]
        self.seats_on: list[list[list[Seat]]] = [[[] for _ in range(days)] for _ in facts.learners]
        self.busy: list[list[tuple[int, int, str]]] = [[] for _ in facts.adults]
        self.own_time: list[tuple[int, AdultTimeKind, int, int]] = []
        self.keep_out: dict[int, list[Override]] = {}
        for number, adult in enumerate(facts.adults):
            for taken in adult.commitments:
                insort(self.busy[number], (taken.interval.start, taken.interval.end, taken.place))

    def add(self, meeting: Meeting) -> None:
        """Put a meeting (with the seats it holds) into the timetable."""
        self.in_cell[meeting.cell].append(meeting)
        self.by_zone[meeting.zone][self.day_of_cell[meeting.cell]].append(meeting)
        place = self.facts.zones[meeting.zone].place
        for adult, role in meeting.staff:
            if role is not StaffRole.BOUND:
                insort(self.busy[adult], (meeting.start, meeting.end, place))
        day = self.day_of_cell[meeting.cell]
        for seat in meeting.seats:
            self.seats_on[seat.learner][day].append(seat)

    def drop(self, meeting: Meeting) -> None:
        """Take a meeting out; it keeps its own seats, so that ``add`` brings everything back."""
        self.in_cell[meeting.cell].remove(meeting)
        self.by_zone[meeting.zone][self.day_of_cell[meeting.cell]].remove(meeting)
        place = self.facts.zones[meeting.zone].place
        for adult, role in meeting.staff:
            if role is not StaffRole.BOUND:
                self.busy[adult].remove((meeting.start, meeting.end, place))
        day = self.day_of_cell[meeting.cell]
        for seat in meeting.seats:
            self.seats_on[seat.learner][day].remove(seat)

    def seat(self, seat: Seat) -> None:
        seat.session.seats.append(seat)
        self.seats_on[seat.learner][self.day_of_cell[seat.session.cell]].append(seat)
        if seat.present:
            occupants = seat.session.occupants
            occupants[seat.learner] = occupants.get(seat.learner, 0) + 1

    def unseat(self, seat: Seat) -> None:
        seat.session.seats.remove(seat)
        self.seats_on[seat.learner][self.day_of_cell[seat.session.cell]].remove(seat)
        if seat.present:
            left = seat.session.occupants[seat.learner] - 1
            if left:
                seat.session.occupants[seat.learner] = left
            else:
                del seat.session.occupants[seat.learner]

    def hold(self, adult: int, kind: AdultTimeKind, start: int, end: int) -> None:
        """Keep an adult's own time (lunch, planning)."""
        insort(self.busy[adult], (start, end, ""))
        self.own_time.append((adult, kind, start, end))

    def release(self, adult: int, kind: AdultTimeKind, start: int, end: int) -> None:
        self.busy[adult].remove((start, end, ""))
        self.own_time.remove((adult, kind, start, end))

    def away(self, start: int, end: int) -> int:
        """Adults who have time of their own, an appointment or another commitment in the stretch, or are not here."""
        held = {adult for adult, _, a, b in self.own_time if a < end and start < b}
        for cell in self.facts.cells_between(start, end):
            for meeting in self.in_cell[cell.index]:
                if not meeting.base and meeting.start < end and start < meeting.end:
                    held.update(meeting.leads)
        for number, person in enumerate(self.facts.adults):
            if number not in held and (
                not any(span.start <= start and end <= span.end for span in person.available)
                or any(one.interval.start < end and start < one.interval.end for one in person.commitments)
            ):
                held.add(number)
        return len(held)

    def seats_in(self, learner: int, start: int, end: int) -> list[Seat]:
        """Present seats of the learner that overlap the stretch (which lies within one day)."""
        day = self.facts.day_at(start)
        return [seat for seat in self.seats_on[learner][day] if seat.start < end and start < seat.end and seat.present]

    def seats_of(self, learner: int) -> list[Seat]:
        """All seats of the learner, day by day."""
        return [seat for seats in self.seats_on[learner] for seat in seats]

    def free_parts(self, learner: int, cell: int) -> list[Span]:
        """The learner's on-site minutes in a cell that no present seat takes."""
        spans = self.facts.parts[learner].get(cell, [])
        around = self.facts.cells[cell]
        for seat in self.seats_in(learner, around.start, around.end):
            spans = subtract(spans, (seat.start, seat.end))
        return spans

    def in_zone(self, zone: int, start: int, end: int) -> list[Meeting]:
        """Meetings of a zone that overlap the stretch (which lies within one day)."""
        rows = self.by_zone[zone][self.facts.day_at(start)]
        return [item for item in rows if item.start < end and start < item.end]


def name_meetings(site: str, meetings: list[Meeting]) -> None:
    """Give every unnamed meeting an id made of what it is (time, kind, focus, studio or group), so that the same
    session keeps its id from plan to plan; a second one of the same description is told apart by its zone, then by
    number."""
    taken = {meeting.id for meeting in meetings if meeting.id}
    for meeting in sorted(meetings, key=meeting_order):
        if meeting.id:
            continue
        about = f"{meeting.focus.kind}/{meeting.focus.id}" if meeting.focus else "-"
        parts = [site, str(meeting.start), str(meeting.end), meeting.kind.id, about, meeting.studio, meeting.home_group]
        name, number = "", 0
        while not name or name in taken:
            text = "|".join([*parts, str(number)])
            name = "ses_" + hashlib.blake2b(text.encode(), digest_size=9).hexdigest()
            number += 1
        taken.add(name)
        meeting.id = name


def meeting_order(meeting: Meeting) -> tuple[int, int, str, str, str, str, int]:
    """Canonical order of meetings: by start, then by what they are."""
    about = f"{meeting.focus.kind}/{meeting.focus.id}" if meeting.focus else ""
    return (meeting.start, meeting.end, meeting.kind.id, about, meeting.studio, meeting.home_group, meeting.zone)
