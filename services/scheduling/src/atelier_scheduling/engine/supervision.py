"""A supervised place for everybody who is nowhere else: the ground on which every other room builds.

``cover`` seats all free minutes of a cell's learners or changes nothing. ``claim`` frees an adult by covering cells
without them.
"""

from enum import Enum

from atelier_scheduling.engine.checks import (
    adult_forbidden,
    learner_forbidden,
    staffed_cap,
    zone_forbidden,
)
from atelier_scheduling.engine.facts import Facts, Span
from atelier_scheduling.engine.homegroups import home_kinds
from atelier_scheduling.engine.needs import Focus, FocusKind
from atelier_scheduling.engine.plan import PlacedBy
from atelier_scheduling.engine.policy import SessionKind
from atelier_scheduling.engine.sessions import HomeGroup, StaffRole
from atelier_scheduling.engine.times import SlotPurpose
from atelier_scheduling.engine.timetable import Meeting, Seat, Timetable, Why

_FOCUS_OF = {
    SlotPurpose.LUNCH: FocusKind.LUNCH,
    SlotPurpose.RECESS: FocusKind.RECESS,
    SlotPurpose.PROTECTED: FocusKind.PASSION,
    SlotPurpose.HOME: FocusKind.HOME,
    SlotPurpose.TEACHING: FocusKind.STUDY,
    SlotPurpose.FLEX: FocusKind.STUDY,
}
_LAW = (SlotPurpose.LUNCH, SlotPurpose.RECESS, SlotPurpose.PROTECTED)


class Mode(Enum):
    """How the ground is laid: home groups in their own places; few adults in large places; fewest adults, the young
    together."""

    OWN = "own"
    SPARING = "sparing"
    TIGHT = "tight"


