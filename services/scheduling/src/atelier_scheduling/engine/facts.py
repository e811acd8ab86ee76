"""The problem, indexed once: numbers instead of ids, cells of real time, and what every check asks again and again.

Everything is sorted by id first, so that the order of the problem's tuples never shows in a plan. Read only after it
is built.
"""

import datetime
from bisect import bisect_right, insort
from collections import defaultdict
from dataclasses import dataclass

from atelier_scheduling.engine.needs import Focus, FocusKind, Gate, GateMetBy, Need
from atelier_scheduling.engine.people import AccommodationKind, Adult, Bar, BarTarget, Learner, PairKind, Reach
from atelier_scheduling.engine.places import Zone
from atelier_scheduling.engine.policy import SessionKind
from atelier_scheduling.engine.problem import SiteProblem
from atelier_scheduling.engine.times import DayKind, Interval, SlotPurpose

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Cell:
    """One stretch of time that all slots with the same clock interval and purpose share, whatever their bell."""

    index: int
    date: str
    day: int
    start: int
    end: int
    purpose: SlotPurpose
    slots: dict[str, str]


def subtract(spans: list[Span], hole: Span) -> list[Span]:
    """``spans`` without the minutes of ``hole``."""
    left: list[Span] = []
    for start, end in spans:
        if hole[1] <= start or end <= hole[0]:
            left.append((start, end))
            continue
        if start < hole[0]:
            left.append((start, hole[0]))
        if hole[1] < end:
            left.append((hole[1], end))
    return left


