"""What runs in the solver's own process: bytes in, a small outcome out. It keeps the plans it worked on last, so that a repair
travels as its changes alone.
"""

import gc
import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field

from atelier_scheduling.domain.plan import Figures, Moved
from atelier_scheduling.engine import wire
from atelier_scheduling.engine.applying import apply_changes
from atelier_scheduling.engine.assembling import ENGINE
from atelier_scheduling.engine.changes import Changes, Repaired, needing
from atelier_scheduling.engine.diagnosis import diagnose
from atelier_scheduling.engine.explanation import explain
from atelier_scheduling.engine.overrides import OverrideStanding
from atelier_scheduling.engine.plan import Attendance, Diagnosis, Infeasible, PlacedBy, Plan, PlanDiff
from atelier_scheduling.engine.planning import plan
from atelier_scheduling.engine.problem import SiteProblem
from atelier_scheduling.engine.questions import Explanation, Question
from atelier_scheduling.engine.rendering import school_sentence
from atelier_scheduling.engine.repair import repair
from atelier_scheduling.engine.times import local_of
from atelier_scheduling.oracle import check, check_days, check_moved
from atelier_scheduling.planning.delta import difference, in_delta_order

_KEPT = 8
REFUSED = str(OverrideStanding.REFUSED)


class StateMissing(Exception):
    """The process does not hold the plan named; send problem and plan along."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a plan did with an override."""

    override_id: str
    owner: str
    standing: str
    rule: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """A solve's answer. ``part`` is the canonical plan, or the delta from ``base``; its SHA-256 is ``digest``.

    ``diagnosis`` instead of a plan: even supervision is impossible. ``changed`` is False where a repair changes nothing: then
    ``digest`` names the plan before, and there are no figures.
    ``answered`` are the changes that a repair took in, as they are stored; ``passed_over`` the learners who ask for the same
    as before, so that what else is known of them was left out.
    """

    digest: str = ""
    part: bytes = b""
    base: str = ""
    engine: str = ENGINE
    changed: bool = True
    diagnosis: tuple[str, ...] = ()
    figures: Figures = field(default_factory=Figures)
    moves: tuple[Moved, ...] = ()
    violations: tuple[str, ...] = ()
    standings: tuple[Standing, ...] = ()
    answered: bytes = b""
    passed_over: frozenset[str] = frozenset()


@dataclass(slots=True)
class _State:
    """``chosen``: how many of the plan's attendances a learner chose."""

    problem: SiteProblem
    plan: Plan
    stored_problem: str
    chosen: int


_STATES: OrderedDict[str, _State] = OrderedDict()


def solve(problem: bytes, stored_problem: str, previous: bytes | None, effort: int, seed: int) -> Outcome:
    """Plan a week from nothing, or as close to ``previous`` as stability asks."""
    asked = SiteProblem.from_json(problem)
    before = Plan.from_json(previous) if previous else None
    answer = plan(asked, before, effort, seed)
    if isinstance(answer, Infeasible):
        return Outcome(diagnosis=in_words(asked, answer.diagnosis))
    made = answer
    part = in_delta_order(made).to_json()
    digest = hashlib.sha256(part).hexdigest()
    chosen = _chosen(made.attendances)
    _keep(digest, _State(asked, made, stored_problem, chosen))
    gc.collect()
    return Outcome(
        digest=digest,
        part=part,
        figures=figures_of(asked, made, chosen),
        violations=tuple(str(finding) for finding in check(asked, made)),
        standings=_standings(made),
    )


def load(digest: str, problem: bytes, stored_problem: str, changes: tuple[bytes, ...], plan_part: bytes) -> None:
    """Take up a plan that was made before this process started: its first problem, the changes since, the whole plan."""
    asked = SiteProblem.from_json(problem)
    for each in changes:
        asked = apply_changes(asked, wire.read(Changes, each))
    made = Plan.from_json(plan_part)
    _keep(digest, _State(asked, made, stored_problem, _chosen(made.attendances)))
    gc.collect()


def mend(base: str, changes: bytes, stored_changes: bytes, effort: int, seed: int, *, trial: bool = False) -> Outcome:
    """Repair the plan ``base`` after ``changes``. ``stored_changes`` are the same with personal values sealed.

    A trial leaves no trace. Raises StateMissing.
    """
    state = _STATES.get(base)
    if state is None:
        raise StateMissing(base)
    _STATES.move_to_end(base)
    asked = wire.read(Changes, changes)
    repaired = repair(state.problem, state.plan, asked, effort, seed, written=changes)
    if isinstance(repaired.plan, Infeasible):
        return Outcome(diagnosis=in_words(repaired.problem, repaired.plan.diagnosis))
    made = repaired.plan
    answered = asked if repaired.answered is None else repaired.answered
    passed_over = needing(asked.changes) - needing(answered.changes)
    if not repaired.changed:
        return Outcome(base, base=base, changed=False, standings=_standings(state.plan), passed_over=passed_over)
    # Nothing is passed over where a change holds a sealed value: then all is stored as it came.
    stored = stored_changes if len(answered.changes) == len(asked.changes) else wire.write(answered)
    answers = hashlib.sha256(stored).hexdigest()
    part = difference(base, state.stored_problem, answers, state.plan, made, repaired.rows).to_json()
    digest = hashlib.sha256(part).hexdigest()
    if repaired.rows is None:
        chosen = _chosen(made.attendances)
    else:
        gone, new = repaired.rows
        chosen = state.chosen - _chosen(gone) + _chosen(new)
    if not trial:
        _keep(digest, _State(repaired.problem, made, state.stored_problem, chosen))
        # What was repaired is the first to go: a busy site must not push out the plans of quiet ones.
        _STATES.move_to_end(base, last=False)
    return Outcome(
        digest=digest,
        part=part,
        base=base,
        figures=figures_of(repaired.problem, made, chosen),
        moves=moves_of(repaired.difference),
        violations=_judged(repaired),
        standings=_standings(made),
        answered=stored,
        passed_over=passed_over,
    )


