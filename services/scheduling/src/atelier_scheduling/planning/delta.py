"""What differs between two plans of one week, small enough to store for every proposal: ``apply(before, delta) == after``."""

import dataclasses
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from atelier_scheduling.engine import wire
from atelier_scheduling.engine.changes import Change
from atelier_scheduling.engine.difference import apart
from atelier_scheduling.engine.overrides import OverrideOutcome
from atelier_scheduling.engine.plan import Alarm, Attendance, LedgerLine, Metrics, Plan, Unserved
from atelier_scheduling.engine.sessions import AdultTime, HomeGroup, Session, Studio

Item = TypeVar("Item")


_NO_METRICS = Metrics()
_AttendanceKey = tuple[int, str, str, int]
"""Beginning, learner, session, end."""


@dataclass(frozen=True, slots=True)
class PlanDelta:
    """``learners``: those whose attendances differ. ``*_gone``: keys that left. Whole tuples are given where they changed and are
    ``None`` where they did not. ``stored_problem`` names the problem of the whole plan at the beginning of the chain, ``answers`` the
    part that holds the changes since the base; ``problem`` is the digest of the problem after them.

    Older deltas hold their ``changes`` themselves, whole ``studios``, and in place of ``attendances_gone`` all attendances of their
    ``learners``.
    """

    base: str
    stored_problem: str
    problem: str
    answers: str = ""
    changes: tuple[Change, ...] = ()
    sessions_gone: tuple[str, ...] = ()
    sessions: tuple[Session, ...] = ()
    learners: tuple[str, ...] = ()
    attendances: tuple[Attendance, ...] = ()
    attendances_gone: tuple[_AttendanceKey, ...] | None = None
    ledger_gone: tuple[tuple[str, ...], ...] = ()
    ledger: tuple[LedgerLine, ...] = ()
    unserved_gone: tuple[str, ...] = ()
    unserved: tuple[Unserved, ...] = ()
    studios_gone: tuple[str, ...] = ()
    studios_changed: tuple[Studio, ...] = ()
    studios: tuple[Studio, ...] | None = None
    home_groups: tuple[HomeGroup, ...] | None = None
    adult_time: tuple[AdultTime, ...] | None = None
    overrides: tuple[OverrideOutcome, ...] | None = None
    alarms: tuple[Alarm, ...] | None = None
    metrics: Metrics = _NO_METRICS

    def to_json(self) -> bytes:
        """Canonical bytes: equal differences, equal bytes."""
        return wire.write(self)

    @staticmethod
    def from_json(data: bytes) -> "PlanDelta":
        """Inverse of ``to_json``. Raises ``wire.Unreadable``."""
        return wire.read(PlanDelta, data)


def difference(
    base: str,
    stored_problem: str,
    answers: str,
    before: Plan,
    after: Plan,
    rows: tuple[Sequence[Attendance], Sequence[Attendance]] | None = None,
) -> PlanDelta:
    """The delta from ``before``, known under the digest ``base``, to ``after``, which answers the changes in the part ``answers``.
    ``rows``: the attendances of each that are not in the other, where they are known."""
    sessions_gone, sessions = _keyed(before.sessions, after.sessions, _session_key)
    ledger_gone, ledger = _keyed(before.obligations, after.obligations, _ledger_key)
    unserved_gone, unserved = _keyed(before.unserved, after.unserved, _unserved_key)
    studios_gone, studios = _keyed(before.studios, after.studios, _studio_key)
    left, came = rows or (before.attendances, after.attendances)
    rows_gone, attendances = _keyed(tuple(left), tuple(came), _attendance_order)
    rows_gone.sort()
    attendances.sort(key=_attendance_order)
    return PlanDelta(
        base=base,
        stored_problem=stored_problem,
        problem=after.problem,
        answers=answers,
        sessions_gone=tuple(sorted(sessions_gone)),
        sessions=tuple(sessions),
        learners=tuple(sorted({row.learner for row in attendances} | {learner for _, learner, _, _ in rows_gone})),
        attendances=tuple(attendances),
        attendances_gone=tuple(rows_gone),
        ledger_gone=tuple(sorted(ledger_gone)),
        ledger=tuple(ledger),
        unserved_gone=tuple(sorted(unserved_gone)),
        unserved=tuple(unserved),
        studios_gone=tuple(sorted(studios_gone)),
        studios_changed=tuple(studios),
        home_groups=after.home_groups if after.home_groups != before.home_groups else None,
        adult_time=after.adult_time if after.adult_time != before.adult_time else None,
        overrides=after.overrides if after.overrides != before.overrides else None,
        alarms=after.alarms if after.alarms != before.alarms else None,
        metrics=after.metrics,
    )


