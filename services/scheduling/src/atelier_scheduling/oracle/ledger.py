"""Obligations: nothing that is owed may be hidden. What the ledger claims as scheduled is counted again from the plan itself."""

from collections import defaultdict
from collections.abc import Iterator

from atelier_scheduling.engine.needs import FocusKind, Need, NeedClass, Period, Setting
from atelier_scheduling.engine.plan import Attendance, LedgerLine
from atelier_scheduling.engine.rules import Obligation
from atelier_scheduling.engine.sessions import StaffRole
from atelier_scheduling.oracle.findings import Finding
from atelier_scheduling.oracle.ground import Ground, moments, there

LEDGER = "ledger"
_AT_MOST = frozenset(
    {Obligation.ADULT_RUN, Obligation.ADULT_PREPARATIONS, Obligation.PULLS, Obligation.TRANSITIONS, Obligation.SCREEN}
)
"""Obligations that bound from above: ``due`` is the most that may be, and what is beyond it is owed."""
_WHOLE = (Period.ONCE, Period.WEEK, Period.CYCLE, Period.MONTH)


def check(ground: Ground) -> Iterator[Finding]:
    lines: dict[str, list[LedgerLine]] = defaultdict(list)
    for line in ground.plan.obligations:
        bound = -1 if line.obligation in _AT_MOST else 1
        short = bound * (line.due - line.scheduled)
        if line.owed != max(0, short):
            yield Finding(LEDGER, line.subject_of, detail=f"{line.obligation}: owed is not what is missing")
        if (line.owed > 0 or bound * (line.times_due - line.times_scheduled) > 0) and not line.code:
            yield Finding(LEDGER, line.subject_of, detail=f"{line.obligation} {line.need}: owed without a reason")
        if line.need:
            lines[line.need].append(line)
    serving: dict[str, list[Attendance]] = defaultdict(list)
    for attendances in ground.present.values():
        for attendance in attendances:
            for served in attendance.needs:
                serving[served].append(attendance)
    for need in ground.problem.needs:
        if need.need_class is NeedClass.OBLIGATION:
            yield from _judge(ground, need, lines[need.id], serving[need.id])


def _judge(ground: Ground, need: Need, lines: list[LedgerLine], serving: list[Attendance]) -> Iterator[Finding]:
    if not lines:
        yield Finding(LEDGER, need.learner, detail=f"{need.id} is an obligation without a line")
        return
    counted = sum(one.interval.minutes for one in serving if _counts(ground, need, one))
    claimed = max(line.scheduled for line in lines)
    if claimed > counted:
        yield Finding(LEDGER, need.learner, detail=f"{need.id}: {claimed} minutes claimed, {counted} found")
    if need.per in _WHOLE and need.minutes:
        due = max(line.due for line in lines)
        if due + need.already_minutes < need.minutes and ground.on_site(ground.learners[need.learner]):
            yield Finding(
                LEDGER, need.learner, detail=f"{need.id}: {need.minutes} minutes promised, {due} in the ledger"
            )


def _counts(ground: Ground, need: Need, attendance: Attendance) -> bool:
    """Whether these minutes deliver what was promised: the right learner, person, group and setting."""
    session = ground.sessions[attendance.session]
    if attendance.learner != need.learner or not session.delivers:
        return False
    if need.windows and not any(window.covers(attendance.interval) for window in need.windows):
        return False
    if need.focus.kind is not FocusKind.SERVICE:
        return True
    if need.provider_role and not any(
        need.provider_role in ground.adults[staff.adult].roles
        for staff in session.staff
        if staff.role is not StaffRole.BOUND
    ):
        return False
    if need.setting is Setting.OWN_SESSION and session.parent:
        return False
    attending = ground.in_session[session.id]
    crowd = max((len(there(attending, minute)) for minute in moments(attending)), default=0)
    return not need.group_most or crowd <= need.group_most
