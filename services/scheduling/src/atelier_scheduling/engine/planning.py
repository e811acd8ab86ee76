"""``plan``: from a site problem to a safe, explained week. The order in which rooms work is the order of precedence:
a supervised place for everybody, what people decided, what is owed to learners, what is owed to adults, then what
learners are ready for and want."""

from dataclasses import replace

from atelier_scheduling.engine.appointments import Appointments
from atelier_scheduling.engine.assembling import assemble
from atelier_scheduling.engine.contracts import keep_contracts
from atelier_scheduling.engine.demand import Demands
from atelier_scheduling.engine.difference import difference
from atelier_scheduling.engine.directives import Directives
from atelier_scheduling.engine.facts import Cell, Facts
from atelier_scheduling.engine.gathering import gather
from atelier_scheduling.engine.homegroups import form_home_groups
from atelier_scheduling.engine.loading import lay, lay_fixed
from atelier_scheduling.engine.placing import Placing
from atelier_scheduling.engine.plan import Infeasible, Plan
from atelier_scheduling.engine.problem import SiteProblem
from atelier_scheduling.engine.sectioning import Sectioning
from atelier_scheduling.engine.studios import Draft, form_studios
from atelier_scheduling.engine.supervision import Ground
from atelier_scheduling.engine.times import SlotPurpose
from atelier_scheduling.engine.timetable import Meeting, Timetable
from atelier_scheduling.engine.validity import faults

_EXCHANGES = 20_000


def plan(problem: SiteProblem, previous: Plan | None = None, effort: int = 1, seed: int = 0) -> Plan | Infeasible:
    """A plan that breaks no safety rule, or ``Infeasible`` with the diagnosis where even supervision is impossible.

    Deterministic: the same arguments and engine version give the same bytes. ``previous``: the plan now in force (or
    last week's); whatever of it is still lawful stays, within the stability budget. ``effort`` counts work in units
    of 20,000 tried exchanges.
    """
    return _whole(problem, previous, effort, seed, None)


def replan(
    problem: SiteProblem, previous: Plan, effort: int, seed: int, concerned: frozenset[str]
) -> Plan | Infeasible:
    """Like ``plan``, but what still stands of ``previous`` is not improved: only learners ``concerned`` look for new seats."""
    return _whole(problem, previous, effort, seed, concerned)


def _whole(
    problem: SiteProblem, previous: Plan | None, effort: int, seed: int, concerned: frozenset[str] | None
) -> Plan | Infeasible:
    built = build(problem, previous, effort, seed, concerned)
    if built is None and previous is not None:
        # The former week leaves somebody without a place now: only its groups and studios can be kept.
        built = build(problem, replace(previous, sessions=(), attendances=(), adult_time=()), effort, seed, None)
    if built is None:
        from atelier_scheduling.engine.diagnosis import diagnose

        return Infeasible(problem.digest(), diagnose(problem))
    return built.plan


class Built:
    """A finished plan together with the timetable behind it, for ``repair``."""

    def __init__(self, plan: Plan, table: Timetable, ground: Ground, demands: Demands, drafts: list[Draft]) -> None:
        self.plan = plan
        self.table = table
        self.ground = ground
        self.demands = demands
        self.drafts = drafts


def supervised(problem: SiteProblem) -> bool:
    """Whether everybody can be supervised at every minute (nothing else is asked)."""
    if faults(problem):
        return False
    facts = Facts(problem)
    ground = Ground(Timetable(facts), form_home_groups(facts, (), 0, {}))
    lay_fixed(ground.table)
    return all(ground.cover(cell.index) for cell in facts.cells)


