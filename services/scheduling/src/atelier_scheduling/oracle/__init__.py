"""An independent judge of plans: it shares nothing with the engine but the plain data types.

``check(problem, plan)`` lists every safety rule that a plan breaks and every obligation that its ledger hides. An empty list is the
condition for publishing. It runs in tests, after every solve and as ``atelier plan --check``.
"""

import dataclasses
from collections.abc import Collection

from atelier_scheduling.engine.plan import Attendance, Plan
from atelier_scheduling.engine.problem import SiteProblem
from atelier_scheduling.oracle import adults, crowding, fitness, ledger, presence
from atelier_scheduling.oracle.findings import Finding
from atelier_scheduling.oracle.ground import Ground

__all__ = ["Finding", "check", "check_days", "check_moved"]


def check(problem: SiteProblem, plan: Plan) -> list[Finding]:
    """Everything wrong with the plan, in a stable order. Unknown ids are reported first and alone: nothing else can be judged."""
    ground = Ground(problem, plan)
    unknown = presence.unknown_ids(ground)
    if unknown:
        return sorted(unknown)
    found = [
        *presence.check(ground),
        *adults.check(ground),
        *crowding.check(ground),
        *fitness.check(ground),
        *ledger.check(ground),
    ]
    return sorted(found)


def check_days(problem: SiteProblem, plan: Plan, dates: Collection[str]) -> list[Finding]:
    """Every safety rule on these ISO dates alone: enough after a repair that touched no other day of a plan that was checked.

    What spans days (mandated cohorts, the ledger) is not judged here; the whole plan is, before it is published.
    """
    slots = tuple(slot for slot in problem.slots if slot.date in dates)
    if not slots:
        return []
    of_days = [
        (min(one), max(one))
        for date in dates
        if (
            one := [
                minute for slot in slots if slot.date == date for minute in (slot.interval.start, slot.interval.end)
            ]
        )
    ]

    starts = {one.interval.start for one in plan.sessions} | {one.interval.start for one in plan.attendances}
    starts |= {one.interval.start for one in plan.adult_time}
    inside = {minute for minute in starts if any(start <= minute < end for start, end in of_days)}
    ground = Ground(
        dataclasses.replace(problem, days=tuple(day for day in problem.days if day.date in dates), slots=slots),
        dataclasses.replace(
            plan,
            sessions=tuple(one for one in plan.sessions if one.interval.start in inside),
            attendances=tuple(one for one in plan.attendances if one.interval.start in inside),
            adult_time=tuple(one for one in plan.adult_time if one.interval.start in inside),
        ),
    )
    unknown = presence.unknown_ids(ground)
    if unknown:
        return sorted(unknown)
    found = [*presence.check(ground), *adults.check(ground), *crowding.check(ground), *fitness.check_places(ground)]
    return sorted(found)


def check_moved(
    problem: SiteProblem, plan: Plan, learners: Collection[str], sessions: Collection[str]
) -> list[Finding]:
    """Every safety rule where these learners are, and where they left or came to ``sessions``: enough after a repair by which nobody
    else's facts or places are others and no session has another adult, place or time, in a plan that was checked.

    The learners are judged at every minute, the sessions together with all that are held at the same time.
    """
    held = {one.id: one for one in plan.sessions}
    times = {held[name].interval for name in sessions if name in held}
    beside = {one.id for one in plan.sessions if any(one.interval.overlaps(time) for time in times)}
    theirs = tuple(row for row in plan.attendances if row.learner in learners)
    mine = _part(problem, plan, {row.session for row in theirs}, theirs, learners)
    grounds = [mine]
    if beside:
        rows = tuple(row for row in plan.attendances if row.session in beside)
        grounds.append(_part(problem, plan, beside, rows, {row.learner for row in rows}))
    unknown = {finding for ground in grounds for finding in presence.unknown_ids(ground)}
    if unknown:
        return sorted(unknown)
    found = {*presence.check(mine, learners)}
    for ground in grounds:
        found |= {*fitness.check_places(ground)}
    if beside:
        found |= {*adults.check_staffing(grounds[1]), *crowding.check(grounds[1])}
    return sorted(found)


def _part(
    problem: SiteProblem,
    plan: Plan,
    sessions: Collection[str],
    rows: tuple[Attendance, ...],
    learners: Collection[str],
) -> Ground:
    """These attendances, in these sessions and those that hold them, with what the problem says of these learners' needs."""
    holding = {one.parent for one in plan.sessions if one.parent and one.id in sessions}
    return Ground(
        dataclasses.replace(problem, needs=tuple(need for need in problem.needs if need.learner in learners)),
        dataclasses.replace(
            plan,
            sessions=tuple(one for one in plan.sessions if one.id in sessions or one.id in holding),
            attendances=rows,
            adult_time=(),
        ),
    )
