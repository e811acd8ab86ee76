"""Why a week cannot be supervised, or what one more adult or seat would buy: in the school's own words, each price
found by solving again."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from atelier_scheduling.engine.facts import Cell, Facts
from atelier_scheduling.engine.homegroups import form_home_groups
from atelier_scheduling.engine.loading import lay_fixed
from atelier_scheduling.engine.people import Adult
from atelier_scheduling.engine.plan import Conflict, Diagnosis, Parameters, Plan, Relaxation
from atelier_scheduling.engine.problem import SiteProblem
from atelier_scheduling.engine.staffing import supervising_kinds
from atelier_scheduling.engine.supervision import Ground
from atelier_scheduling.engine.times import Interval
from atelier_scheduling.engine.timetable import Timetable
from atelier_scheduling.engine.validity import faults

_MANY = 10_000


@dataclass(frozen=True, slots=True)
class _Limit:
    """One kind of limit of a school: how to lift it, and how to name it at a cell."""

    code: str
    lift: Callable[[SiteProblem, Cell], SiteProblem]
    name: Callable[[Facts, Cell], Parameters]


def diagnose(problem: SiteProblem, priced: bool = True) -> Diagnosis:
    """For a week that cannot be supervised: a minimal set of limits that conflict at the first slot where they do,
    and what lifts it. For one that can: what one more adult, or one more learner per teaching group, would serve.
    ``priced=False`` leaves prices out."""
    found = faults(problem)
    if found:
        return Diagnosis(False, found)
    cell = _first_uncovered(problem)
    if cell is None:
        return Diagnosis(True, (), _worth(problem) if priced else ())
    facts = Facts(problem)
    small = _only(problem, cell)
    conflicts = _minimal(small, facts, cell)
    return Diagnosis(False, conflicts, _ways_out(small, facts, cell) if priced else ())


def _first_uncovered(problem: SiteProblem) -> Cell | None:
    facts = Facts(problem)
    ground = Ground(Timetable(facts), form_home_groups(facts, (), 0, {}))
    lay_fixed(ground.table)
    return next((cell for cell in facts.cells if not ground.lay(cell.index)), None)


def _only(problem: SiteProblem, cell: Cell) -> SiteProblem:
    """The problem with only the slots that run at the cell's time: small enough to ask many times."""
    around = Interval(cell.start, cell.end)
    slots = tuple(slot for slot in problem.slots if slot.interval.overlaps(around))
    days = tuple(day for day in problem.days if day.date == cell.date)
    fixed = tuple(session for session in problem.fixed_sessions if session.interval.overlaps(around))
    return replace(problem, slots=slots, days=days, needs=(), overrides=(), fixed_sessions=fixed)


def _minimal(problem: SiteProblem, facts: Facts, cell: Cell) -> tuple[Conflict, ...]:
    """Lift limits one by one; a limit without which the rest could be met belongs to the conflict."""
    if _first_uncovered(problem) is None:
        # Only together with earlier or later slots does this one fail: the whole day is the conflict.
        return (Conflict("day-too-tight", _where(cell)),)
    standing = problem
    members = []
    for limit in _LIMITS:
        lifted = limit.lift(standing, cell)
        if _first_uncovered(lifted) is not None:
            standing = lifted
        else:
            members.append(Conflict(limit.code, limit.name(facts, cell)))
    return tuple(members) or (Conflict("no-supervising-kind", _where(cell)),)


def _where(cell: Cell) -> Parameters:
    return (("date", cell.date), ("slot", ", ".join(sorted(set(filter(None, cell.slots.values()))))))


def _extra(number: int, when: Interval) -> tuple[Adult, ...]:
    return tuple(Adult(f"~extra-{n:03}", (when,), certificates=("*",)) for n in range(number))


def _more_adults(problem: SiteProblem, cell: Cell, number: int) -> SiteProblem:
    day = Interval(cell.start - 24 * 60, cell.end + 24 * 60)
    return replace(problem, adults=problem.adults + _extra(number, day))


def _bigger_caps(problem: SiteProblem, more: int, teaching_only: bool = False) -> SiteProblem:
    kinds = tuple(
        replace(kind, cap=kind.cap + more) if kind.teaching or not teaching_only else kind for kind in problem.kinds
    )
    names = {kind.id for kind in problem.kinds if kind.teaching or not teaching_only}
    adults = tuple(
        replace(
            adult, caps=tuple(replace(cap, most=cap.most + more) if cap.kind in names else cap for cap in adult.caps)
        )
        for adult in problem.adults
    )
    return replace(problem, kinds=kinds, adults=adults)