def build(
    problem: SiteProblem, previous: Plan | None, effort: int, seed: int, concerned: frozenset[str] | None = None
) -> Built | None:
    """The work behind ``plan``; ``None`` where even supervision is impossible."""
    if faults(problem):
        return None
    facts = Facts(problem)
    table = Timetable(facts)
    directives = Directives(facts, previous)
    kept_groups = previous.home_groups if previous else ()
    groups = form_home_groups(facts, kept_groups, seed, directives.home_groups())
    ground = Ground(table, groups)
    demands = Demands(facts)
    drafts, reasons = form_studios(facts, demands, previous.studios if previous else (), directives.studios())
    lay_fixed(table)
    directives.keep_out(table)
    laid = lay(table, demands, previous) if previous else {}
    if not _lay_ground(ground, directives, demands, laid):
        return None
    kept = {meeting.cell for meeting in laid.values()}
    if previous is not None and laid:
        _keep_own_time(table, previous)
    directives.place(table, ground, demands, drafts)
    if table.own_time and (unmet := directives.unmet()):
        # A person's decision stands above adults' own time, but takes it only where there is no other way.
        for adult, own, start, end in list(table.own_time):
            table.release(adult, own, start, end)
        for name in unmet:
            directives.place(table, ground, demands, drafts, only=name)
        if previous is not None:
            _keep_own_time(table, previous)
    appointments = Appointments(table, ground, demands)
    appointments.place_all()
    keep_contracts(table, ground, previous if concerned is not None and kept else None)
    placing = Placing(table, ground, demands, drafts)
    placing.wished_leads = directives.leads()
    moves = _budget(facts) if kept else None
    placing.moves = moves
    frozen = max(problem.policy.freeze_until, problem.now) if kept else 0
    everybody = [n for n, one in enumerate(facts.learners) if concerned is None or not kept or one.id in concerned]
    if problem.fixed_sessions:
        # What stands already is filled before anything is opened beside it.
        Sectioning(table, demands).fill(everybody, moves, frozen)
        _uncredit_ground(table, demands)
    for cell in facts.cells:
        if cell.start >= frozen and (concerned is None or cell.index not in kept):
            placing.fill_cell(cell, frozen=cell.index in kept)
    for cell in facts.cells:
        if cell.index not in kept:
            if cell.purpose is SlotPurpose.HOME:
                ground.come_home(cell.index)
            gather(table, ground, cell)
    appointments.settle_push_ins()
    _credit_ground(table, demands)
    sectioning = Sectioning(table, demands)
    sectioning.fill(everybody, moves, frozen)
    if moves is None:
        sectioning.exchange(everybody, effort * _EXCHANGES)
        sectioning.practise(everybody)
    reasons.update(appointments.reasons)
    outcomes = tuple(outcome for _, outcome in sorted(directives.outcomes.items()))
    result = assemble(table, demands, groups, drafts, outcomes, reasons, seed, effort)
    if laid and previous is not None:
        result = with_moves(previous, result)
    return Built(result, table, ground, demands, drafts)


def with_moves(previous: Plan, result: Plan) -> Plan:
    """The plan with its moves against the previous one counted in its metrics."""
    moves = difference(previous, result).moves
    forced = sum(move.forced for move in moves)
    metrics = replace(result.metrics, moves_of_choice=len(moves) - forced, moves_forced=forced)
    return replace(result, metrics=metrics)


def _lay_ground(ground: Ground, directives: Directives, demands: Demands, laid: dict[str, Meeting]) -> bool:
    for cell in ground.table.facts.cells:
        if ground.lay(cell.index) or _give_way(ground, demands, laid, cell):
            continue
        if not directives.drop_keep_out(ground.table) or not ground.lay(cell.index):
            return False
    return True


def _give_way(ground: Ground, demands: Demands, laid: dict[str, Meeting], cell: Cell) -> bool:
    """Kept sessions of this time are given up, the smallest first, until everybody has a place: nothing at other times is touched."""
    beside = {other.index for other in ground.table.facts.cells_between(cell.start, cell.end)}
    kept = [meeting for meeting in laid.values() if meeting.cell in beside and not meeting.base and not meeting.fixed]
    for meeting in sorted(kept, key=lambda m: (m.cell != cell.index, len(m.occupants), m.id)):
        for seat in meeting.seats:
            demands.uncredit(seat)
        ground.table.drop(meeting)
        del laid[meeting.id]
        if all(ground.lay(index) for index in sorted(beside & {cell.index, meeting.cell})):
            return True
    return False


def _keep_own_time(table: Timetable, previous: Plan) -> None:
    from atelier_scheduling.engine.checks import adult_forbidden

    for row in previous.adult_time:
        adult = table.facts.adult_of.get(row.adult)
        if adult is not None and adult_forbidden(table, adult, row.interval.start, row.interval.end, "") is None:
            table.hold(adult, row.kind, row.interval.start, row.interval.end)


def _credit_ground(table: Timetable, demands: Demands) -> None:
    for rows in table.in_cell:
        for meeting in rows:
            if meeting.base:
                for seat in meeting.seats:
                    demands.credit(seat)


def _uncredit_ground(table: Timetable, demands: Demands) -> None:
    for rows in table.in_cell:
        for seat in (seat for meeting in rows if meeting.base for seat in meeting.seats if seat.needs):
            demands.uncredit(seat)


def _budget(facts: Facts) -> dict[int, int]:
    most = facts.policy.moves_most
    return {
        number: most if learner.moves_left is None else min(most, learner.moves_left)
        for number, learner in enumerate(facts.learners)
    }
