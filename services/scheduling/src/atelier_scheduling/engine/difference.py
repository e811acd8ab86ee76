"""What differs between two plans for each person, and which moves were forced."""

from collections import defaultdict
from collections.abc import Collection

from atelier_scheduling.engine.plan import Attendance, Move, Plan, PlanDiff, Presence, SessionChange
from atelier_scheduling.engine.sessions import Session
from atelier_scheduling.engine.times import Interval


def shows(before: Plan, after: Plan) -> bool:
    """Whether anybody would see a difference: where they are and why, who leads it and where, who belongs to what,
    what became of a person's decision."""
    return (
        before.sessions != after.sessions
        or before.studios != after.studios
        or before.home_groups != after.home_groups
        or before.overrides != after.overrides
        or before.attendances != after.attendances
    )


def difference(
    before: Plan, after: Plan, forced: dict[str, str] | None = None, touched: Collection[str] | None = None
) -> PlanDiff:
    """Moves and session changes from ``before`` to ``after``. ``forced``: per learner id the code of what forced
    their moves; a move is also forced when the session it leaves is gone or has another adult or zone. ``touched``:
    only these learners can differ."""
    forced = forced or {}
    old = {session.id: session for session in before.sessions}
    new = {session.id: session for session in after.sessions}
    changes = [
        SessionChange(name, old.get(name), new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) is not new.get(name) and old.get(name) != new.get(name)
    ]
    gone = {change.session for change in changes if change.after is None or _other_hands(change.before, change.after)}
    moves = _moves(_of(before, touched), _of(after, touched), gone, forced)
    adults = {
        member.adult
        for change in changes
        for session in (change.before, change.after)
        if session is not None
        for member in session.staff
    }
    return PlanDiff(
        before.problem,
        after.problem,
        tuple(moves),
        tuple(changes),
        tuple(sorted({move.learner for move in moves})),
        tuple(sorted(adults)),
        before.metrics.owed_minutes,
        after.metrics.owed_minutes,
    )


def _other_hands(one: Session | None, other: Session | None) -> bool:
    if one is None or other is None:
        return False
    return (one.zone, one.staff, one.interval) != (other.zone, other.staff, other.interval)


def _of(plan: Plan, touched: Collection[str] | None) -> tuple[Attendance, ...]:
    return plan.attendances if touched is None else tuple(row for row in plan.attendances if row.learner in touched)


def _moves(
    before: tuple[Attendance, ...], after: tuple[Attendance, ...], gone: set[str], forced: dict[str, str]
) -> list[Move]:
    left, right = _changed(before, after)
    moves = []
    for learner in sorted(left.keys() | right.keys()):
        times: dict[Interval, list[str]] = {}
        for side, rows in enumerate((left.get(learner, []), right.get(learner, []))):
            for row in rows:
                times.setdefault(row.interval, ["", ""])[side] = row.session
        for interval, (was, now) in sorted(times.items()):
            if was != now:
                why = forced.get(learner, "session-changed" if was in gone else "")
                moves.append(Move(learner, interval, was, now, bool(why), why))
    return moves


def _changed(
    before: tuple[Attendance, ...], after: tuple[Attendance, ...]
) -> tuple[dict[str, list[Attendance]], dict[str, list[Attendance]]]:
    """Present attendances that are only on one side, by learner."""
    same = {id(row) for row in before} & {id(row) for row in after}
    sides: list[dict[str, list[Attendance]]] = []
    keys = [
        {
            (row.learner, row.session, row.interval)
            for row in rows
            if id(row) not in same and row.presence is Presence.PRESENT
        }
        for rows in (before, after)
    ]
    for rows, other in ((before, keys[1]), (after, keys[0])):
        found: dict[str, list[Attendance]] = defaultdict(list)
        for row in rows:
            if id(row) in same or row.presence is not Presence.PRESENT:
                continue
            if (row.learner, row.session, row.interval) not in other:
                found[row.learner].append(row)
        sides.append(found)
    return sides[0], sides[1]