class Ground:
    """Supervision over one timetable: the home groups, and the usual meetings of each cell that stand until somebody
    needs the cell."""

    def __init__(self, table: Timetable, groups: list[HomeGroup]) -> None:
        self.table = table
        facts = table.facts
        self.groups = groups
        self.group_of: dict[int, int] = {}
        for number, group in enumerate(groups):
            for name in group.members:
                self.group_of[facts.learner_of[name]] = number
        self.adult_of = [facts.adult_of.get(group.adult, -1) for group in groups]
        self.zone_of = [facts.zone_of.get(group.zone, -1) for group in groups]
        self.minutes = [0] * len(facts.adults)
        teaching = max((kind.cap for kind in facts.problem.kinds if kind.teaching), default=0)
        # Places that hold far more than a lesson does: with a share of them, each bell can spare adults to teach.
        self._large = {n for n, zone in enumerate(facts.zones) if not zone.shared and 4 * zone.seats > 5 * teaching > 0}
        self._kinds = {purpose: supervising_kinds(facts, purpose) for purpose in SlotPurpose}

    def base(self, cell: int) -> list[Meeting]:
        return [meeting for meeting in self.table.in_cell[cell] if meeting.base]

    def strip(self, cell: int) -> list[Meeting]:
        """Take a cell's supervision away; hand it back to ``restore``."""
        taken = [meeting for meeting in self.base(cell) if not meeting.fixed]
        for meeting in taken:
            self.table.drop(meeting)
        return taken

    def restore(self, taken: list[Meeting]) -> None:
        for meeting in taken:
            self.table.add(meeting)

    def snapshot(self, cell: int) -> list[tuple[Meeting, list[Seat]]]:
        """The ground of a cell and of all cells at the same time with who sits there, for ``revert``."""
        around = self.table.facts.cells[cell]
        beside = self.table.facts.cells_between(around.start, around.end)
        return [(m, list(m.seats)) for other in beside for m in self.base(other.index) if not m.fixed]

    def revert(self, cell: int, before: list[tuple[Meeting, list[Seat]]]) -> None:
        """The ground as it was at the snapshot. Whoever sits elsewhere meanwhile must have been unseated there."""
        around = self.table.facts.cells[cell]
        for other in self.table.facts.cells_between(around.start, around.end):
            self.strip(other.index)
        for meeting, seats in before:
            meeting.seats, meeting.occupants = [], {}
            self.table.add(meeting)
            for seat in seats:
                self.table.seat(seat)

    def free_adults(self, cell: int) -> list[int]:
        """Adults who may be in charge and are free for the whole cell."""
        around = self.table.facts.cells[cell]
        return [
            adult
            for adult in range(len(self.table.facts.adults))
            if self.table.facts.may_lead[adult]
            and adult_forbidden(self.table, adult, around.start, around.end, "") is None
        ]

    def cover(self, cell: int, adults: list[int] | None = None, sparing: bool = True) -> bool:
        """Seat every free minute of the cell's learners in meetings led by ``adults`` (default: all free).
        ``sparing``: in the largest places with as few adults as can be; otherwise home groups in their own place with
        their own adult. Returns whether it could; if not, nothing has changed."""
        modes = (Mode.SPARING, Mode.TIGHT) if sparing else (Mode.OWN, Mode.SPARING, Mode.TIGHT)
        return any(self._cover(cell, adults, mode) for mode in modes)

    def _cover(self, cell: int, adults: list[int] | None, mode: Mode) -> bool:
        table = self.table
        loose: dict[int, list[Span]] = {}
        order = table.facts.learners_in[cell]
        if mode is Mode.TIGHT:
            # The young come last, so that they sit together in the smaller places and their ratio binds as few sessions as can be.
            young = {one for _, by_day in table.facts.young for one in by_day[table.day_of_cell[cell]]}
            order = sorted(order, key=lambda one: one in young)
        for learner in order:
            parts = table.free_parts(learner, cell)
            if parts:
                loose[learner] = parts
        opened: list[Meeting] = list(self.base(cell))
        left = list(adults) if adults is not None else self.free_adults(cell)
        if not opened and self.room(cell, left) < len(loose):
            return False
        before = len(opened)
        added: list[Seat] = []
        while loose:
            self._fill(
                opened, loose, added, mode, own_only=mode is Mode.OWN and self._own_lead(loose, left) is not None
            )
            if not loose:
                break
            meeting = self._open(cell, loose, left, mode)
            if meeting is None:
                waiting = len(loose)
                self._fill(opened, loose, added, mode)
                if len(loose) < waiting or self._squeeze(opened, loose, added):
                    continue
                for seat in reversed(added):
                    table.unseat(seat)
                for meeting in opened[before:]:
                    table.drop(meeting)
                return False
            opened.append(meeting)
        for meeting in opened[before:]:
            if not meeting.occupants:
                table.drop(meeting)
        return True

    def large_share(self, cell: int) -> int:
        """How many of the large places are this cell's, by learners, among the cells of other bells at the same time."""
        facts = self.table.facts
        around = facts.cells[cell]
        here = len(facts.learners_in[cell])
        beside = facts.cells_between(around.start, around.end)
        other = max((len(facts.learners_in[one.index]) for one in beside if one.index != cell), default=0)
        return max(1, round(len(self._large) * here / max(1, here + other)))

    def room(self, cell: int, adults: list[int], most: int | None = None, fair: bool = False) -> int:
        """At most how many learners the adults (``most`` of them) could hold together in the cell's free zones: an
        upper bound; only ``cover`` can tell. ``fair``: with no more of the large places than are this cell's."""
        facts = self.table.facts
        around = facts.cells[cell]
        kinds = self._kinds[around.purpose]
        caps = sorted((max((facts.cap(adult, kind) for kind in kinds), default=0) for adult in adults), reverse=True)[
            :most
        ]
        seats: list[int] = []
        large = self.large_share(cell) if fair else len(self._large)
        for zone in sorted({number for kind in kinds for number in facts.zones_for[kind.id]}) if caps else ():
            if zone_forbidden(self.table, zone, around.start, around.end):
                continue
            if zone in self._large:
                large -= 1
                if large < 0:
                    continue
            left = facts.zones[zone].seats
            if facts.zones[zone].shared:
                beside = self.table.in_zone(zone, around.start, around.end)
                left -= sum(len(other.occupants) for other in beside)
                while left > 0 and len(seats) < 4 * len(caps) and caps[0] > 0:
                    seats.append(min(left, caps[0]))
                    left -= caps[0]
            else:
                seats.append(left)
        seats.sort(reverse=True)
        return sum(min(pair) for pair in zip(caps, seats, strict=False))

    def lay(self, cell: int) -> bool:
        """Cover what is loose on the ground as it lies; else lay the cell's ground afresh; else together with the cells of other bells at
        the same time, as tightly as can be. All or nothing."""
        if self.cover(cell):
            return True
        before = self.strip(cell)
        if self.cover(cell):
            return True
        around = self.table.facts.cells[cell]
        beside = [
            other.index
            for other in self.table.facts.cells_between(around.start, around.end)
            if other.index != cell and any(not meeting.fixed for meeting in self.base(other.index))
        ]
        for index in beside:
            before += self.strip(index)
        for order in ([*beside, cell], [cell, *beside]):
            if all(self._cover(index, None, Mode.TIGHT) for index in order):
                return True
            for index in order:
                self.strip(index)
        self.restore(before)
        return False

    def come_home(self, cell: int) -> None:
        """Lay a cell's ground by home groups, each with its own adult in its own place, if everybody fits."""
        before = self.snapshot(cell)
        mine = self.strip(cell)
        if not mine or not self._cover(cell, None, Mode.OWN):
            self.revert(cell, before)

    def _own_lead(self, loose: dict[int, list[Span]], adults: list[int]) -> int | None:
        present = {self.group_of.get(learner, -1) for learner in loose}
        for group in sorted(present):
            if group >= 0 and self.adult_of[group] in adults:
                return self.adult_of[group]
        return None

    def _open(self, cell: int, loose: dict[int, list[Span]], adults: list[int], mode: Mode) -> Meeting | None:
        """A new meeting for the group with most loose learners, with its own adult and zone where they are free."""
        facts = self.table.facts
        around = facts.cells[cell]
        counts: dict[int, int] = {}
        for learner in loose:
            group = self.group_of.get(learner, -1)
            counts[group] = counts.get(group, 0) + 1
        ranked = sorted(counts, key=lambda g: (g < 0 or self.adult_of[g] not in adults, -counts[g], g))
        group = ranked[0]
        kinds = self._kinds[around.purpose]
        if mode is Mode.TIGHT:
            kinds = sorted(kinds, key=lambda kind: -kind.cap)
        for kind in kinds:
            for adult in self._adult_order(adults, group, kind, counts):
                zone = self._zone(kind, cell, group, adult, loose, mode)
                if zone < 0:
                    continue
                staff = self._staff(kind, adult, cell, zone)
                if staff is None:
                    continue
                own = self.adult_of[group] == adult if group >= 0 else False
                meeting = Meeting(
                    kind,
                    cell,
                    around.start,
                    around.end,
                    zone,
                    staff,
                    cap_at(facts, kind, staff, zone),
                    focus=_focus(around.purpose, kind),
                    home_group=self.groups[group].id if own else "",
                    needs_device=kind.needs_device,
                    base=True,
                )
                if not any(self._may(meeting, learner, loose[learner]) for learner in loose):
                    continue
                adults.remove(adult)
                self.table.add(meeting)
                return meeting
        return None

    def _adult_order(self, adults: list[int], group: int, kind: SessionKind, counts: dict[int, int]) -> list[int]:
        facts = self.table.facts
        own = self.adult_of[group] if group >= 0 else -1
        of_others = {self.adult_of[other] for other in counts if other >= 0 and other != group}
        return sorted(
            adults,
            key=lambda n: (n != own, n in of_others, -facts.cap(n, kind), len(facts.adults[n].certificates), n),
        )

    def _zone(
        self, kind: SessionKind, cell: int, group: int, adult: int, loose: dict[int, list[Span]], mode: Mode
    ) -> int:
        facts = self.table.facts
        around = facts.cells[cell]
        want = min(len(loose), facts.cap(adult, kind))
        own = self.zone_of[group] if group >= 0 else -1
        held = sum(meeting.zone in self._large for meeting in self.table.in_cell[cell]) if self._large else 0
        over = mode is not Mode.TIGHT and held >= self.large_share(cell) if self._large else False
        best, best_key = -1, (True, True, True, 0, True, "")
        for zone in facts.zones_for[kind.id]:
            place = facts.zones[zone]
            if zone_forbidden(self.table, zone, around.start, around.end):
                continue
            if adult_forbidden(self.table, adult, around.start, around.end, place.place):
                continue
            seats = place.seats
            if place.shared:
                beside = self.table.in_zone(zone, around.start, around.end)
                seats -= sum(facts.seats_of[one] for meeting in beside for one in meeting.occupants)
            if seats <= 0:
                continue
            order = kind.zone_kinds.index(place.kind) if kind.zone_kinds else 0
            # The own zone first; a shared zone (dining hall) before others of its kind; else the best fit.
            if mode is not Mode.OWN:
                key = (
                    over and zone in self._large,
                    seats < want,
                    False,
                    -min(seats, want) * 1000 + order,
                    zone != own,
                    place.id,
                )
            else:
                key = (
                    over and zone in self._large,
                    zone != own,
                    seats < want,
                    order * 1000 + abs(seats - want),
                    False,
                    place.id,
                )
            if best < 0 or key < best_key:
                best, best_key = zone, key
        return best

    def _staff(self, kind: SessionKind, lead: int, cell: int, zone: int) -> list[tuple[int, StaffRole]] | None:
        around = self.table.facts.cells[cell]
        return find_staff(self.table, kind, lead, around.start, around.end, zone)

    def _may(self, meeting: Meeting, learner: int, parts: list[Span]) -> bool:
        return all(learner_forbidden(self.table, meeting, learner, start, end) is None for start, end in parts)

    def _full(self, meeting: Meeting) -> bool:
        """Whether nobody can join: the cap, or the ratio of somebody young who is there."""
        count = len(meeting.occupants)
        if count >= meeting.cap:
            return True
        facts = self.table.facts
        day = facts.cells[meeting.cell].day
        return any(
            count >= ratio.most_per_adult * len(meeting.leads) and not by_day[day].isdisjoint(meeting.occupants)
            for ratio, by_day in facts.young
            if ratio.kind in ("", meeting.kind.id)
        )

    def _fill(
        self,
        opened: list[Meeting],
        loose: dict[int, list[Span]],
        added: list[Seat],
        mode: Mode,
        own_only: bool = False,
    ) -> None:
        """Seat loose learners: own home group's meeting first, then wherever there is room."""
        groups = {self.groups[n].id: n for n in range(len(self.groups))}
        for meeting in opened if mode is not Mode.TIGHT else ():
            own = groups.get(meeting.home_group, -1)
            if own >= 0:
                for learner in [one for one in loose if self.group_of.get(one, -1) == own]:
                    self._sit(meeting, learner, loose, added)
        if own_only:
            return
        order: dict[int, list[Meeting]] = {}
        full = {id(meeting) for meeting in opened if self._full(meeting)}
        for learner in list(loose):
            group = self.group_of.get(learner, -1)
            if group not in order:
                order[group] = sorted(opened, key=lambda m: -self._kin(m, group))
            for meeting in order[group]:
                if id(meeting) in full:
                    continue
                if self._sit(meeting, learner, loose, added):
                    if self._full(meeting):
                        full.add(id(meeting))
                    break

    def _kin(self, meeting: Meeting, group: int) -> int:
        return sum(1 for one in meeting.occupants if self.group_of.get(one, -2) == group)

    def _sit(self, meeting: Meeting, learner: int, loose: dict[int, list[Span]], added: list[Seat]) -> bool:
        if not self._may(meeting, learner, loose[learner]):
            return False
        for start, end in loose.pop(learner):
            seat = Seat(learner, meeting, start, end, self.why(meeting, learner))
            self.table.seat(seat)
            added.append(seat)
        return True

    def home_of(self, learner: int) -> str:
        """The id of the learner's home group; empty where there is none."""
        group = self.group_of.get(learner, -1)
        return self.groups[group].id if group >= 0 else ""

    def why(self, meeting: Meeting, learner: int) -> Why:
        purpose = self.table.facts.cells[meeting.cell].purpose
        if purpose in _LAW and meeting.focus is not None:
            return (f"time.{purpose}", PlacedBy.LAW, (), False, 0.0)
        own = meeting.home_group and meeting.home_group == self.home_of(learner)
        code = "home.own-group" if own else "supervised.study" if meeting.kind.independent else "home.another-group"
        return (code, PlacedBy.NEED, (), False, 0.0)

    def _squeeze(self, opened: list[Meeting], loose: dict[int, list[Span]], added: list[Seat]) -> bool:
        """Make room for one loose learner by moving one seated learner of this round elsewhere. Tried only when few
        are left and there are seats enough for all: otherwise no exchange can help."""
        room = sum(self._left(meeting) for meeting in opened)
        if len(loose) > 8 or room < len(loose):
            return False
        roomy = [meeting for meeting in opened if self._left(meeting) > 0]
        learner, parts = next(iter(loose.items()))
        for meeting in opened:
            for other in list(meeting.occupants):
                theirs = [item for item in meeting.seats if item.learner == other and item.present]
                if any(item not in added for item in theirs):
                    continue
                for item in theirs:
                    self.table.unseat(item)
                if self._may(meeting, learner, parts):
                    spans = {other: [(item.start, item.end) for item in theirs]}
                    if any(target is not meeting and self._sit(target, other, spans, added) for target in roomy):
                        for item in theirs:
                            added.remove(item)
                        return self._sit(meeting, learner, loose, added)
                for item in theirs:
                    self.table.seat(item)
        return False

    def _left(self, meeting: Meeting) -> int:
        """Seats that cap and zone still leave in a meeting (other meetings of a shared zone counted)."""
        facts = self.table.facts
        beside = self.table.in_zone(meeting.zone, meeting.start, meeting.end)
        seats = facts.zones[meeting.zone].seats - sum(len(other.occupants) for other in beside)
        return max(0, min(meeting.cap - len(meeting.occupants), seats))

    def claim(self, adult: int, start: int, end: int) -> bool:
        """Free an adult from supervision in a stretch by covering each cell without them; all or nothing."""
        undo: dict[int, list[Meeting]] = {}
        between = self.table.facts.cells_between(start, end)
        cells = [cell for cell in between if any(adult in meeting.leads for meeting in self.base(cell.index))]
        if len(cells) == 1 and self._hand_over(adult, cells[0].index):
            return True
        for cell in cells:
            undo[cell.index] = self.strip(cell.index)
            if not self.cover(cell.index, [one for one in self.free_adults(cell.index) if one != adult]):
                for index in undo:
                    self.strip(index)
                for meetings in undo.values():
                    self.restore(meetings)
                return False
        return True

    def _hand_over(self, adult: int, cell: int) -> bool:
        """Only those whom the adult supervises change places; everybody else on the ground stays."""
        mine = [meeting for meeting in self.base(cell) if adult in meeting.leads and not meeting.fixed]
        for meeting in mine:
            self.table.drop(meeting)
        if self.cover(cell, [one for one in self.free_adults(cell) if one != adult]):
            return True
        self.restore(mine)
        return False


