"""``explain``: why a learner is where they are, why not elsewhere, what would change it; codes and parameters, no
other learner.

Whatever rests on another person, an order, a custody or health fact, a full session or an age rule has one and the
same neutral code, so that asking again and again tells nothing that the asker may not know.
"""

from atelier_scheduling.engine.needs import Focus, FocusKind, GateMetBy, Need, NeedState
from atelier_scheduling.engine.plan import Attendance, PlacedBy, Plan, Presence
from atelier_scheduling.engine.problem import SiteProblem
from atelier_scheduling.engine.questions import Asking, Explanation, Question, Reason
from atelier_scheduling.engine.sessions import Session

NEUTRAL = Reason("arranged")
_ASK = Reason("would.person-decides")


def explain(problem: SiteProblem, plan: Plan, question: Question) -> Explanation:
    """The answer for one learner at one minute, from the plan's own receipts and the problem's facts."""
    rows = [row for row in plan.attendances if row.learner == question.learner and row.presence is Presence.PRESENT]
    here = next((row for row in rows if row.interval.start <= question.minute < row.interval.end), None)
    sessions = {session.id: session for session in plan.sessions}
    session = sessions.get(here.session) if here else None
    name = session.id if session else ""
    placed_by = here.because.placed_by if here else None
    if question.asking is Asking.WHY:
        reasons = _why(problem, plan, here, session)
        return Explanation(question.asking, question.learner, question.minute, name, placed_by, reasons)
    needs = [need for need in problem.needs if need.learner == question.learner]
    reasons, changes = _why_not(plan, question, here, session, rows, needs)
    if question.asking is Asking.WHY_NOT:
        changes = ()
    return Explanation(question.asking, question.learner, question.minute, name, placed_by, reasons, changes)


def _why(problem: SiteProblem, plan: Plan, here: Attendance | None, session: Session | None) -> tuple[Reason, ...]:
    if here is None or session is None:
        return (Reason("not-on-site"),)
    receipt = here.because
    if receipt.restricted:
        return (NEUTRAL,)
    reasons = [Reason(receipt.code, receipt.parameters)]
    focus = session.focus
    if focus is None:
        return tuple(reasons)
    need = next((one for one in problem.needs if one.id in here.needs and one.focus == focus), None)
    if need is not None and need.is_open and focus.kind is FocusKind.COMPETENCY:
        reasons.append(_readiness(need))
        reasons += [Reason(f"gate.{gate.met_by}", (("focus", gate.focus),)) for gate in need.gates]
    studio = next((item for item in plan.studios if item.id == session.studio), None)
    if studio is not None:
        gap = ",".join(item.id for item in studio.shared_gap)
        reasons.append(Reason("studio.shared-gap", (("studio", studio.label), ("foci", gap))))
    if receipt.placed_by is PlacedBy.CHOICE:
        reasons.append(Reason("chosen", (("focus", focus.id),)))
    return tuple(reasons)


def _readiness(need: Need) -> Reason:
    if any(gate.met_by is GateMetBy.PROBE for gate in need.gates):
        return Reason("ready.probe", (("focus", need.focus.id),))
    return Reason("ready.now", (("focus", need.focus.id),))


def _why_not(
    plan: Plan,
    question: Question,
    here: Attendance | None,
    session: Session | None,
    rows: list[Attendance],
    needs: list[Need],
) -> tuple[tuple[Reason, ...], tuple[Reason, ...]]:
    if here is None or session is None:
        return (Reason("not-on-site"),), ()
    if _is_wish(session, question):
        return (Reason("already-there"),), ()
    if here.because.code in ("override.place", "pin") and not here.because.restricted:
        return (Reason("person-decided", here.because.parameters),), (_ASK,)
    if here.because.code.startswith("time."):
        return (Reason("protected-time", (("code", here.because.code),)),), ()
    focus = _wished_focus(plan, question)
    if focus is not None:
        about = (("focus", focus.id),)
        mine = [need for need in needs if need.focus == focus]
        gate = next((gate for need in mine for gate in need.gates if gate.met_by is GateMetBy.OPEN), None)
        if any(need.state is NeedState.SHOWN for need in mine):
            return (Reason("not.shown", about),), (_ASK,)
        if gate is not None:
            first = (("focus", gate.focus), ("before", focus.id))
            return (Reason("not.prerequisite", first),), (Reason("would.prerequisite", (("focus", gate.focus),)), _ASK)
        if not mine and focus.kind is FocusKind.COMPETENCY:
            return (Reason("not.not-on-path", about),), (Reason("would.on-path", about), _ASK)
        ids = {need.id for need in mine}
        times = sum(bool(ids & set(row.needs)) for row in rows)
        if times:
            return (Reason("not.already-this-week", (*about, ("times", str(times)))),), (_ASK,)
        if not any(item.focus == focus for item in plan.sessions):
            return (Reason("not.no-session", about),), (Reason("would.session", about), _ASK)
    return (NEUTRAL,), (_ASK,)


def _wished_focus(plan: Plan, question: Question) -> Focus | None:
    if question.focus is not None:
        return question.focus
    return next((item.focus for item in plan.sessions if question.session and item.id == question.session), None)


def _is_wish(session: Session, question: Question) -> bool:
    return (
        (question.focus is None or session.focus == question.focus)
        and question.session in ("", session.id)
        and question.zone in ("", session.zone)
        and (not question.adult or any(member.adult == question.adult for member in session.staff))
    )
