"""An independent judge of plans: it shares nothing with the engine but the plain data types.

``check(problem, plan)`` lists every safety rule that a plan breaks and every obligation that its ledger hides. An empty list is the
condition for publishing. It runs in tests, after every solve and as ``atelier plan --check``.
"""

import dataclasses
from collections.abc import Collection

from atelier_scheduling.engine.plan import Plan
from atelier_scheduling.engine.problem import SiteProblem
from atelier_scheduling.oracle import adults, crowding, fitness, ledger, presence
from atelier_scheduling.oracle.findings import Finding
from atelier_scheduling.oracle.ground import Ground

__all__ = ["Finding", "check", "check_days"]


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
