"""Adults: in one place, at work, in charge, bound to their learner, and with the roles that the kind asks for."""

from collections.abc import Iterator

from atelier_scheduling.engine.rules import Rule
from atelier_scheduling.engine.sessions import Session, StaffRole
from atelier_scheduling.engine.times import Interval
from atelier_scheduling.oracle.findings import Finding
from atelier_scheduling.oracle.ground import IN_CHARGE, Ground

_Taken = tuple[Interval, str, Session | None, str]
"""When, what, the session if it is one, and the place."""


def check(ground: Ground) -> Iterator[Finding]:
    taken: dict[str, list[_Taken]] = {adult: [] for adult in ground.adults}
    yield from check_staffing(ground)
    for session in ground.plan.sessions:
        for staff in session.staff:
            taken[staff.adult].append((session.interval, session.id, session, ground.zones[session.zone].place))
    for own in ground.plan.adult_time:
        taken[own.adult].append((own.interval, str(own.kind), None, ""))
    for adult, mine in taken.items():
        yield from _available(ground, adult, mine)
        commitments: list[_Taken] = [
            (one.interval, one.code, None, one.place) for one in ground.adults[adult].commitments
        ]
        yield from _one_place(ground, adult, sorted([*mine, *commitments], key=lambda one: (one[0], one[1])))


def check_staffing(ground: Ground) -> Iterator[Finding]:
    """Who is in charge of each session, with which roles, and bound to whom."""
    for session in ground.plan.sessions:
        yield from _staffing(ground, session)


def _staffing(ground: Ground, session: Session) -> Iterator[Finding]:
    in_charge = [
        staff
        for staff in session.staff
        if staff.role in IN_CHARGE
        and ground.adults[staff.adult].certificated
        and ground.adults[staff.adult].bound_to is None
    ]
    at = session.interval.start
    if not in_charge:
        yield Finding(Rule.CERTIFICATED_IN_CHARGE, session.id, at)
    free = [ground.adults[staff.adult] for staff in session.staff if staff.role is not StaffRole.BOUND]
    for asked in ground.kinds[session.kind].staff:
        able = [adult for adult in free if (asked.role in adult.roles if asked.role else adult.certificated)]
        if len(able) < asked.count:
            yield Finding(Rule.STAFF_ROLES, session.id, at, f"{asked.count} of {asked.role or 'certificated'}")
    for staff in session.staff:
        bound_to = ground.adults[staff.adult].bound_to
        if bound_to is None and staff.role is StaffRole.BOUND:
            yield Finding(Rule.BOUND_ADULT, staff.adult, at, f"bound to nobody in {session.id}")
        elif bound_to is not None and all(one.learner != bound_to for one in ground.in_session[session.id]):
            yield Finding(Rule.BOUND_ADULT, staff.adult, at, f"without the learner in {session.id}")


def _available(ground: Ground, adult: str, mine: list[_Taken]) -> Iterator[Finding]:
    for interval, what, _, _ in mine:
        if not any(available.covers(interval) for available in ground.adults[adult].available):
            yield Finding(Rule.ADULT_AVAILABLE, adult, interval.start, what)


def _one_place(ground: Ground, adult: str, taken: list[_Taken]) -> Iterator[Finding]:
    bound = ground.adults[adult].bound_to is not None
    for place, (interval, what, session, where) in enumerate(taken):
        for later, what_later, session_later, _ in taken[place + 1 :]:
            if later.start >= interval.end:
                break
            nested = (
                bound
                and session is not None
                and session_later is not None
                and (session.parent == session_later.id or session_later.parent == session.id)
            )
            if not nested:
                yield Finding(Rule.ADULT_ONE_PLACE, adult, later.start, f"{what} and {what_later}")
        following = next((one for one in taken[place + 1 :] if one[0].start >= interval.end), None)
        if following is not None and where and following[3]:
            way = ground.minutes_between(where, following[3])
            if following[0].start - interval.end < way:
                yield Finding(Rule.TRAVEL_TIME, adult, following[0].start, f"{way} minutes on the way")
