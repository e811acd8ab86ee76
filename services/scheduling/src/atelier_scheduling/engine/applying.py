"""The problem after some changes: what ``repair`` plans for, and what anybody who holds the changes can compute
again."""

import hashlib
from dataclasses import replace

from atelier_scheduling.engine import wire
from atelier_scheduling.engine.changes import (
    AdultAbsent,
    AdultChanged,
    Change,
    Changes,
    DayClosed,
    LearnerAbsent,
    LearnerChanged,
    LearnerLeft,
    NeedsChanged,
    OverrideGiven,
    OverrideWithdrawn,
    ZoneLost,
)
from atelier_scheduling.engine.needs import FocusKind, Need, NeedState
from atelier_scheduling.engine.people import Adult, Learner
from atelier_scheduling.engine.problem import SiteProblem
from atelier_scheduling.engine.times import Day, DayKind, Interval


def apply_changes(problem: SiteProblem, changes: Changes) -> SiteProblem:
    """The problem after every change in turn. A change about somebody unknown changes nothing."""
    waiting: list[NeedsChanged] = []
    for change in changes.changes:
        if isinstance(change, NeedsChanged):
            waiting.append(change)
            continue
        problem = _apply(_with_needs(problem, waiting), change)
        waiting = []
    return _with_needs(problem, waiting)


def chained(problem_digest: str, changes: Changes, written: bytes = b"") -> str:
    """What a repaired plan's ``problem`` says: SHA-256 over the digest before and the changes' canonical bytes (``written``, where
    they are at hand)."""
    return hashlib.sha256(problem_digest.encode() + b"\n" + (written or wire.write(changes))).hexdigest()


def without(spans: tuple[Interval, ...], hole: Interval) -> tuple[Interval, ...]:
    """The intervals without the minutes of ``hole``."""
    left: list[Interval] = []
    for span in spans:
        if not span.overlaps(hole):
            left.append(span)
            continue
        if span.start < hole.start:
            left.append(Interval(span.start, hole.start))
        if hole.end < span.end:
            left.append(Interval(hole.end, span.end))
    return tuple(left)


def _apply(problem: SiteProblem, change: Change) -> SiteProblem:
    match change:
        case AdultAbsent(name, interval):
            people = tuple(
                replace(one, available=without(one.available, interval)) if one.id == name else one
                for one in problem.adults
            )
            return replace(problem, adults=people)
        case AdultChanged(adult):
            return replace(problem, adults=_adult_in(problem.adults, adult))
        case LearnerAbsent(name, interval):
            learners = tuple(
                replace(one, absences=(*one.absences, interval)) if one.id == name else one for one in problem.learners
            )
            return replace(problem, learners=learners)
        case LearnerChanged(learner, needs, shown, later):
            changed = replace(problem, learners=_learner_in(problem.learners, learner))
            if needs is None:
                return changed
            return replace(changed, needs=_needs_in(problem.needs, learner.id, needs, shown, later))
        case LearnerLeft(name):
            left = tuple(one for one in problem.learners if one.id != name)
            return replace(problem, learners=left, needs=_needs_in(problem.needs, name, ()))
        case NeedsChanged():
            return _with_needs(problem, [change])
        case ZoneLost(name, interval):
            zones = tuple(
                replace(one, closed=(*one.closed, interval)) if one.id == name else one for one in problem.zones
            )
            return replace(problem, zones=zones)
        case DayClosed(date):
            days = tuple(replace(day, kind=DayKind.CLOSED) if day.date == date else day for day in problem.days)
            if all(day.date != date for day in days):
                days = (*days, Day(date, kind=DayKind.CLOSED))
            return replace(problem, days=days)
        case OverrideGiven(override):
            others = tuple(one for one in problem.overrides if one.id != override.id)
            return replace(problem, overrides=(*others, override))
        case OverrideWithdrawn(name):
            return replace(problem, overrides=tuple(one for one in problem.overrides if one.id != name))


def _adult_in(adults: tuple[Adult, ...], adult: Adult) -> tuple[Adult, ...]:
    return (*(one for one in adults if one.id != adult.id), adult)


def _learner_in(learners: tuple[Learner, ...], learner: Learner) -> tuple[Learner, ...]:
    return (*(one for one in learners if one.id != learner.id), learner)


def _with_needs(problem: SiteProblem, changes: list[NeedsChanged]) -> SiteProblem:
    """As if each change were applied alone, in one pass."""
    if not changes:
        return problem
    mine: dict[str, tuple[Need, ...]] = {change.learner: () for change in changes}
    others = [need for need in problem.needs if need.learner not in mine]
    before: dict[str, list[Need]] = {name: [] for name in mine}
    for need in [need for need in problem.needs if need.learner in mine]:
        before[need.learner].append(need)
    for change in changes:
        former = mine.pop(change.learner) or tuple(before[change.learner])
        mine[change.learner] = needs_after(former, change)
    return replace(problem, needs=(*others, *(need for some in mine.values() for need in some)))


def needs_after(needs: tuple[Need, ...], change: NeedsChanged) -> tuple[Need, ...]:
    """What the change leaves of these needs, and what it brings."""
    return _needs_in(needs, change.learner, change.needs, change.shown, change.later)


def _needs_in(
    needs: tuple[Need, ...],
    learner: str,
    mine: tuple[Need, ...],
    shown: tuple[str, ...] = (),
    later: tuple[str, ...] = (),
) -> tuple[Need, ...]:
    """All needs with ``mine`` as the learner's; of those before, the steps that are shown or wait stay, not open."""
    states = dict.fromkeys(later, NeedState.LATER) | dict.fromkeys(shown, NeedState.SHOWN)
    asked = {need.id for need in mine}
    others: list[Need] = []
    kept: list[Need] = []
    for need in needs:
        if need.learner != learner:
            others.append(need)
        elif need.focus.kind is FocusKind.COMPETENCY and need.id not in asked and need.focus.id in states:
            kept.append(replace(need, state=states[need.focus.id]))
    return (*others, *mine, *kept)
