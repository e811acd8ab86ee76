"""What differs between two plans of one week, small enough to store for every proposal: ``apply(before, delta) == after``."""

import dataclasses
from collections.abc import Callable, Collection, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from atelier_scheduling.engine import wire
from atelier_scheduling.engine.changes import Change
from atelier_scheduling.engine.overrides import OverrideOutcome
from atelier_scheduling.engine.plan import Alarm, Attendance, LedgerLine, Metrics, Plan, Unserved
from atelier_scheduling.engine.sessions import AdultTime, HomeGroup, Session, Studio

Item = TypeVar("Item")


_NO_METRICS = Metrics()


@dataclass(frozen=True, slots=True)
class PlanDelta:
    """``learners``: those whose attendances are replaced by ``attendances``. ``*_gone``: keys that left. Whole tuples are given
    where they changed and are ``None`` where they did not; whole ``studios`` are in older deltas only. ``stored_problem`` names
    the problem of the whole plan at the beginning of the chain, ``changes`` what happened since the base; ``problem`` is the digest
    of the problem after them.
    """

    base: str
    stored_problem: str
    problem: str
    changes: tuple[Change, ...] = ()
    sessions_gone: tuple[str, ...] = ()
    sessions: tuple[Session, ...] = ()
    learners: tuple[str, ...] = ()
    attendances: tuple[Attendance, ...] = ()
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
    changes: tuple[Change, ...],
    before: Plan,
    after: Plan,
    touched: Collection[str] | None = None,
) -> PlanDelta:
    """The delta from ``before``, known under the digest ``base``, to ``after``, which answers ``changes``. ``touched``: only these
    learners' attendances can differ (``None``: anybody's)."""
    sessions_gone, sessions = _keyed(before.sessions, after.sessions, _session_key)
    ledger_gone, ledger = _keyed(before.obligations, after.obligations, _ledger_key)
    unserved_gone, unserved = _keyed(before.unserved, after.unserved, _unserved_key)
    studios_gone, studios = _keyed(before.studios, after.studios, _studio_key)
    of_before, of_after = _by_learner(before.attendances, touched), _by_learner(after.attendances, touched)
    moved = sorted(one for one in of_before.keys() | of_after.keys() if of_before.get(one) != of_after.get(one))
    return PlanDelta(
        base=base,
        stored_problem=stored_problem,
        problem=after.problem,
        changes=changes,
        sessions_gone=tuple(sorted(sessions_gone)),
        sessions=tuple(sessions),
        learners=tuple(moved),
        attendances=tuple(one for learner in moved for one in of_after.get(learner, [])),
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
    moved = set(delta.learners)
    return dataclasses.replace(
        before,
        problem=delta.problem,
        sessions=_merged(before.sessions, delta.sessions_gone, delta.sessions, _session_key, _session_order),
        attendances=tuple(
            sorted(
                (*(one for one in before.attendances if one.learner not in moved), *delta.attendances),
                key=_attendance_order,
            )
        ),
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


def _attendance_order(attendance: Attendance) -> tuple[int, str, str, int]:
    return attendance.interval.start, attendance.learner, attendance.session, attendance.interval.end


def _studio_key(studio: Studio) -> str:
    return studio.id


def _ledger_key(line: LedgerLine) -> tuple[str, ...]:
    return line.subject_of, line.obligation, line.need


def _unserved_key(unserved: Unserved) -> str:
    return unserved.need


def _by_learner(attendances: Iterable[Attendance], touched: Collection[str] | None) -> dict[str, list[Attendance]]:
    found: dict[str, list[Attendance]] = {}
    concerned = attendances if touched is None else [one for one in attendances if one.learner in touched]
    for one in sorted(concerned, key=_attendance_order):
        found.setdefault(one.learner, []).append(one)
    return found


def _keyed(before: Iterable[Item], after: Iterable[Item], key: Callable[[Item], Any]) -> tuple[list[Any], list[Item]]:
    held = {key(one): one for one in before}
    kept = {key(one): one for one in after}
    changed = [one for name, one in kept.items() if held.get(name) is not one and held.get(name) != one]
    return [one for one in held if one not in kept], changed


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
