"""What is still owed while a week is being planned: per need the minutes and meetings left, and how much a meeting
now is worth."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from atelier_scheduling.engine.facts import Cell, Facts, gates_met
from atelier_scheduling.engine.needs import Focus, FocusKind, Need, NeedClass, Period
from atelier_scheduling.engine.people import AccommodationKind
from atelier_scheduling.engine.policy import SessionKind
from atelier_scheduling.engine.timetable import Meeting, Seat

APPOINTED = (FocusKind.SERVICE, FocusKind.TEST, FocusKind.MENTOR)
GROUPED = (
    FocusKind.COMPETENCY,
    FocusKind.SUBJECT,
    FocusKind.PROJECT,
    FocusKind.PASSION,
    FocusKind.ELECTIVE,
    FocusKind.REFLECTION,
)
PRACTISED = (FocusKind.COMPETENCY, FocusKind.PROJECT)
BY_SLOT = (FocusKind.LUNCH, FocusKind.RECESS, FocusKind.HOME, FocusKind.STUDY)
_Serving = tuple[str, bool, bool, Focus | None]
"""All of a meeting that decides which needs it serves: kind, whether it delivers, whether it is ground, focus."""
_CLASS_POINTS = {NeedClass.SAFETY: 20.0, NeedClass.OBLIGATION: 8.0, NeedClass.PREFERENCE: 1.0}


@dataclass(slots=True, eq=False)
class Demand:
    """One need and what this plan has done for it. ``days`` it was met on, with the minute it last ended."""

    need: Need
    learner: int
    due: int
    times_due: int
    minutes: int = 0
    times: int = 0
    days: list[int] = field(default_factory=list)
    last_end: int = 0

    @property
    def met(self) -> bool:
        return self.minutes >= self.due and self.times >= self.times_due


class Demands:
    """All needs of a problem. ``of[learner]`` in id order; ``credit`` and ``uncredit`` follow seats being taken and
    given up."""

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.of: list[list[Demand]] = []
        self.by_need: dict[str, Demand] = {}
        self._by_focus: dict[Focus, dict[str, Demand]] = defaultdict(dict)
        self._served: list[dict[_Serving, list[Demand]]] = [{} for _ in facts.learners]
        self.subject_need: list[dict[str, Demand]] = [{} for _ in facts.learners]
        self.subject_days: list[dict[tuple[str, int], int]] = [defaultdict(int) for _ in facts.learners]
        for learner in range(len(facts.learners)):
            self.of.append([])
            self.refresh(learner)
        self.by_id_choice = [
            {choice.focus: choice.rank for choice in sorted(person.choices, key=lambda c: -c.rank)}
            for person in facts.learners
        ]

    def refresh(self, learner: int) -> None:
        """Read the needs of one learner anew (nothing credited)."""
        for demand in self.of[learner]:
            self.by_need.pop(demand.need.id, None)
            self._by_focus[demand.need.focus].pop(demand.need.id, None)
        self.of[learner] = [self._demand(need, learner) for need in self.facts.needs[learner]]
        for demand in self.of[learner]:
            self.by_need[demand.need.id] = demand
            self._by_focus[demand.need.focus][demand.need.id] = demand
        self._served[learner].clear()
        self.subject_days[learner].clear()
        self.subject_need[learner] = {
            demand.need.focus.subject_id: demand
            for demand in self.of[learner]
            if demand.need.focus.kind is FocusKind.SUBJECT
        }

    def _demand(self, need: Need, learner: int) -> Demand:
        facts = self.facts
        if not need.is_open:
            return Demand(need, learner, 0, 0)
        days = len({facts.cells[cell].day for cell in facts.parts[learner]}) if need.per is Period.DAY else 1
        minutes = need.minutes * session_factor(facts, need, learner)
        due = max(0, int(minutes * days) - need.already_minutes)
        return Demand(need, learner, due, max(0, need.times * days) if due or not need.minutes else 0)

    def asking(self, focus: Focus | None) -> Iterable[Demand]:
        """Everybody's demands for the very focus, in no order."""
        return self._by_focus[focus].values() if focus in self._by_focus else ()

    def serves(self, demand: Demand, meeting: Meeting) -> bool:
        """Whether minutes in this meeting count for the need: its focus (or its subject) and one of its kinds, and
        somebody qualified."""
        need, focus = demand.need, meeting.focus
        if need.kinds and meeting.kind.id not in need.kinds:
            return False
        if not meeting.delivers and not (focus and focus.kind in BY_SLOT):
            return False
        if need.focus.kind in (FocusKind.HOME, FocusKind.STUDY):
            return need.focus.kind in meeting.kind.focus_kinds and meeting.base
        if focus is None:
            return False
        if need.focus.kind is FocusKind.SUBJECT:
            return not meeting.kind.independent and need.focus.subject_id == (focus.subject or focus.id)
        if need.focus.kind in (FocusKind.LUNCH, FocusKind.RECESS, FocusKind.PASSION) and need.focus.kind is focus.kind:
            return True
        return need.focus == focus

    def credit(self, seat: Seat) -> None:
        """Count a present seat for every need it serves; fills ``seat.needs``."""
        if not seat.present:
            return
        meeting = seat.session
        day = self.facts.cells[meeting.cell].day
        minutes = seat.end - seat.start
        served = self._served_by(seat.learner, meeting)
        for demand in served:
            demand.minutes += minutes
            demand.times += 1
            demand.days.append(day)
            demand.last_end = max(demand.last_end, seat.end)
        seat.needs = tuple([demand.need.id for demand in served])
        if meeting.focus and meeting.focus.subject and not meeting.base:
            self.subject_days[seat.learner][meeting.focus.subject, day] += minutes

    def _served_by(self, learner: int, meeting: Meeting) -> list[Demand]:
        """The learner's demands that a meeting serves; a week has many meetings that serve the same."""
        known = self._served[learner]
        asked = meeting.kind.id, meeting.delivers, meeting.base, meeting.focus
        if asked not in known:
            known[asked] = [demand for demand in self.of[learner] if self.serves(demand, meeting)]
        return known[asked]

    def uncredit(self, seat: Seat) -> None:
        """Undo ``credit``."""
        meeting = seat.session
        day = self.facts.cells[meeting.cell].day
        for name in seat.needs:
            demand = self.by_need.get(name)
            if demand is not None:
                demand.minutes -= seat.end - seat.start
                demand.times -= 1
                demand.days.remove(day)
        if seat.present and meeting.focus and meeting.focus.subject and not meeting.base:
            self.subject_days[seat.learner][meeting.focus.subject, day] -= seat.end - seat.start
        seat.needs = ()

    def open_now(self, demand: Demand, cell: Cell, minutes: int) -> bool:
        """Whether this need may be served by a meeting of ``minutes`` in the cell: still owed, in its windows, in
        order, not too soon."""
        return not demand.met and self.may_meet(demand, cell, minutes)

    def may_practise(self, demand: Demand, cell: Cell, minutes: int) -> bool:
        """Whether the learner may come again to a focus that has had its time this week: on another day, under the
        same rules."""
        return (
            demand.met
            and demand.times > 0
            and demand.need.is_open
            and demand.need.focus.kind in PRACTISED
            and self.may_meet(demand, cell, minutes)
        )

    def may_meet(self, demand: Demand, cell: Cell, minutes: int) -> bool:
        """Whether a meeting of ``minutes`` in the cell keeps to everything the need says, owed or not."""
        need = demand.need
        if not gates_met(need.gates):
            return False
        if need.expires is not None and need.expires <= cell.start:
            return False
        if (need.shortest and minutes < need.shortest) or (need.longest and minutes > need.longest):
            return False
        if need.minutes_most and demand.minutes + minutes > need.minutes_most:
            return False
        if need.windows and not any(window.start <= cell.start and cell.end <= window.end for window in need.windows):
            return False
        if demand.days.count(cell.day) >= max(1, need.most_per_day):
            return False
        gap = self.facts.policy.same_focus_gap_days
        if (
            gap
            and need.focus.kind is FocusKind.COMPETENCY
            and any(0 < abs(day - cell.day) <= gap for day in demand.days)
        ):
            return False
        return self.after_met(need, cell.start)

    def after_met(self, need: Need, start: int) -> bool:
        """Whether everything that must come before the need was served, with its gap."""
        for earlier in need.after:
            other = self.by_need.get(earlier.need)
            if other is not None and (not other.times or start < other.last_end + earlier.gap_minutes):
                return False
        return True

    def points(self, demand: Demand, cell: Cell) -> float:
        """Worth of serving the need once in this cell: obligations dwarf preferences, a subject's second meeting in a
        day less."""
        need, weights = demand.need, self.facts.policy.weights
        points = _CLASS_POINTS[need.need_class] + weights.urgency * need.urgency
        rank = self.by_id_choice[demand.learner].get(need.focus.id)
        if rank is not None:
            points += weights.choice / rank * (1 + self.facts.learners[demand.learner].weeks_without_choice)
        today = self.subject_days[demand.learner].get((need.focus.subject, cell.day), 0)
        if today:
            points -= weights.variety
        owed = self.subject_need[demand.learner].get(need.focus.subject_id)
        if owed is not None and owed is not demand:
            points += 3.0 if not owed.met else -0.5
        return points / (1 + 0.5 * demand.times)


def session_factor(facts: Facts, need: Need, learner: int) -> float:
    """Extended time: timed work of a learner with that accommodation takes this many times as long."""
    if not need.timed:
        return 1.0
    factors = [
        item.factor for item in facts.learners[learner].accommodations if item.kind is AccommodationKind.EXTENDED_TIME
    ]
    return max(factors, default=1.0)


def kinds_of(facts: Facts, need: Need) -> list[SessionKind]:
    """Kinds that can serve the need, best first; one that failed before comes last (another kind after a failure)."""
    named = [facts.kinds[name] for name in need.kinds if name in facts.kinds]
    kinds = named if need.kinds else facts.kinds_for[need.focus.kind]
    return sorted(kinds, key=lambda kind: kind.id in need.failed_kinds)
