"""A person's decision carried out on a standing plan: only the learners it names move, into sessions that stand already.

Nothing is opened and no adult changes; where that would be needed the answer is ``Answer.WHOLE``. The same rules are
asked as for every other placement, so a decision that would break safety is refused and leaves everything as it was.
"""

from dataclasses import replace
from enum import Enum

from atelier_scheduling.engine.appointments import carve, why
from atelier_scheduling.engine.checks import learner_forbidden, matches, may_learn
from atelier_scheduling.engine.demand import APPOINTED, GROUPED, Demands
from atelier_scheduling.engine.facts import Cell, Facts
from atelier_scheduling.engine.overrides import Override, OverrideAction, OverrideOutcome, OverrideStanding
from atelier_scheduling.engine.plan import PlacedBy, Plan
from atelier_scheduling.engine.restoring import recount
from atelier_scheduling.engine.rules import Obligation, Rule
from atelier_scheduling.engine.times import SlotPurpose
from atelier_scheduling.engine.timetable import DECIDED, Meeting, Seat, Timetable, Why

_LAW = (SlotPurpose.LUNCH, SlotPurpose.RECESS, SlotPurpose.PROTECTED)
# A session at hand is full or unsuited, but another one might be opened: only the whole week can tell.
_OF_THE_SESSION = (
    Rule.ADULT_CAP,
    Rule.SESSION_CAP,
    Rule.SEATS,
    Rule.DEVICES,
    Rule.AGE_SPAN,
    Rule.RATIO,
    Rule.APART,
    Rule.BAR,
    Rule.STEP_FREE,
    Rule.TRAVEL_TIME,
)
# So many learners of one decision are still a matter of milliseconds.
_FEW = 12


class Answer(Enum):
    """``WHOLE``: it takes more than the sessions that stand."""

    WHOLE = "whole"


