"""Learners: one supervised place at every on-site minute, on time, and nowhere they may not be."""

import itertools
from collections.abc import Container, Iterator

from atelier_scheduling.engine.rules import Rule
from atelier_scheduling.oracle.findings import Finding
from atelier_scheduling.oracle.ground import Ground


def unknown_ids(ground: Ground) -> list[Finding]:
    """Names in the plan that the problem does not know."""
    found: list[Finding] = []

    def known(what: str, id: str, ids: Container[str]) -> None:
        if id not in ids:
            found.append(Finding(Rule.KNOWN, id, detail=what))

    for session in ground.plan.sessions:
        known("kind", session.kind, ground.kinds)
        for zone in ground.zones_of(session):
            known("zone", zone, ground.zones)
        for staff in session.staff:
            known("adult", staff.adult, ground.adults)
        if session.parent:
            known("session", session.parent, ground.sessions)
    for attendance in ground.plan.attendances:
        known("learner", attendance.learner, ground.learners)
        known("session", attendance.session, ground.sessions)
        for need in attendance.needs:
            known("need", need, ground.needs)
        if attendance.station and attendance.session in ground.sessions:
            known("station", attendance.station, {one.id for one in ground.sessions[attendance.session].stations})
    for own in ground.plan.adult_time:
        known("adult", own.adult, ground.adults)
    return found


def check(ground: Ground, learners: Container[str] | None = None) -> Iterator[Finding]:
    """``learners``: only these are judged (``None``: everybody)."""
    for learner in ground.problem.learners:
        if learners is not None and learner.id not in learners:
            continue
        yield from _one_place(ground, learner.id)
        yield from _every_minute(ground, learner.id)
        yield from _travel(ground, learner.id)


def _one_place(ground: Ground, learner: str) -> Iterator[Finding]:
    held = ground.present.get(learner, [])
    for attendance in held:
        if not ground.sessions[attendance.session].interval.covers(attendance.interval):
            yield Finding(Rule.ONE_PLACE, learner, attendance.interval.start, f"outside {attendance.session}")
    latest = None
    for attendance in held:
        if latest is not None and attendance.interval.start < latest.interval.end:
            yield Finding(
                Rule.ONE_PLACE, learner, attendance.interval.start, f"{latest.session} and {attendance.session}"
            )
        if latest is None or attendance.interval.end > latest.interval.end:
            latest = attendance
    for membership in ground.members.get(learner, []):
        pulled_out = any(
            ground.sessions[one.session].parent == membership.session and one.interval.overlaps(membership.interval)
            for one in held
        )
        if not pulled_out:
            yield Finding(
                Rule.ONE_PLACE, learner, membership.interval.start, f"a member of {membership.session}, nowhere present"
            )


def _every_minute(ground: Ground, learner: str) -> Iterator[Finding]:
    stretches = ground.on_site(ground.learners[learner])
    held = ground.present.get(learner, [])
    for attendance in held:
        if not any(stretch.covers(attendance.interval) for stretch in stretches):
            yield Finding(Rule.LEARNER_AVAILABLE, learner, attendance.interval.start, attendance.session)
    passing = ground.problem.policy.passing_minutes
    days = ground.days_of(ground.learners[learner])
    opening, closing = {day.start for day in days}, {day.end for day in days}
    for stretch in stretches:
        inside = [one.interval for one in held if one.interval.overlaps(stretch)]
        # Coming from or leaving for an absence is passing; a school day itself begins and ends under supervision.
        at, grace = stretch.start, 0 if stretch.start in opening else passing
        for interval in inside:
            if interval.start - at > grace:
                yield Finding(Rule.SUPERVISED_EVERY_MINUTE, learner, at, f"until {interval.start}")
            at, grace = max(at, interval.end), passing
        if stretch.end - at > (0 if stretch.end in closing else passing):
            yield Finding(Rule.SUPERVISED_EVERY_MINUTE, learner, at, f"until {stretch.end}")


def _travel(ground: Ground, learner: str) -> Iterator[Finding]:
    held = ground.present.get(learner, [])
    for before, after in itertools.pairwise(held):
        way = ground.minutes_between(
            ground.zones[ground.zone_of(before)].place, ground.zones[ground.zone_of(after)].place
        )
        gap = after.interval.start - before.interval.end
        if 0 <= gap < way:
            yield Finding(Rule.TRAVEL_TIME, learner, after.interval.start, f"{way} minutes on the way, {gap} given")