def _adult_words(facts: Facts, cell: Cell) -> Parameters:
    here = [
        person
        for number, person in enumerate(facts.adults)
        if facts.may_lead[number] and any(s.start <= cell.start and cell.end <= s.end for s in person.available)
    ]
    return (*_where(cell), ("adults", str(len(here))), ("learners", str(len(facts.learners_in[cell.index]))))


def _cap_words(facts: Facts, cell: Cell) -> Parameters:
    kinds = supervising_kinds(facts, cell.purpose)
    return (*_where(cell), ("caps", ", ".join(f"{kind.id}: {kind.cap}" for kind in kinds)))


def _seat_words(facts: Facts, cell: Cell) -> Parameters:
    zones = sorted({n for kind in supervising_kinds(facts, cell.purpose) for n in facts.zones_for[kind.id]})
    seats = sum(facts.zones[zone].seats for zone in zones)
    return (
        *_where(cell),
        ("zones", str(len(zones))),
        ("seats", str(seats)),
        ("learners", str(len(facts.learners_in[cell.index]))),
    )


_LIMITS = (
    # Rules that concern few people come first, so that the conflict names them only when lifting them alone would help.
    _Limit("apart-orders", lambda p, _: replace(p, pairs=()), lambda _, cell: _where(cell)),
    _Limit(
        "bars",
        lambda p, _: replace(p, learners=tuple(replace(one, bars=()) for one in p.learners)),
        lambda _, cell: _where(cell),
    ),
    _Limit(
        "step-free-places",
        lambda p, _: replace(p, zones=tuple(replace(zone, step_free=True) for zone in p.zones)),
        lambda _, cell: _where(cell),
    ),
    _Limit(
        "ratio",
        lambda p, _: replace(p, policy=replace(p.policy, ratios=())),
        lambda facts, cell: (
            *_where(cell),
            *((f"below-{ratio.below_years}", str(ratio.most_per_adult)) for ratio in facts.policy.ratios),
        ),
    ),
    _Limit("travel", lambda p, _: replace(p, travel=()), lambda _, cell: _where(cell)),
    _Limit(
        "commitments",
        lambda p, _: replace(p, adults=tuple(replace(adult, commitments=()) for adult in p.adults)),
        lambda _, cell: _where(cell),
    ),
    _Limit("caps", lambda p, _: _bigger_caps(p, _MANY), _cap_words),
    _Limit(
        "seats",
        lambda p, _: replace(
            p, zones=tuple(replace(z, seats=z.seats + _MANY, shared=True, closed=()) for z in p.zones)
        ),
        _seat_words,
    ),
    _Limit("adults", lambda p, cell: _more_adults(p, cell, len(p.learners) + 1), _adult_words),
)


def _ways_out(problem: SiteProblem, facts: Facts, cell: Cell) -> tuple[Relaxation, ...]:
    """The fewest extra adults, and the smallest larger cap, with which everybody has a place at this time."""
    learners = len(facts.learners_in[cell.index])
    found = []
    ways: tuple[tuple[str, Callable[[int], SiteProblem]], ...] = (
        ("more-adults", lambda n: _more_adults(problem, cell, n)),
        ("larger-cap", lambda n: _bigger_caps(problem, n)),
    )
    for code, change in ways:
        number = next((n for n in (1, 2, 3, 4, 6, 8, 12, 16) if _first_uncovered(change(n)) is None), None)
        if number is not None:
            found.append(Relaxation(code, (*_where(cell), ("by", str(number))), learners))
    return tuple(found)


def _worth(problem: SiteProblem) -> tuple[Relaxation, ...]:
    """Solve the week again with one more adult, and with one more learner per teaching group; the difference is the
    price."""
    from atelier_scheduling.engine.planning import plan

    now = plan(problem)
    if not isinstance(now, Plan) or (not now.unserved and not now.metrics.owed_minutes):
        return ()
    days = sorted({slot.date for slot in problem.slots})
    whole = Interval(min(s.interval.start for s in problem.slots), max(s.interval.end for s in problem.slots))
    tries: tuple[tuple[str, Parameters, SiteProblem], ...] = (
        (
            "more-adults",
            (("from", days[0]), ("to", days[-1]), ("by", "1")),
            replace(problem, adults=problem.adults + _extra(1, whole)),
        ),
        ("larger-cap", (("by", "1"),), _bigger_caps(problem, 1, teaching_only=True)),
    )
    found = []
    for code, parameters, changed in tries:
        then = plan(changed)
        if isinstance(then, Plan):
            served = then.metrics.needs_served - now.metrics.needs_served
            owed = now.metrics.owed_minutes - then.metrics.owed_minutes
            found.append(Relaxation(code, parameters, served, owed))
    return tuple(found)
