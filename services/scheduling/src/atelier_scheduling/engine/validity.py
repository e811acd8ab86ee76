"""Whether a problem makes sense at all, before anything is planned: ids that exist and are unique, slots that do not
overlap."""

from collections import Counter
from collections.abc import Iterable

from atelier_scheduling.engine.plan import Conflict
from atelier_scheduling.engine.problem import SiteProblem


def faults(problem: SiteProblem) -> tuple[Conflict, ...]:
    """What makes the problem unreadable as a week; empty if it can be planned."""
    found: list[Conflict] = []
    named: tuple[tuple[str, Iterable[str]], ...] = (
        ("learner", (item.id for item in problem.learners)),
        ("adult", (item.id for item in problem.adults)),
        ("zone", (item.id for item in problem.zones)),
        ("need", (item.id for item in problem.needs)),
        ("kind", (item.id for item in problem.kinds)),
        ("slot", (item.id for item in problem.slots)),
    )
    for what, ids in named:
        found += [
            Conflict("duplicate-id", (("what", what), ("id", name)))
            for name, times in sorted(Counter(ids).items())
            if times > 1
        ]
    last: dict[tuple[str, str], tuple[int, str]] = {}
    for slot in sorted(problem.slots, key=lambda item: (item.interval, item.id)):
        end, name = last.get((slot.date, slot.bell), (slot.interval.start, ""))
        if slot.interval.start < end:
            parameters = (("slot", slot.name), ("other", name), ("date", slot.date), ("bell", slot.bell))
            found.append(Conflict("slots-overlap", parameters))
        last[slot.date, slot.bell] = max(end, slot.interval.end), slot.name
    bells = {slot.bell for slot in problem.slots}
    if problem.slots:
        unknown = sorted({learner.bell for learner in problem.learners} - bells)
        found += [Conflict("unknown-bell", (("bell", bell),)) for bell in unknown]
    return tuple(found)