class Facts:
    """Indexes of one problem. ``learners``, ``adults``, ``zones`` are lists sorted by id; their positions are used
    everywhere inside."""

    def __init__(self, problem: SiteProblem) -> None:
        self.problem = problem
        self.policy = problem.policy
        self.learners: list[Learner] = sorted(problem.learners, key=lambda item: item.id)
        self.adults: list[Adult] = sorted(problem.adults, key=lambda item: item.id)
        self.zones: list[Zone] = sorted(problem.zones, key=lambda item: item.id)
        self.learner_of = {item.id: number for number, item in enumerate(self.learners)}
        self.adult_of = {item.id: number for number, item in enumerate(self.adults)}
        self.zone_of = {item.id: number for number, item in enumerate(self.zones)}
        self.kinds: dict[str, SessionKind] = {item.id: item for item in problem.kinds}
        self.title = {item.id: item.text for item in problem.titles}
        self.travel = {(item.place, item.other): item.minutes for item in problem.travel}
        self.travel.update({(item.other, item.place): item.minutes for item in problem.travel})
        self.many_places = any(minutes > 0 for minutes in self.travel.values())
        self._index_cells()
        self._index_learners()
        self._index_adults()
        self._index_needs()
        self._index_kinds()

    def _index_cells(self) -> None:
        closed = {day.date for day in self.problem.days if day.kind is DayKind.CLOSED}
        dates = sorted({day.date for day in self.problem.days} | {slot.date for slot in self.problem.slots})
        self.day_of = {date: number for number, date in enumerate(dates)}
        self.hull: dict[tuple[str, str], Span] = {}
        found: dict[tuple[int, int, str, SlotPurpose], dict[str, str]] = defaultdict(dict)
        by_bell: dict[tuple[str, str], list[tuple[Span, SlotPurpose, str]]] = defaultdict(list)
        for slot in sorted(self.problem.slots, key=lambda item: (item.interval, item.id)):
            if slot.date not in closed and slot.interval.minutes > 0:
                span = (slot.interval.start, slot.interval.end)
                by_bell[slot.date, slot.bell].append((span, slot.purpose, slot.id))
        for (date, bell), slots in sorted(by_bell.items()):
            last = slots[0][0][0]
            self.hull[date, bell] = (last, max(span[1] for span, _, _ in slots))
            for (start, end), purpose, name in slots:
                if start - last > self.policy.passing_minutes:
                    found[last, start, date, SlotPurpose.HOME][bell] = ""
                found[start, end, date, purpose][bell] = name
                last = max(last, end)
        self.cells = [
            Cell(number, date, self.day_of[date], start, end, purpose, found[start, end, date, purpose])
            for number, (start, end, date, purpose) in enumerate(sorted(found))
        ]

        self._day_starts: list[int] = []
        first: dict[int, int] = {}
        for cell in self.cells:
            first.setdefault(cell.day, cell.start)
        self._days_in_order = sorted(first, key=lambda day: first[day])
        self._day_starts = [first[day] for day in self._days_in_order]
        self.cells_on: list[list[Cell]] = [[] for _ in self.day_of]
        for cell in self.cells:
            self.cells_on[cell.day].append(cell)

    def day_at(self, minute: int) -> int:
        """The day whose cells are running at, or began last before, a minute."""
        return self._days_in_order[max(0, bisect_right(self._day_starts, minute) - 1)] if self._day_starts else 0

    def cell_at(self, start: int, end: int, slot: str) -> int:
        """The cell in which a session of this slot lies: the slot's own where it is named, else one with the same times, else any that
        holds it; -1 where there is none."""
        inside = [cell for cell in self.cells_between(start, end) if cell.start <= start and end <= cell.end]
        inside.sort(key=lambda c: (not slot or slot not in c.slots.values(), (c.start, c.end) != (start, end), c.index))
        return inside[0].index if inside else -1

    def cells_between(self, start: int, end: int) -> list[Cell]:
        """Cells that overlap the stretch, in time order."""
        first, last = bisect_right(self._day_starts, start) - 1, bisect_right(self._day_starts, end - 1)
        days = self._days_in_order[max(0, first) : last]
        return [cell for day in days for cell in self.cells_on[day] if cell.start < end and start < cell.end]

    def _index_learners(self) -> None:
        self.stretches: list[list[Span]] = []
        self.learners_in: list[list[int]] = [[] for _ in self.cells]
        self.parts: list[dict[int, list[Span]]] = []
        self.birth: list[datetime.date | None] = []
        self.step_free: list[bool] = []
        self.bars: list[dict[BarTarget, set[str]]] = []
        cells_of: dict[tuple[str, str], list[Cell]] = defaultdict(list)
        for cell in self.cells:
            for bell in cell.slots:
                cells_of[cell.date, bell].append(cell)
        self._cells_of = cells_of
        self._dates = dates = sorted(self.day_of)
        for number, learner in enumerate(self.learners):
            stretches, parts = self._presence(learner)
            self.stretches.append(stretches)
            self.parts.append(parts)
            for cell_index in parts:
                self.learners_in[cell_index].append(number)
            self.birth.append(datetime.date.fromisoformat(learner.birth_date) if learner.birth_date else None)
            self.step_free.append(any(item.kind is AccommodationKind.STEP_FREE for item in learner.accommodations))
            bars: dict[BarTarget, set[str]] = {}
            for bar in learner.bars:
                bars.setdefault(bar.target, set()).add(bar.id)
            self.bars.append(bars)
        self.young = [(ratio, self._young(ratio.below_years, dates)) for ratio in self.policy.ratios]
        self.apart: dict[int, list[tuple[int, Reach]]] = defaultdict(list)
        self.apart_wish: dict[int, set[int]] = defaultdict(set)
        self.together: dict[int, set[int]] = defaultdict(set)
        for pair in self.problem.pairs:
            one, two = self.learner_of.get(pair.learner), self.learner_of.get(pair.other)
            if one is None or two is None or one == two:
                continue
            for first, second in ((one, two), (two, one)):
                if pair.kind is PairKind.TOGETHER:
                    self.together[first].add(second)
                elif pair.order:
                    self.apart[first].append((second, pair.reach))
                else:
                    self.apart_wish[first].add(second)

    def _presence(self, learner: Learner) -> tuple[list[Span], dict[int, list[Span]]]:
        """The learner's on-site stretches, and the parts of them in each cell of the learner's bell."""
        bells = {item.date: item.bell for item in learner.bell_on}
        stretches: list[Span] = []
        parts: dict[int, list[Span]] = {}
        for date in self._dates:
            bell = bells.get(date, learner.bell)
            if (date, bell) not in self.hull:
                continue
            today = self._present(learner, self.hull[date, bell])
            stretches += today
            for cell in self._cells_of[date, bell]:
                inside = [(max(a, cell.start), min(b, cell.end)) for a, b in today if a < cell.end and cell.start < b]
                if inside:
                    parts[cell.index] = inside
        return stretches, parts

    def set_learner(self, number: int, learner: Learner) -> None:
        """Take up new facts of a learner's presence (the only change of these facts after they are built, with
        ``set_needs``)."""
        self.learners[number] = learner
        for cell in self.parts[number]:
            self.learners_in[cell].remove(number)
        self.stretches[number], self.parts[number] = self._presence(learner)
        for cell in self.parts[number]:
            insort(self.learners_in[cell], number)

    def set_needs(self, number: int, needs: list[Need]) -> None:
        """Take up all needs of one learner anew."""
        for need in self.needs[number]:
            self.need_of.pop(need.id, None)
        self.needs[number] = sorted(needs, key=lambda item: item.id)
        self.need_of.update({need.id: need for need in needs})
        self.open_foci[number] = {
            need.focus.id for need in needs if need.focus.kind is FocusKind.COMPETENCY and gates_met(need.gates)
        }

    def _young(self, below: int, dates: list[str]) -> list[frozenset[int]]:
        """Per day, the learners who are younger than ``below`` years."""
        days = [datetime.date.fromisoformat(date) for date in dates]
        return [
            frozenset(n for n, birth in enumerate(self.birth) if birth and years_on(birth, day) < below) for day in days
        ]

    @staticmethod
    def _present(learner: Learner, hull: Span) -> list[Span]:
        spans = [hull]
        for absence in learner.absences:
            spans = subtract(spans, (absence.start, absence.end))
        for away in learner.off_site:
            hole = (away.interval.start - away.travel_before, away.interval.end + away.travel_after)
            spans = subtract(spans, hole)
        return spans

    def meets_with(self, bell: str) -> str:
        """The first bell whose teaching cells are mostly those of this one: learners of both can share sessions."""
        mine = {cell.index for cell in self.cells if bell in cell.slots and cell.purpose is SlotPurpose.TEACHING}
        for other in sorted({learner.bell for learner in self.learners}):
            theirs = {cell.index for cell in self.cells if other in cell.slots and cell.purpose is SlotPurpose.TEACHING}
            if 2 * len(mine & theirs) > len(mine):
                return other
        return bell

    def _index_adults(self) -> None:
        self.bound_to: dict[int, list[int]] = defaultdict(list)
        for number, adult in enumerate(self.adults):
            learner = self.learner_of.get(adult.bound_to or "")
            if learner is not None:
                self.bound_to[learner].append(number)
        self.seats_of = [1 + len(self.bound_to.get(number, ())) for number in range(len(self.learners))]
        self.may_lead = [item.certificated and item.bound_to is None for item in self.adults]
        self.cap_of = [{cap.kind: cap.most for cap in item.caps} for item in self.adults]

    def _index_needs(self) -> None:
        self.needs: list[list[Need]] = [[] for _ in self.learners]
        self.need_of: dict[str, Need] = {}
        self.provider_role: dict[str, str] = {}
        self.open_foci: list[set[str]] = [set() for _ in self.learners]
        for need in sorted(self.problem.needs, key=lambda item: item.id):
            learner = self.learner_of.get(need.learner)
            if learner is None:
                continue
            self.needs[learner].append(need)
            self.need_of[need.id] = need
            if need.provider_role:
                self.provider_role[need.focus.id] = need.provider_role
            if need.focus.kind is FocusKind.COMPETENCY and gates_met(need.gates):
                self.open_foci[learner].add(need.focus.id)

    def _index_kinds(self) -> None:
        self.kinds_for: dict[FocusKind, list[SessionKind]] = {
            focus: [kind for kind in self.problem.kinds if focus in kind.focus_kinds] for focus in FocusKind
        }
        self.zones_for: dict[str, list[int]] = {}
        for kind in self.problem.kinds:
            order = {name: place for place, name in enumerate(kind.zone_kinds)}
            allowed = [n for n, zone in enumerate(self.zones) if not order or zone.kind in order]
            self.zones_for[kind.id] = sorted(
                allowed, key=lambda n: (order.get(self.zones[n].kind, 0), self.zones[n].id)
            )

    def cap(self, adult: int, kind: SessionKind) -> int:
        """Most learners this adult may have in a session of the kind."""
        return self.cap_of[adult].get(kind.id, kind.cap)

    def travel_minutes(self, one: str, other: str) -> int:
        return 0 if one == other else self.travel.get((one, other), 0)

    def qualified(self, adult: int, focus: Focus | None, kind: SessionKind, role: str = "") -> bool:
        """Whether minutes that this adult leads count as delivered: the role asked for, else the subject's
        certificate in teaching."""
        person = self.adults[adult]
        if role:
            return role in person.roles
        if not kind.teaching or focus is None or not focus.subject:
            return True
        return "*" in person.certificates or focus.subject in person.certificates

    def barred(self, learner: int, adults: list[int], zone: int, focus: Focus | None) -> bool:
        """Whether a bar of the learner stands against one of the adults, the zone or the focus."""
        bars = self.bars[learner]
        if not bars:
            return False
        people = bars.get(BarTarget.ADULT)
        if people and any(self.adults[adult].id in people for adult in adults):
            return True
        if self.zones[zone].id in bars.get(BarTarget.ZONE, ()):
            return True
        foci = bars.get(BarTarget.FOCUS, ())
        return focus is not None and (focus.id in foci or bool(focus.subject and focus.subject in foci))

    def restricted_bar(self, learner: int) -> tuple[Bar, ...]:
        return tuple(bar for bar in self.learners[learner].bars if bar.restricted)


def gates_met(gates: tuple[Gate, ...]) -> bool:
    return all(gate.met_by is not GateMetBy.OPEN for gate in gates)


def age_months(older: datetime.date, younger: datetime.date) -> int:
    """Whole months from one birth date to the later one."""
    months = (younger.year - older.year) * 12 + younger.month - older.month
    return months - (younger.day < older.day)


def years_on(birth: datetime.date, date: datetime.date) -> int:
    """Age in whole years on a date."""
    return date.year - birth.year - ((date.month, date.day) < (birth.month, birth.day))


def spans_of(intervals: tuple[Interval, ...]) -> list[Span]:
    return [(item.start, item.end) for item in intervals]
