"""``repair``: after something happened, touch only whom it must.

First aid works on the plan as it stands, in milliseconds: a learner's changed needs, a learner's or an adult's
absence, a lost place, a person's decision about a few learners. It reads only what the plan itself says, so that it
gives the same bytes whether the plan was kept in memory or read back. Everything else, and whatever first aid cannot
settle, is planned again with all of the former plan that is still lawful laid first.
"""

from collections import OrderedDict
from dataclasses import replace

from atelier_scheduling.engine.applying import apply_changes, chained
from atelier_scheduling.engine.changes import (
    AdultAbsent,
    Change,
    Changes,
    LearnerAbsent,
    LearnerChanged,
    NeedsChanged,
    OverrideGiven,
    OverrideWithdrawn,
    Repaired,
    ZoneLost,
)
from atelier_scheduling.engine.difference import difference, shows
from atelier_scheduling.engine.firstaid import FirstAid
from atelier_scheduling.engine.overrides import OverrideOutcome, OverrideStanding
from atelier_scheduling.engine.plan import Infeasible, Plan
from atelier_scheduling.engine.planning import replan
from atelier_scheduling.engine.problem import SiteProblem

_SMALL = (NeedsChanged, LearnerAbsent, AdultAbsent, ZoneLost, OverrideGiven, OverrideWithdrawn)
_KEPT = 4
# Plans whose timetable is still at hand; it only saves time, never changes an answer.
_at_hand: OrderedDict[str, FirstAid] = OrderedDict()


def repair(
    problem: SiteProblem,
    plan: Plan,
    changes: Changes,
    effort: int = 1,
    seed: int = 0,
    *,
    written: bytes = b"",
) -> Repaired:
    """The problem after the changes, a safe plan for it that differs as little as may be, and what differs.

    ``plan`` must be a plan for ``problem``. Deterministic like ``plan``. Moves of choice stay within the stability
    budget and never touch the frozen time; forced moves are marked and counted apart. Where no more than more is known
    of learners who ask for the same as before, that is passed over: what is left is ``answered``, and where nothing is,
    problem and plan are handed back. ``written``: the changes' canonical bytes, where they are at hand.
    """
    if not changes.changes or not all(isinstance(change, _SMALL) for change in changes.changes):
        return _planned_again(problem, plan, changes, effort, seed, written)
    aid = _take(problem, plan)
    asked = aid.asked_anew(changes.changes)
    if len(asked) < len(changes.changes):
        changes, written = Changes(asked), b""
    if not asked:
        _keep(aid)
        return Repaired(problem, plan, touched=frozenset(), changed=False, answered=changes)
    after = apply_changes(problem, changes)
    made = aid.mend(after, asked, chained(plan.problem, changes, written), seed, effort)
    if made is None:
        return replace(_planned_again(problem, plan, changes, effort, seed, written), answered=changes)
    _keep(aid)
    touched = frozenset(aid.touched)
    rows = made.gone, made.new
    differs = difference(plan, made.plan, _forced(asked) | aid.work.forced, rows)
    return Repaired(after, made.plan, differs, touched=touched, rows=rows, answered=changes)


def _planned_again(
    problem: SiteProblem, plan: Plan, changes: Changes, effort: int, seed: int, written: bytes
) -> Repaired:
    after = apply_changes(problem, changes)
    digest = chained(plan.problem, changes, written)
    forced = _forced(changes.changes)
    whole = replan(after, plan, effort, seed, _concerned(changes.changes))
    if isinstance(whole, Infeasible):
        return Repaired(after, whole, whole=True)
    if _all_refused(changes.changes, whole):
        # Nothing comes of it, so nothing moves for it.
        outcomes = {one.override: one for one in (*plan.overrides, *_of(changes.changes, whole))}
        kept = replace(
            plan, problem=digest, seed=seed, effort=effort, overrides=tuple(one for _, one in sorted(outcomes.items()))
        )
        return Repaired(after, kept, difference(plan, kept, forced), touched=frozenset())
    moves = difference(plan, whole, forced).moves
    count = sum(move.forced for move in moves)
    metrics = replace(whole.metrics, moves_of_choice=len(moves) - count, moves_forced=count)
    whole = replace(whole, problem=digest, metrics=metrics)
    changed = shows(plan, whole)
    return Repaired(after, whole, difference(plan, whole, forced), whole=True, changed=changed)


def _take(problem: SiteProblem, plan: Plan) -> FirstAid:
    kept = _at_hand.pop(plan.problem, None)
    if kept is not None and kept.work.plan == plan and (kept.work.problem is problem or kept.work.problem == problem):
        return kept
    return FirstAid(problem, plan)


def _keep(aid: FirstAid) -> None:
    _at_hand[aid.work.plan.problem] = aid
    while len(_at_hand) > _KEPT:
        _at_hand.popitem(last=False)


def _forced(changes: tuple[Change, ...]) -> dict[str, str]:
    return {change.learner: "absence" for change in changes if isinstance(change, LearnerAbsent)}


def _of(changes: tuple[Change, ...], plan: Plan) -> list[OverrideOutcome]:
    given = {change.override.id for change in changes if isinstance(change, OverrideGiven)}
    return [outcome for outcome in plan.overrides if outcome.override in given]


def _all_refused(changes: tuple[Change, ...], plan: Plan) -> bool:
    if not changes or not all(isinstance(change, OverrideGiven) for change in changes):
        return False
    outcomes = _of(changes, plan)
    return bool(outcomes) and all(outcome.standing is OverrideStanding.REFUSED for outcome in outcomes)


def _concerned(changes: tuple[Change, ...]) -> frozenset[str]:
    """Learners whom the changes name: only they look for new seats of their own choice."""
    names: set[str] = set()
    for change in changes:
        match change:
            case LearnerAbsent(learner, _) | NeedsChanged(learner, _):
                names.add(learner)
            case LearnerChanged(learner, _):
                names.add(learner.id)
            case OverrideGiven(override):
                names.update(override.learners)
            case _:
                pass
    return frozenset(names)