def apply(before: Plan, delta: PlanDelta) -> Plan:
    """The plan after the delta, in canonical order."""
    return dataclasses.replace(
        before,
        problem=delta.problem,
        sessions=_merged(before.sessions, delta.sessions_gone, delta.sessions, _session_key, _session_order),
        attendances=_attendances(before, delta),
        obligations=_merged(before.obligations, delta.ledger_gone, delta.ledger, _ledger_key, _ledger_key),
        unserved=_merged(before.unserved, delta.unserved_gone, delta.unserved, _unserved_key, _unserved_key),
        studios=_merged(before.studios, delta.studios_gone, delta.studios_changed, _studio_key, _studio_key)
        if delta.studios is None
        else delta.studios,
        home_groups=before.home_groups if delta.home_groups is None else delta.home_groups,
        adult_time=before.adult_time if delta.adult_time is None else delta.adult_time,
        overrides=before.overrides if delta.overrides is None else delta.overrides,
        alarms=before.alarms if delta.alarms is None else delta.alarms,
        metrics=delta.metrics,
    )


def in_delta_order(plan: Plan) -> Plan:
    """The same plan with its tuples in the order that :func:`apply` gives, whoever made it."""
    return dataclasses.replace(
        plan,
        sessions=tuple(sorted(plan.sessions, key=_session_order)),
        attendances=tuple(sorted(plan.attendances, key=_attendance_order)),
        obligations=tuple(sorted(plan.obligations, key=_ledger_key)),
        unserved=tuple(sorted(plan.unserved, key=_unserved_key)),
    )


def _session_key(session: Session) -> str:
    return session.id


def _session_order(session: Session) -> tuple[int, str]:
    return session.interval.start, session.id


def _attendance_order(attendance: Attendance) -> _AttendanceKey:
    return attendance.interval.start, attendance.learner, attendance.session, attendance.interval.end


def _studio_key(studio: Studio) -> str:
    return studio.id


def _ledger_key(line: LedgerLine) -> tuple[str, ...]:
    return line.subject_of, line.obligation, line.need


def _unserved_key(unserved: Unserved) -> str:
    return unserved.need


def _attendances(before: Plan, delta: PlanDelta) -> tuple[Attendance, ...]:
    if delta.attendances_gone is None:
        moved = set(delta.learners)
        kept = [row for row in before.attendances if row.learner not in moved]
        return tuple(sorted((*kept, *delta.attendances), key=_attendance_order))
    return _merged(before.attendances, delta.attendances_gone, delta.attendances, _attendance_order, _attendance_order)


def _keyed(
    before: tuple[Item, ...], after: tuple[Item, ...], key: Callable[[Item], Any]
) -> tuple[list[Any], list[Item]]:
    """Keys that left, and rows that came or are others."""
    left, right = apart(before, after)
    held = {key(one): one for one in left}
    kept = {key(one): one for one in right}
    return [name for name in held if name not in kept], [one for name, one in kept.items() if held.get(name) != one]


def _merged(
    before: Iterable[Item],
    gone: Iterable[Hashable],
    new: Iterable[Item],
    key: Callable[[Item], Any],
    order: Callable[[Item], Any],
) -> tuple[Item, ...]:
    held = {key(one): one for one in before}
    for name in gone:
        held.pop(name, None)
    held.update({key(one): one for one in new})
    return tuple(sorted(held.values(), key=order))