def cap_at(facts: Facts, kind: SessionKind, staff: list[tuple[int, StaffRole]], zone: int) -> int:
    """Most learners of the staff in the zone."""
    return min(staffed_cap(facts, kind, staff), facts.zones[zone].seats)


def find_staff(
    table: Timetable, kind: SessionKind, lead: int, start: int, end: int, zone: int
) -> list[tuple[int, StaffRole]] | None:
    """The lead and whoever else the kind asks for, free at that time and place; ``None`` if somebody is missing."""
    facts = table.facts
    place = facts.zones[zone].place
    staff = [(lead, StaffRole.LEAD)]
    for wanted in kind.staff:
        have = sum(1 for adult, _ in staff if not wanted.role or wanted.role in facts.adults[adult].roles)
        for adult in range(len(facts.adults)):
            if have >= wanted.count:
                break
            person = facts.adults[adult]
            fits = (wanted.role in person.roles) if wanted.role else facts.may_lead[adult]
            if not fits or person.bound_to is not None or any(adult == one for one, _ in staff):
                continue
            if adult_forbidden(table, adult, start, end, place) is None:
                staff.append((adult, StaffRole.SUPPORT))
                have += 1
        if have < wanted.count:
            return None
    return staff


def supervising_kinds(facts: Facts, purpose: SlotPurpose) -> list[SessionKind]:
    """Kinds that hold learners in a slot of this purpose, best first; home and study kinds stand behind every
    purpose."""
    first = facts.kinds_for[_FOCUS_OF[purpose]]
    if purpose in (SlotPurpose.TEACHING, SlotPurpose.FLEX):
        # A teaching kind asks for a teacher's whole attention: it never holds whoever is left over.
        first = [kind for kind in first if not kind.teaching]
    return list({kind.id: kind for kind in [*first, *home_kinds(facts)]}.values())


def _focus(purpose: SlotPurpose, kind: SessionKind) -> Focus | None:
    wanted = _FOCUS_OF[purpose]
    if wanted in kind.focus_kinds and purpose in _LAW:
        return Focus(wanted, wanted.value)
    return None
