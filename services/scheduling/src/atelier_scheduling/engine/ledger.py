"""Every obligation, met or owed, with the reason; and every preference that was left. Nothing is dropped in silence."""

from atelier_scheduling.engine.contracts import due_today
from atelier_scheduling.engine.demand import Demand, Demands
from atelier_scheduling.engine.facts import Cell, Facts, gates_met
from atelier_scheduling.engine.needs import FocusKind, NeedClass
from atelier_scheduling.engine.plan import LedgerLine, Unserved
from atelier_scheduling.engine.rules import Obligation
from atelier_scheduling.engine.sessions import AdultTimeKind
from atelier_scheduling.engine.timetable import Timetable

_OBLIGATION = {
    FocusKind.SERVICE: Obligation.SERVICE_MINUTES,
    FocusKind.SUBJECT: Obligation.SUBJECT_MINUTES,
    FocusKind.LUNCH: Obligation.LUNCH,
    FocusKind.RECESS: Obligation.RECESS,
    FocusKind.PASSION: Obligation.PROTECTED,
    FocusKind.MENTOR: Obligation.MENTOR,
    FocusKind.TEST: Obligation.TEST,
}


def learner_lines(facts: Facts, demands: Demands, learner: int, reasons: dict[str, str]) -> list[LedgerLine]:
    """The learner's obligations in id order."""
    lines = []
    for demand in demands.of[learner]:
        if demand.need.need_class is NeedClass.PREFERENCE:
            continue
        need = demand.need
        owed = max(0, demand.due - demand.minutes)
        code = ""
        if not demand.met:
            code = reasons.get(need.id) or _reason(facts, demand, "owed")
        lines.append(
            LedgerLine(
                facts.learners[learner].id,
                _OBLIGATION.get(need.focus.kind, Obligation.OTHER_NEED).value,
                need.id,
                demand.due,
                demand.minutes,
                0,
                owed,
                demand.times_due,
                demand.times,
                code.replace("unserved.", "owed."),
                (("focus", need.focus.id),) if code else (),
            )
        )
    return lines


def unserved(facts: Facts, demands: Demands, learner: int, reasons: dict[str, str]) -> list[Unserved]:
    """The learner's preferences that were not met, with the first thing in the way."""
    rows = []
    for demand in demands.of[learner]:
        need = demand.need
        if need.need_class is NeedClass.PREFERENCE and not demand.met:
            code = reasons.get(need.id, "").replace("owed.", "unserved.") or _reason(facts, demand, "unserved")
            rows.append(Unserved(need.id, facts.learners[learner].id, code, (("focus", need.focus.id),)))
    return rows


def _reason(facts: Facts, demand: Demand, prefix: str) -> str:
    need = demand.need
    if not gates_met(need.gates):
        return f"{prefix}.prerequisite"
    if demand.times:
        return f"{prefix}.partly"
    kinds = [facts.kinds[name] for name in need.kinds if name in facts.kinds] or facts.kinds_for[need.focus.kind]
    if not kinds:
        return f"{prefix}.no-kind"
    able = [n for n in range(len(facts.adults)) if facts.may_lead[n]]
    if not any(facts.qualified(n, need.focus, kind, need.provider_role) for n in able for kind in kinds):
        return f"{prefix}.no-qualified-adult"
    return f"{prefix}.no-room"


def adult_lines(table: Timetable, adult: int) -> list[LedgerLine]:
    """What the adult's contract asks, over all days."""
    facts = table.facts
    person = facts.adults[adult]
    contract = person.contract
    days: dict[int, list[Cell]] = {}
    for cell in facts.cells:
        days.setdefault(cell.day, []).append(cell)
    here = sum(due_today(facts, adult, cells) for cells in days.values())
    lines = []
    wanted = (
        (Obligation.ADULT_LUNCH, contract.duty_free_lunch, (AdultTimeKind.LUNCH,)),
        (Obligation.ADULT_PLANNING, contract.planning, (AdultTimeKind.PLANNING, AdultTimeKind.COMMON_PLANNING)),
    )
    for obligation, minutes, kinds in wanted:
        if minutes and here:
            due = minutes * here
            held = [(a, b) for one, kind, a, b in table.own_time if one == adult and kind in kinds]
            got = sum(b - a for a, b in held)
            owed = max(0, due - got)
            code = "owed.supervision-needed" if owed else ""
            lines.append(LedgerLine(person.id, obligation.value, "", due, got, 0, owed, here, len(held), code))
    held_meetings = [m for rows in table.in_cell for m in rows if any(one == adult for one, _ in m.staff)]
    if contract.preparations_most is not None:
        foci = {meeting.focus for meeting in held_meetings if meeting.kind.teaching and meeting.focus}
        over = len(foci) > contract.preparations_most
        lines.append(
            LedgerLine(
                person.id,
                Obligation.ADULT_PREPARATIONS.value,
                times_due=contract.preparations_most,
                times_scheduled=len(foci),
                code="owed.too-many-preparations" if over else "",
            )
        )
    if contract.longest_run:
        longest = _longest_run(sorted((m.start, m.end) for m in held_meetings), contract.break_minutes)
        owed = max(0, longest - contract.longest_run)
        code = "owed.no-break" if owed else ""
        lines.append(
            LedgerLine(
                person.id, Obligation.ADULT_RUN.value, due=contract.longest_run, scheduled=longest, owed=owed, code=code
            )
        )
    return lines


def _longest_run(spans: list[tuple[int, int]], pause: int) -> int:
    longest, start, last = 0, None, 0
    for low, high in spans:
        if start is None or low - last >= pause:
            start = low
        last = max(last, high)
        longest = max(longest, last - start)
    return longest
