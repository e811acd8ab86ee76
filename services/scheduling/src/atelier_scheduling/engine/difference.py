"""What differs between two plans for each person, and which moves were forced."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TypeVar

from atelier_scheduling.engine.plan import Attendance, Move, Plan, PlanDiff, Presence, SessionChange
from atelier_scheduling.engine.sessions import Session
from atelier_scheduling.engine.times import Interval

Row = TypeVar("Row")


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


def differing(
    before: Iterable[Row], after: Iterable[Row], key: Callable[[Row], Hashable]
) -> tuple[list[Row], list[Row]]:
    """Which of the rows before are not among those after, and the other way round. Rows of one key are the same if they are equal."""
    left = {key(row): row for row in before}
    new = []
    for row in after:
        was = left.get(key(row))
        if was is not None and (was is row or was == row):
            del left[key(row)]
        else:
            new.append(row)
    return list(left.values()), new


def apart(before: tuple[Row, ...], after: tuple[Row, ...]) -> tuple[list[Row], list[Row]]:
    """The rows that are not the very same objects on both sides: all that can differ, found without looking into them."""
    if before is after:
        return [], []
    here, there = set(map(id, before)), set(map(id, after))
    return [row for row in before if id(row) not in there], [row for row in after if id(row) not in here]


def difference(
    before: Plan,
    after: Plan,
    forced: dict[str, str] | None = None,
    rows: tuple[Sequence[Attendance], Sequence[Attendance]] | None = None,
) -> PlanDiff:
    """Moves and session changes from ``before`` to ``after``. ``forced``: per learner id the code of what forced
    their moves; a move is also forced when the session it leaves is gone or has another adult or zone. ``rows``: the
    attendances of each that are not in the other, where they are known."""
    forced = forced or {}
    gone_sessions, new_sessions = apart(before.sessions, after.sessions)
    old = {session.id: session for session in gone_sessions}
    new = {session.id: session for session in new_sessions}
    changes = [
        SessionChange(name, old.get(name), new.get(name))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]
    gone = {change.session for change in changes if change.after is None or _other_hands(change.before, change.after)}
    moves = _moves(*(rows or apart(before.attendances, after.attendances)), gone, forced)
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


def _moves(
    before: Sequence[Attendance], after: Sequence[Attendance], gone: set[str], forced: dict[str, str]
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
    before: Sequence[Attendance], after: Sequence[Attendance]
) -> tuple[dict[str, list[Attendance]], dict[str, list[Attendance]]]:
    """Present attendances that are only on one side, by learner."""
    present = [[row for row in rows if row.presence is Presence.PRESENT] for rows in (before, after)]
    keys = [{(row.learner, row.session, row.interval) for row in rows} for rows in present]
    sides: list[dict[str, list[Attendance]]] = []
    for rows, other in ((present[0], keys[1]), (present[1], keys[0])):
        found: dict[str, list[Attendance]] = defaultdict(list)
        for row in rows:
            if (row.learner, row.session, row.interval) not in other:
                found[row.learner].append(row)
        sides.append(found)
    return sides[0], sides[1]
