"""Teaching: per cell, which studios meet, with whom and where, while everybody else keeps a supervised place.

A cell's ground is taken up, studios are opened in the order of what they are worth for as long as the adults and
places that remain can still hold everybody else, and the ground is laid again. If it cannot be, the last studio gives
way; in the end the old ground stands.
"""

import heapq
from collections.abc import Iterable

from atelier_scheduling.engine.appointments import practice, why
from atelier_scheduling.engine.checks import adult_forbidden, learner_forbidden, may_learn, zone_forbidden
from atelier_scheduling.engine.demand import Demand, Demands
from atelier_scheduling.engine.facts import Cell, Facts
from atelier_scheduling.engine.needs import FocusKind
from atelier_scheduling.engine.sessions import StaffRole
from atelier_scheduling.engine.staffing import cap_at, find_staff
from atelier_scheduling.engine.studios import Draft
from atelier_scheduling.engine.supervision import Ground
from atelier_scheduling.engine.times import SlotPurpose
from atelier_scheduling.engine.timetable import DECIDED, Meeting, Seat, Timetable

# Studios in a row that may leave too little room for the others before a cell counts as full.
_TRIES = 8
# Worth of one learner who comes again to practise: better than study, less than anything that is still owed.
_PRACTICE = 0.25
_TEACHING = (SlotPurpose.TEACHING, SlotPurpose.FLEX)