class Decisions:
    """The decisions that stand in one plan. ``left`` holds the sessions that somebody was taken out of."""

    def __init__(self, table: Timetable, demands: Demands, plan: Plan) -> None:
        self.table = table
        self.facts: Facts = table.facts
        self.demands = demands
        self.outcomes = {outcome.override: outcome for outcome in plan.overrides}
        self.left: list[Meeting] = []
        for order in self.facts.problem.overrides:
            if order.action is OverrideAction.KEEP_OUT and self._honoured(order.id):
                self._bar(order)

    def _honoured(self, name: str) -> bool:
        outcome = self.outcomes.get(name)
        return outcome is not None and outcome.standing is OverrideStanding.HONOURED

    def _bar(self, order: Override) -> None:
        for name in order.learners:
            if name in self.facts.learner_of:
                self.table.keep_out.setdefault(self.facts.learner_of[name], []).append(order)

    def minutes(self) -> dict[tuple[str, int], int]:
        """Minutes that each decision holds each learner, in sessions that still are what it asked for."""
        if not any(self._honoured(name) for name in self.outcomes):
            return {}
        orders = {order.id: order for order in self.facts.problem.overrides}
        held: dict[tuple[str, int], int] = {}
        for rows in self.table.in_cell:
            for meeting in rows:
                for seat in meeting.seats:
                    if seat.why[0] not in DECIDED:
                        continue
                    name = dict(seat.why[2]).get("override", "")
                    if name not in orders or matches(self.facts, meeting, orders[name]):
                        held[name, seat.learner] = held.get((name, seat.learner), 0) + seat.end - seat.start
        return held

    def give(self, order: Override) -> set[int] | Rule | Obligation | Answer:
        """Carry the order out: the learners who moved, the rule that forbids it (nothing has changed then), or
        ``WHOLE`` (nothing can be said of the table then)."""
        now = self.facts.problem.now
        if order.id in self.outcomes or (order.expires is not None and order.expires <= now):
            return Answer.WHOLE
        learners = [self.facts.learner_of[name] for name in order.learners if name in self.facts.learner_of]
        if len(learners) < len(order.learners):
            return Rule.KNOWN
        if not learners or len(learners) > _FEW or any(self.facts.bound_to.get(one) for one in learners):
            return Answer.WHOLE
        if order.action is OverrideAction.KEEP_OUT:
            return self._keep_out(order, learners)
        return self._place(order, learners) if order.action is OverrideAction.PLACE else Answer.WHOLE

    def settle(self, order: Override, rule: Rule | Obligation | None) -> None:
        """Write down what became of the order."""
        standing = OverrideStanding.HONOURED if rule is None else OverrideStanding.REFUSED
        self.outcomes[order.id] = OverrideOutcome(order.id, order.owner, standing, rule.value if rule else "")

    def withdraw(self, order: Override) -> set[int] | Answer:
        """The order is over: whom it placed stays there, as anybody whom the planner placed would. Returns whose
        receipts changed."""
        if order.action not in (OverrideAction.PLACE, OverrideAction.KEEP_OUT):
            return Answer.WHOLE
        self.outcomes.pop(order.id, None)
        concerned: set[int] = set()
        for name in order.learners:
            learner = self.facts.learner_of.get(name)
            if learner is None:
                continue
            if order.action is OverrideAction.KEEP_OUT:
                kept = [one for one in self.table.keep_out.get(learner, []) if one.id != order.id]
                self.table.keep_out[learner] = kept
                continue
            for seat in self.table.seats_of(learner):
                if seat.why[0] in DECIDED and ("override", order.id) in seat.why[2]:
                    seat.why = self._own_reason(seat)
                    concerned.add(learner)
        return concerned

    def _own_reason(self, seat: Seat) -> Why:
        focus = seat.session.focus
        if seat.session.base or focus is None or focus.kind not in GROUPED:
            purpose = self.facts.cells[seat.session.cell].purpose
            law = purpose in _LAW and focus is not None
            code = "supervised.study" if seat.session.kind.independent else "home.another-group"
            code = f"time.{purpose}" if law else code
            return (code, PlacedBy.LAW if law else PlacedBy.NEED, (), False, 0.0)
        for demand in self.demands.of[seat.learner]:
            if demand.need.id in seat.needs and demand.need.focus == focus:
                return why(demand, "studio")
        return ("studio.practice", PlacedBy.NEED, (("focus", focus.id),), False, 0.0)

    def _place(self, order: Override, learners: list[int]) -> set[int] | Rule | Obligation | Answer:
        now = self.facts.problem.now
        before = {one: list(self.table.seats_of(one)) for one in learners}
        for learner in learners:
            inside = [self.facts.cells[index] for index in sorted(self.facts.parts[learner])]
            inside = [cell for cell in inside if cell.start < order.scope.end and order.scope.start < cell.end]
            exact = [cell for cell in inside if cell.start <= order.scope.start and order.scope.end <= cell.end]
            cells = exact or [cell for cell in inside if cell.purpose not in _LAW]
            if any(cell.end <= now for cell in cells):
                return Answer.WHOLE
            rule: Rule | Obligation | Answer | None = None if cells else Rule.LEARNER_AVAILABLE
            if not may_learn(self.facts, learner, order.focus):
                rule = Rule.PREREQUISITE
            for cell in cells:
                rule = rule or self._place_in_cell(order, learner, cell)
            if rule is Answer.WHOLE:
                return rule
            if rule is not None:
                self._put_back(before)
                return rule
        for learner in learners:
            self._count(learner, order)
        return set(learners)

    def _place_in_cell(self, order: Override, learner: int, cell: Cell) -> Rule | Obligation | Answer | None:
        now = self.table.seats_in(learner, cell.start, cell.end)
        if any(seat.why[0] in DECIDED for seat in now):
            return Rule.ONE_PLACE
        if any(seat.session.focus is not None and seat.session.focus.kind in APPOINTED for seat in now):
            # The appointment has to find another time.
            return Answer.WHOLE
        candidates = [meeting for meeting in self.table.in_cell[cell.index] if matches(self.facts, meeting, order)]
        candidates = [one for one in candidates if one.focus is None or one.focus.kind not in APPOINTED]
        here = [seat.session for seat in now]
        candidates.sort(key=lambda m: (m not in here, m.base, m.id))
        rule: Rule | Obligation | Answer | None = Answer.WHOLE
        for meeting in candidates:
            rule = self._seat(order, learner, meeting)
            if rule is None:
                return None
        return Answer.WHOLE if rule in _OF_THE_SESSION and not order.session else rule

    def _seat(self, order: Override, learner: int, meeting: Meeting) -> Rule | Obligation | None:
        before = {learner: list(self.table.seats_of(learner))}
        parts = [
            (max(a, meeting.start), min(b, meeting.end))
            for a, b in self.facts.parts[learner].get(meeting.cell, [])
            if a < meeting.end and meeting.start < b
        ]
        for start, end in parts:
            carve(self.table, learner, start, end)
        rule: Rule | Obligation | None = None if parts else Rule.LEARNER_AVAILABLE
        for start, end in parts:
            rule = rule or learner_forbidden(self.table, meeting, learner, start, end)
            if rule is None:
                reason = ("override.place", PlacedBy.COACH, (("override", order.id),), order.restricted, 0.0)
                self.table.seat(Seat(learner, meeting, start, end, reason))
        if rule is not None:
            self._put_back(before)
            return rule
        now = {id(seat.session) for seat in self.table.seats_of(learner)}
        self.left += [seat.session for seat in before[learner] if id(seat.session) not in now]
        return None

    def _put_back(self, before: dict[int, list[Seat]]) -> None:
        for learner, seats in before.items():
            now = self.table.seats_of(learner)
            for seat in now:
                if seat not in seats:
                    self.table.unseat(seat)
            for seat in seats:
                if seat not in now:
                    self.table.seat(seat)
        self.left = []

    def _count(self, learner: int, order: Override) -> None:
        recount(self.table, self.demands, learner)
        for seat in self.table.seats_of(learner):
            if not seat.needs and ("override", order.id) in seat.why[2]:
                self.demands.credit(seat)

    def _keep_out(self, order: Override, learners: list[int]) -> set[int] | Rule | Obligation | Answer:
        now = self.facts.problem.now
        self._bar(order)
        moved: set[int] = set()
        for learner in learners:
            for seat in self.table.seats_of(learner):
                inside = seat.start < order.scope.end and order.scope.start < seat.end and seat.end > now
                if not inside or not matches(self.facts, seat.session, order):
                    continue
                if not seat.present or seat.why[0] in DECIDED or not self._elsewhere(seat):
                    return Answer.WHOLE
                moved.add(learner)
        return moved

    def _elsewhere(self, seat: Seat) -> bool:
        """Another session that stands at the same time: the ground first, then any that the learner may attend."""
        focus = seat.session.focus
        if focus is not None and focus.kind in APPOINTED:
            return False
        rows = [m for m in self.table.in_cell[seat.session.cell] if m.start <= seat.start and seat.end <= m.end]
        rows = [m for m in rows if m is not seat.session and (m.base or (m.focus and m.focus.kind in GROUPED))]
        for meeting in sorted(rows, key=lambda m: (not m.base, len(m.occupants), m.id)):
            rule = learner_forbidden(self.table, meeting, seat.learner, seat.start, seat.end, seat.session)
            if rule is not None:
                continue
            self.demands.uncredit(seat)
            self.table.unseat(seat)
            moved = replace(seat, session=meeting, needs=(), station="")
            self.table.seat(moved)
            self.demands.credit(moved)
            moved.why = self._own_reason(moved)
            self.left.append(seat.session)
            recount(self.table, self.demands, seat.learner)
            return True
        return False