def _judged(repaired: Repaired) -> tuple[str, ...]:
    """What the oracle finds: where a repair touched learners and the sessions that they left or came to; on all days on which sessions
    themselves are others; or in the whole plan where it was planned again."""
    made, problem, difference = repaired.plan, repaired.problem, repaired.difference
    assert isinstance(made, Plan)
    if repaired.whole or difference is None or repaired.touched is None:
        return tuple(str(finding) for finding in check(problem, made))
    if not difference.sessions:
        moved = {name for move in difference.moves for name in (move.before, move.after)}
        return tuple(str(finding) for finding in check_moved(problem, made, repaired.touched, moved))
    minutes = {move.interval.start for move in difference.moves}
    for change in difference.sessions:
        minutes |= {one.interval.start for one in (change.before, change.after) if one is not None}
    dates = {local_of(minute, problem.time_zone)[0] for minute in minutes}
    return tuple(str(finding) for finding in check_days(problem, made, dates))


def answer(base: str, question: bytes) -> bytes:
    """Explain the plan ``base``; Question bytes in, Explanation bytes out. Raises StateMissing."""
    state = _STATES.get(base)
    if state is None:
        raise StateMissing(base)
    said: Explanation = explain(state.problem, state.plan, wire.read(Question, question))
    return said.to_json()


def examine(problem: bytes) -> tuple[bool, tuple[str, ...]]:
    """Whether everybody can be supervised; then what stands in the way, and what more adults or larger groups would be worth."""
    asked = SiteProblem.from_json(problem)
    diagnosis = diagnose(asked)
    return diagnosis.feasible, in_words(asked, diagnosis)


def judge(base: str) -> tuple[str, ...]:
    """What the oracle finds in the plan ``base``. Raises StateMissing."""
    state = _STATES.get(base)
    if state is None:
        raise StateMissing(base)
    return tuple(str(finding) for finding in check(state.problem, state.plan))


def _chosen(rows: tuple[Attendance, ...]) -> int:
    return sum(1 for one in rows if one.because.placed_by is PlacedBy.CHOICE)


def figures_of(problem: SiteProblem, made: Plan, chosen: int) -> Figures:
    """The plan's figures as events carry them. ``chosen``: how many of its attendances a learner chose."""
    metrics = made.metrics
    return Figures(
        learners=len(problem.learners),
        adults=len(problem.adults),
        sessions=len(made.sessions),
        studios=len(made.studios),
        needs=metrics.needs,
        needs_served=metrics.needs_served,
        obligations=metrics.obligations,
        obligations_met=metrics.obligations_met,
        obligations_owed=sum(1 for line in made.obligations if line.owed),
        minutes_with_adults=metrics.contact_minutes,
        minutes_independent=metrics.independent_minutes,
        minutes_on_site=metrics.on_site_minutes,
        chosen_share=round(chosen / len(made.attendances), 4) if made.attendances else 0.0,
        score=round(metrics.score, 4),
    )


def moves_of(diff: PlanDiff | None) -> tuple[Moved, ...]:
    """One line for each learner who is moved."""
    if diff is None:
        return ()
    found: dict[str, Moved] = {}
    for move in diff.moves:
        held = found.get(move.learner)
        forced = move.forced and (held is None or held.forced)
        count = held.changed_sessions + 1 if held else 1
        found[move.learner] = Moved(move.learner, forced, held.reason_code if held else move.code, count)
    return tuple(found[learner] for learner in sorted(found))


def in_words(problem: SiteProblem, diagnosis: Diagnosis) -> tuple[str, ...]:
    """The minimal conflicting set and what would help, a line each: the code, then the sentence in the school's own words."""
    titles = {zone.id: zone.name for zone in problem.zones} | {slot.id: slot.name for slot in problem.slots}
    conflicts = [f"{item.code}: {school_sentence(item, titles)}" for item in diagnosis.conflicts]
    return (*conflicts, *(f"{item.code}: {school_sentence(item, titles)}" for item in diagnosis.relaxations))


def _standings(made: Plan) -> tuple[Standing, ...]:
    return tuple(Standing(one.override, one.owner, str(one.standing), one.rule) for one in made.overrides)


def _keep(digest: str, state: _State) -> None:
    _STATES[digest] = state
    _STATES.move_to_end(digest)
    while len(_STATES) > _KEPT:
        _STATES.popitem(last=False)
