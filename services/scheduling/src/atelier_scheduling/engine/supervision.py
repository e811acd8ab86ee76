"""A supervised place for everybody who is nowhere else: the ground on which every other room builds.

``cover`` seats all free minutes of a cell's learners or changes nothing. ``claim`` frees an adult by covering cells
without them.
"""

from atelier_scheduling.engine.checks import adult_forbidden
from atelier_scheduling.engine.facts import Span
from atelier_scheduling.engine.opening import Mode, Opening, may_attend
from atelier_scheduling.engine.plan import PlacedBy
from atelier_scheduling.engine.sessions import HomeGroup
from atelier_scheduling.engine.staffing import BY_LAW
from atelier_scheduling.engine.timetable import Meeting, Seat, Timetable, Why


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
        self.opening = Opening(table, groups, self.group_of)

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
        if not opened and self.opening.room(cell, left) < len(loose):
            return False
        before = len(opened)
        added: list[Seat] = []
        while loose:
            self._fill(
                opened, loose, added, mode, own_only=mode is Mode.OWN and self.opening.own_lead(loose, left) is not None
            )
            if not loose:
                break
            meeting = self.opening.meeting(cell, loose, left, mode)
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
        if not may_attend(self.table, meeting, learner, loose[learner]):
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
        if purpose in BY_LAW and meeting.focus is not None:
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
                if may_attend(self.table, meeting, learner, parts):
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