class Placing:
    """Places studio meetings cell by cell. ``wished_leads``: adults whom a person named for a studio, focus or kind."""

    def __init__(self, table: Timetable, ground: Ground, demands: Demands, drafts: list[Draft]) -> None:
        self.table = table
        self.facts: Facts = table.facts
        self.ground = ground
        self.demands = demands
        self.drafts = drafts
        self.taught = [0] * len(self.facts.adults)
        self.wished_leads: list[tuple[int, str, str, str, int, int]] = []
        self.met_before: set[tuple[str, int]] = set()
        self.moves: dict[int, int] | None = None
        self.fewest = min((max(1, draft.kind.fewest) for draft in drafts), default=1)
        self.of_learner: dict[int, list[Draft]] = {}
        for draft in drafts:
            for one in draft.members:
                self.of_learner.setdefault(one, []).append(draft)

    def fill_cell(self, cell: Cell, frozen: bool = False) -> None:
        """Open studios in one cell. ``frozen`` keeps the ground where it is: only free adults teach."""
        if cell.purpose not in _TEACHING and cell.purpose is not SlotPurpose.PROTECTED:
            return
        free = self._free_learners(cell)
        ranked = self._ranked(cell, free)
        if not ranked:
            return
        before = self.ground.strip(cell.index) if not frozen else []
        opened = self._open_best(cell, ranked, free, keep_room=not frozen)
        self._let_practise(cell, opened, free)
        if not frozen and len(free) >= self.fewest:
            opened += self._open_best(cell, self._ranked(cell, free, again=True), free, keep_room=True, again=True)
        if frozen:
            self._count(opened)
            return
        quota = self._quota(cell) - len({adult for meeting in opened for adult in meeting.leads})
        while not self._cover(cell, quota):
            if not opened:
                self.ground.strip(cell.index)
                self.ground.restore(before)
                return
            self.table.drop(opened.pop())
        self._count(opened)

    def _quota(self, cell: Cell) -> int:
        """This cell's share of the adults who are here, by learners, among the cells of other bells at the same time."""
        cells = self.facts.cells
        here = len(self.facts.learners_in[cell.index])
        beside = [
            other.index for other in cells if other.start < cell.end and cell.start < other.end and other is not cell
        ]
        other = max((len(self.facts.learners_in[index]) for index in beside), default=0)
        adults = [
            n
            for n, person in enumerate(self.facts.adults)
            if self.facts.may_lead[n]
            and any(span.start <= cell.start and cell.end <= span.end for span in person.available)
            and not any(one == n and a < cell.end and cell.start < b for one, _, a, b in self.table.own_time)
        ]
        return -(-len(adults) * here // max(1, here + other))

    def _cover(self, cell: Cell, most: int) -> bool:
        """Lay the ground with at most so many adults, the learners' own ones first; with all who are free if that is
        too few."""
        free = self.ground.free_adults(cell.index)
        if 0 < most < len(free):
            groups = {self.ground.group_of.get(one, -1) for one in self.facts.learners_in[cell.index]}
            own = {self.ground.opening.adult_of[group] for group in groups if group >= 0}
            few = sorted(free, key=lambda n: (n not in own, self.facts.adults[n].id))[:most]
            if self.ground.cover(cell.index, few, sparing=False):
                return True
        return self.ground.cover(cell.index, free, sparing=False)

    def _count(self, opened: list[Meeting]) -> None:
        for meeting in opened:
            for seat in meeting.seats:
                self.demands.credit(seat)
                if self.moves is not None:
                    self.moves[seat.learner] -= 1
            for adult in meeting.leads:
                self.taught[adult] += meeting.end - meeting.start

    def _free_learners(self, cell: Cell) -> set[int]:
        """Learners who are here for the whole cell and held by nothing but its ground."""
        free = set()
        for one in self.facts.learners_in[cell.index]:
            if self.facts.parts[one][cell.index] != [(cell.start, cell.end)]:
                continue
            if self.moves is not None and self.moves[one] <= 0:
                continue
            seats = self.table.seats_in(one, cell.start, cell.end)
            if all(seat.session.base and seat.why[0] not in DECIDED for seat in seats):
                free.add(one)
        return free

    def _wanting(
        self, draft: Draft, cell: Cell, free: Iterable[int], again: bool = False
    ) -> list[tuple[float, int, Demand]]:
        """Who would come, most worthy first; ``again``: also those who have been there and may practise."""
        rows = []
        minutes = cell.end - cell.start
        for one, demand in draft.members.items():
            if one not in free or not may_learn(self.facts, one, draft.focus):
                continue
            if self.demands.open_now(demand, cell, minutes):
                rows.append((-self.demands.points(demand, cell), one, demand))
            elif again and self.demands.may_practise(demand, cell, minutes):
                rows.append((-_PRACTICE, one, demand))
        rows.sort(key=lambda row: row[:2])
        return rows

    def _worth(self, draft: Draft, rows: list[tuple[float, int, Demand]], cell: Cell) -> float:
        if len(rows) < max(1, draft.kind.fewest):
            return 0.0
        weights = self.facts.policy.weights
        worth = -sum(row[0] for row in rows[: draft.kind.cap])
        worth += weights.small_group * min(3.0, 12.0 / len(rows))
        if (draft.id, cell.start) in self.met_before:
            worth += weights.stability * len(rows)
        return worth

    def _suits(self, draft: Draft, cell: Cell) -> bool:
        if cell.purpose is SlotPurpose.PROTECTED:
            return draft.focus.kind in (FocusKind.PASSION, FocusKind.ELECTIVE)
        return True

    def _ranked(self, cell: Cell, free: set[int], again: bool = False, fewest: int = 0) -> list[tuple[float, str, int]]:
        heap = []
        for number, draft in enumerate(self.drafts):
            if self._suits(draft, cell) and self._may_reach(draft, free, max(fewest, draft.kind.fewest)):
                worth = self._worth(draft, self._wanting(draft, cell, free, again), cell)
                if worth > 0:
                    heap.append((-worth, draft.id, number))
        heapq.heapify(heap)
        return heap

    def _open_best(
        self, cell: Cell, heap: list[tuple[float, str, int]], free: set[int], keep_room: bool, again: bool = False
    ) -> list[Meeting]:
        """Open studios from the best down; worths shrink as learners are taken, so each is looked at again before it
        is opened."""
        opened: list[Meeting] = []
        refused = 0
        loose = {one for one in self.facts.learners_in[cell.index] if self.table.free_parts(one, cell.index)}
        adults = self.ground.free_adults(cell.index)
        quota = self._quota(cell) if keep_room else len(adults)
        fewest = self._fewest(cell, adults, quota, loose) if keep_room else 0
        while heap and adults and quota > 0 and refused < _TRIES:
            old, _, number = heapq.heappop(heap)
            draft = self.drafts[number]
            if not self._may_reach(draft, free, fewest):
                continue
            rows = self._wanting(draft, cell, free, again)
            worth = self._worth(draft, rows, cell)
            if worth <= 0:
                continue
            if worth < -old - 1e-9 and heap and -worth > heap[0][0]:
                heapq.heappush(heap, (-worth, draft.id, number))
                continue
            if len(rows) < fewest:
                continue
            meeting = self._meet(draft, rows, cell, adults)
            if meeting is None:
                continue
            left = [one for one in adults if one not in meeting.leads]
            if keep_room and self.ground.opening.room(
                cell.index, left, max(0, quota - len(meeting.leads)), fair=True
            ) < len(loose) - len(meeting.occupants):
                self.table.drop(meeting)
                refused += 1
                continue
            opened.append(meeting)
            adults, refused = left, 0
            quota -= len(meeting.leads)
            free.difference_update(meeting.occupants)
            loose.difference_update(meeting.occupants)
            draft.adult, draft.zone = meeting.leads[0], meeting.zone
            fewest = self._fewest(cell, adults, quota, loose) if keep_room else 0
        return opened

    @staticmethod
    def _may_reach(draft: Draft, free: set[int], fewest: int) -> bool:
        """Whether the studio could take so many learners at all."""
        return draft.kind.cap >= fewest and len(draft.members) >= fewest and len(draft.members.keys() & free) >= fewest

    def _fewest(self, cell: Cell, adults: list[int], quota: int, loose: set[int]) -> int:
        """At least so many learners a further studio must take, for the other adults to have room for the rest."""
        return len(loose) - self.ground.opening.room(cell.index, adults, max(0, min(quota, len(adults)) - 1), fair=True)

    def _let_practise(self, cell: Cell, opened: list[Meeting], free: set[int]) -> None:
        """Seats that are left in the studios opened go to members who may come again."""
        by_id = {draft.id: draft for draft in self.drafts} if opened else {}
        for meeting in opened:
            for _, one, demand in self._wanting(by_id[meeting.studio], cell, free, again=True):
                if len(meeting.occupants) >= meeting.cap:
                    break
                if self._come(meeting, one, demand, cell):
                    free.discard(one)

    def _come(self, meeting: Meeting, one: int, demand: Demand, cell: Cell) -> bool:
        home = self.table.seats_in(one, cell.start, cell.end)
        leaving = home[0].session if home else None
        if len(home) > 1 or learner_forbidden(self.table, meeting, one, cell.start, cell.end, leaving):
            return False
        for seat in home:
            self.demands.uncredit(seat)
            self.table.unseat(seat)
        reason = practice(demand) if demand.met else why(demand, "studio")
        self.table.seat(Seat(one, meeting, cell.start, cell.end, reason))
        return True

    def _meet(
        self, draft: Draft, rows: list[tuple[float, int, Demand]], cell: Cell, adults: list[int]
    ) -> Meeting | None:
        """A meeting of the draft with the best free adult and zone, its learners seated; ``None`` if it cannot be."""
        facts = self.facts
        for lead in self._leads(draft, rows, cell, adults):
            want = min(len(rows), facts.cap(lead, draft.kind))
            for zone in self._zones(draft, want, cell):
                place = facts.zones[zone]
                if adult_forbidden(self.table, lead, cell.start, cell.end, place.place):
                    continue
                staff = find_staff(self.table, draft.kind, lead, cell.start, cell.end, zone)
                if staff is None:
                    continue
                meeting = self._seated(draft, rows, cell, zone, staff)
                if meeting is not None:
                    return meeting
                break
        return None

    def _seated(
        self,
        draft: Draft,
        rows: list[tuple[float, int, Demand]],
        cell: Cell,
        zone: int,
        staff: list[tuple[int, StaffRole]],
    ) -> Meeting | None:
        cap = cap_at(self.facts, draft.kind, staff, zone)
        meeting = Meeting(draft.kind, cell.index, cell.start, cell.end, zone, staff, cap, focus=draft.focus)
        meeting.studio = meeting.series = draft.id
        meeting.fewest = draft.kind.fewest
        meeting.needs_device = draft.kind.needs_device
        meeting.group_most = min((d.need.group_most for _, _, d in rows if d.need.group_most), default=0)
        self.table.add(meeting)
        left: list[Seat] = []
        for points, one, demand in rows:
            home = self.table.seats_in(one, cell.start, cell.end)
            leaving = home[0].session if home else None
            if len(home) <= 1 and not learner_forbidden(self.table, meeting, one, cell.start, cell.end, leaving):
                for seat in home:
                    self.table.unseat(seat)
                left += home
                reason = practice(demand) if demand.met else why(demand, "studio", round(-points, 3))
                self.table.seat(Seat(one, meeting, cell.start, cell.end, reason))
        if len(meeting.occupants) >= max(1, draft.kind.fewest):
            for seat in left:
                self.demands.uncredit(seat)
            return meeting
        self.table.drop(meeting)
        for seat in left:
            self.table.seat(seat)
        return None

    def _leads(self, draft: Draft, rows: list[tuple[float, int, Demand]], cell: Cell, adults: list[int]) -> list[int]:
        facts = self.facts
        named = [
            adult
            for adult, focus, kind, studio, start, end in self.wished_leads
            if start <= cell.start < end
            and focus in ("", draft.focus.id)
            and kind in ("", draft.kind.id)
            and studio in ("", draft.id)
        ]
        fit = [n for n in adults if facts.qualified(n, draft.focus, draft.kind) and (not named or n in named)]
        members = [one for _, one, _ in rows]
        mentors = {self.ground.opening.adult_of[g] for one in members if (g := self.ground.group_of.get(one, -1)) >= 0}
        return sorted(
            fit,
            key=lambda n: (
                n != draft.adult,
                -min(len(rows), facts.cap(n, draft.kind)),
                len(facts.adults[n].certificates) if "*" not in facts.adults[n].certificates else 99,
                n not in mentors,
                self.taught[n],
                n,
            ),
        )[:4]

    def _zones(self, draft: Draft, want: int, cell: Cell) -> list[int]:
        facts = self.facts
        free = [n for n in facts.zones_for[draft.kind.id] if not zone_forbidden(self.table, n, cell.start, cell.end)]
        order = {kind: place for place, kind in enumerate(draft.kind.zone_kinds)}
        return sorted(
            free,
            key=lambda n: (
                n != draft.zone,
                facts.zones[n].seats < want,
                order.get(facts.zones[n].kind, 0),
                abs(facts.zones[n].seats - want),
                facts.zones[n].id,
            ),
        )[:3]
