"""Adults' own time: a duty-free lunch and planning minutes on every day they are here, as far as supervision allows."""

from atelier_scheduling.engine.checks import adult_forbidden
from atelier_scheduling.engine.facts import Cell, Facts
from atelier_scheduling.engine.plan import Plan
from atelier_scheduling.engine.sessions import AdultTimeKind
from atelier_scheduling.engine.supervision import Ground
from atelier_scheduling.engine.times import SlotPurpose
from atelier_scheduling.engine.timetable import Timetable

_LUNCH = (AdultTimeKind.LUNCH,)
_PLANNING = (AdultTimeKind.PLANNING, AdultTimeKind.COMMON_PLANNING)
# The best times that are tried for one adult's lunch or planning on one day.
_TRIES = 14


def keep_contracts(table: Timetable, ground: Ground, previous: Plan | None = None) -> None:
    """Hold lunch, then planning, for every adult and day; where nobody else can supervise, it stays owed (see the
    ledger). ``previous``: only what that plan held, so that nobody moves for what was owed before."""
    facts = table.facts
    before = None if previous is None else _own_days(facts, previous)
    days: dict[int, list[Cell]] = {}
    for cell in facts.cells:
        days.setdefault(cell.day, []).append(cell)
    for day, cells in sorted(days.items()):
        for adult in range(len(facts.adults)):
            contract = facts.adults[adult].contract
            windows = [(window.start, window.end) for window in contract.lunch_windows]
            if before is not None and (adult, True, day) not in before:
                continue
            if contract.duty_free_lunch and due_today(facts, adult, cells) and not _held(table, adult, _LUNCH, cells):
                _keep(table, ground, adult, AdultTimeKind.LUNCH, contract.duty_free_lunch, cells, windows)
        for adult in range(len(facts.adults)):
            contract = facts.adults[adult].contract
            if before is not None and (adult, False, day) not in before:
                continue
            if contract.planning and due_today(facts, adult, cells) and not _held(table, adult, _PLANNING, cells):
                kind = AdultTimeKind.COMMON_PLANNING if contract.common_planning_with else AdultTimeKind.PLANNING
                _keep(table, ground, adult, kind, contract.planning, cells, [])


def _own_days(facts: Facts, plan: Plan) -> set[tuple[int, bool, int]]:
    """(adult, whether it is lunch, day) of all own time in the plan."""
    return {
        (facts.adult_of[row.adult], row.kind in _LUNCH, facts.day_at(row.interval.start))
        for row in plan.adult_time
        if row.adult in facts.adult_of
    }


def _held(table: Timetable, adult: int, kinds: tuple[AdultTimeKind, ...], cells: list[Cell]) -> bool:
    """Whether the adult has this time already on the day (kept from the former plan)."""
    start, end = cells[0].start, max(cell.end for cell in cells)
    return any(one == adult and kind in kinds and a < end and start < b for one, kind, a, b in table.own_time)


def due_today(facts: Facts, adult: int, cells: list[Cell]) -> bool:
    """Whether the adult is here for at least half of the day's hours; a shorter visit earns no lunch or planning
    here."""
    start, end = cells[0].start, max(cell.end for cell in cells)
    here = sum(max(0, min(end, s.end) - max(start, s.start)) for s in facts.adults[adult].available)
    return 2 * here >= end - start


def _keep(
    table: Timetable,
    ground: Ground,
    adult: int,
    kind: AdultTimeKind,
    minutes: int,
    cells: list[Cell],
    windows: list[tuple[int, int]],
) -> bool:
    options = []
    for cell in cells:
        for start in {cell.start, cell.end - minutes}:
            end = start + minutes
            if windows and not any(low <= start and end <= high for low, high in windows):
                continue
            if start < cells[0].start or end > max(one.end for one in cells):
                continue
            options.append((_cost(table, adult, kind, start, end, cells), start))
    for _, start in sorted(set(options))[:_TRIES]:
        end = start + minutes
        if _taken_for_good(table, adult, start, end):
            continue
        if not ground.claim(adult, start, end) or adult_forbidden(table, adult, start, end, ""):
            continue
        table.hold(adult, kind, start, end)
        return True
    return False


def _taken_for_good(table: Timetable, adult: int, start: int, end: int) -> bool:
    """Whether something other than the ground holds the adult then, or they are not here."""
    person = table.facts.adults[adult]
    if not any(span.start <= start and end <= span.end for span in person.available):
        return True
    ground = {
        (meeting.start, meeting.end)
        for cell in table.facts.cells
        if cell.start < end and start < cell.end
        for meeting in table.in_cell[cell.index]
        if meeting.base and adult in meeting.leads
    }
    return any(a < end and start < b and (a, b) not in ground for a, b, _ in table.busy[adult])


def _cost(
    table: Timetable, adult: int, kind: AdultTimeKind, start: int, end: int, cells: list[Cell]
) -> tuple[int, int, int]:
    """Few lessons lost, with colleagues where planning is common, and when few others are away."""
    facts = table.facts
    crossed = [cell for cell in cells if cell.start < end and start < cell.end]
    lessons = sum(cell.purpose in (SlotPurpose.TEACHING, SlotPurpose.FLEX) for cell in crossed)
    away = table.away(start, end)
    lost = sum(m.base and adult in m.leads for cell in crossed for m in table.in_cell[cell.index])
    friends = set(facts.adults[adult].contract.common_planning_with)
    together = sum(
        1
        for other, other_kind, a, b in table.own_time
        if other_kind is kind and a == start and b == end and facts.adults[other].id in friends
    )
    return (lessons if kind is AdultTimeKind.LUNCH else -together, away + lost, len(crossed))
