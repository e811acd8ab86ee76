"""First aid for a standing plan: a few events, the few people they concern, milliseconds.

Never opens a session; it moves people between those that stand, exchanges an adult or a place, or gives up
(``None``), and then the whole week is planned again. Every decision reads canonical content only, so a kept and a
restored timetable give the same bytes.
"""

from atelier_scheduling.engine.applying import needs_after
from atelier_scheduling.engine.appointments import staying, why
from atelier_scheduling.engine.changes import (
    AdultAbsent,
    Change,
    LearnerAbsent,
    NeedsChanged,
    OverrideGiven,
    OverrideWithdrawn,
    ZoneLost,
)
from atelier_scheduling.engine.checks import may_learn
from atelier_scheduling.engine.decisions import Answer
from atelier_scheduling.engine.demand import APPOINTED, Demand
from atelier_scheduling.engine.needs import Need, what_is_asked
from atelier_scheduling.engine.overrides import Override
from atelier_scheduling.engine.plan import Plan
from atelier_scheduling.engine.problem import SiteProblem
from atelier_scheduling.engine.redrawing import Drawing, Redrawn
from atelier_scheduling.engine.reseating import Reseating
from atelier_scheduling.engine.restoring import recount
from atelier_scheduling.engine.standingin import StandingIn
from atelier_scheduling.engine.timetable import DECIDED, LATER, SHOWN, Seat
from atelier_scheduling.engine.worktable import Worktable


class FirstAid:
    """A plan, its problem and its timetable, kept together while repairs follow one another."""

    def __init__(self, problem: SiteProblem, plan: Plan) -> None:
        self.work = Worktable(problem, plan)
        self._reseating = Reseating(self.work)
        self._standing_in = StandingIn(self.work, self._reseating)
        self._drawing = Drawing(self.work)

    def asked_anew(self, changes: tuple[Change, ...]) -> tuple[Change, ...]:
        """The changes without those by which no more than more is known of a learner who asks for the same as before."""
        kept: list[Change] = []
        named: set[str] = set()
        for change in changes:
            if isinstance(change, NeedsChanged):
                if change.learner not in named and self._asks_the_same(change):
                    continue
                named.add(change.learner)
            kept.append(change)
        return tuple(kept)

    def _asks_the_same(self, change: NeedsChanged) -> bool:
        learner = self.work.facts.learner_of.get(change.learner)
        if learner is None:
            return True
        before = self.work.facts.needs[learner]
        return what_is_asked(needs_after(tuple(before), change)) == what_is_asked(before)

    def mend(
        self, after: SiteProblem, changes: tuple[Change, ...], digest: str, seed: int, effort: int
    ) -> Redrawn | None:
        """The plan after the changes and which attendances are others, or ``None`` if it takes more than first aid
        (then this object must not be used again)."""
        before, decisions = self.work.problem, self.work.decisions
        self.work.take_up(after)
        held = decisions.minutes()
        for change in changes:
            if isinstance(change, OverrideWithdrawn):
                if not self._withdrawn(before, change.override, held):
                    return None
            elif not self._mend(change):
                return None
        now = decisions.minutes()
        if any(now.get(key, 0) < minutes for key, minutes in held.items()):
            # What a person decided does not stand any more: whether it is suspended takes the whole week.
            return None
        redrawn = self._drawing.redraw(digest, seed, effort)
        self.work.plan = redrawn.plan
        return redrawn

    @property
    def touched(self) -> set[str]:
        """Ids of the learners whom the last repair looked at."""
        return {self.work.facts.learners[one].id for one in self.work.touched}

    def _mend(self, change: Change) -> bool:
        facts = self.work.facts
        match change:
            case NeedsChanged(learner, _):
                return learner not in facts.learner_of or self._needs_changed(facts.learner_of[learner], change)
            case LearnerAbsent(learner, interval):
                known = facts.learner_of.get(learner)
                return known is None or self._standing_in.learner_absent(known, interval)
            case AdultAbsent(adult, interval):
                known = facts.adult_of.get(adult)
                return known is None or self._standing_in.adult_absent(known, interval)
            case ZoneLost(zone, interval):
                known = facts.zone_of.get(zone)
                return known is None or self._standing_in.zone_lost(known, interval)
            case OverrideGiven(override):
                return self._given(override)
            case _:
                return False

    def _given(self, order: Override) -> bool:
        work, decisions = self.work, self.work.decisions
        answer = decisions.give(order)
        if isinstance(answer, Answer):
            return False
        if not isinstance(answer, set):
            decisions.settle(order, answer)
            return True
        decisions.settle(order, None)
        work.touched |= answer
        work.forced |= {work.facts.learners[one].id: "override" for one in answer}
        for meeting in decisions.left:
            work.let_go(meeting)
        decisions.left.clear()
        return True

    def _withdrawn(self, before: SiteProblem, name: str, held: dict[tuple[str, int], int]) -> bool:
        order = next((one for one in before.overrides if one.id == name), None)
        if order is None:
            return name not in self.work.decisions.outcomes
        answer = self.work.decisions.withdraw(order)
        if isinstance(answer, Answer):
            return False
        self.work.touched |= answer
        for key in [key for key in held if key[0] == name]:
            del held[key]
        return True

    def _needs_changed(self, learner: int, change: NeedsChanged) -> bool:
        """The learner leaves what is not lawful any more; then open needs take seats, also for those on steps that
        nobody asks for any more."""
        work = self.work
        needs = sorted(needs_after(tuple(work.facts.needs[learner]), change), key=lambda need: need.id)
        if work.facts.bound_to.get(learner) or _appointed(needs) != _appointed(work.facts.needs[learner]):
            return False
        work.facts.set_needs(learner, needs)
        work.touched.add(learner)
        for seat in self._credited_anew(learner):
            if not may_learn(work.facts, learner, seat.session.focus):
                if not self._reseating.better(seat) and not self._reseating.leave(seat):
                    return False
                work.forced[change.learner] = "need-met"
        self._reseating.serve(learner, work.budget(learner))
        self._reseating.pass_on(learner)
        return True

    def _credited_anew(self, learner: int) -> list[Seat]:
        """Which needs each seat serves now; those that are not over, in order of time."""
        work = self.work
        work.demands.refresh(learner)
        ahead = []
        for seat in sorted(work.table.seats_of(learner), key=lambda one: (one.start, one.session.id)):
            if not seat.present:
                continue
            if seat.end <= work.problem.now:
                seat.needs = tuple(one for one in seat.needs if one in work.demands.by_need)
                continue
            work.demands.credit(seat)
            self._say_why(seat)
            ahead.append(seat)
        recount(work.table, work.demands, learner)
        return ahead

    def _say_why(self, seat: Seat) -> None:
        """A seat whose own need is not open any more says so; one whose need is open again says that."""
        demand = self._own(seat)
        if demand is None or seat.why[0] in DECIDED:
            return
        if not demand.need.is_open:
            seat.why = staying(demand)
        elif seat.why[0] in (SHOWN, LATER):
            seat.why = why(demand, "studio")

    def _own(self, seat: Seat) -> Demand | None:
        """The need for the very focus of the seat's session."""
        served = (self.work.demands.by_need[name] for name in seat.needs)
        return next((demand for demand in served if demand.need.focus == seat.session.focus), None)


def _appointed(needs: list[Need]) -> list[Need]:
    """Services, tests and mentor talks: to place or lift one takes more than first aid."""
    return sorted((need for need in needs if need.focus.kind in APPOINTED), key=lambda need: need.id)
