"""Numbers: seats, devices, caps of session, station and adult, ratios, and zones that hold one session at a time."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime

from atelier_scheduling.engine.plan import Attendance
from atelier_scheduling.engine.rules import Rule
from atelier_scheduling.engine.sessions import Session, StaffRole
from atelier_scheduling.oracle.findings import Finding
from atelier_scheduling.oracle.ground import ADDS_CAPACITY, Ground, moments, there


def check(ground: Ground) -> Iterator[Finding]:
    for session in ground.plan.sessions:
        yield from _caps(ground, session)
    yield from _zones(ground)


def _caps(ground: Ground, session: Session) -> Iterator[Finding]:
    kind = ground.kinds[session.kind]
    attending = ground.in_session[session.id]
    adding = [ground.adults[staff.adult] for staff in session.staff if staff.role in ADDS_CAPACITY]
    of_adults = sum(next((cap.most for cap in adult.caps if cap.kind == kind.id), kind.cap) for adult in adding)
    stations = {station.id: station for station in session.stations}
    for minute in moments(attending):
        now = there(attending, minute)
        if len(now) > session.most:
            yield Finding(Rule.SESSION_CAP, session.id, minute, f"{len(now)} of {session.most}")
        if len(now) > of_adults:
            yield Finding(Rule.ADULT_CAP, session.id, minute, f"{len(now)} of {of_adults}")
        for id, station in stations.items():
            at_station = sum(1 for one in now if one.station == id)
            if at_station > station.most:
                yield Finding(Rule.STATION_CAP, id, minute, f"{at_station} of {station.most}")
        yield from _ratio(ground, session, now, minute, len(adding))
        if ground.needs_device(session):
            without = sum(1 for one in now if not ground.learners[one.learner].has_device)
            devices = sum(ground.zones[zone].devices for zone in ground.zones_of(session))
            if without > devices:
                yield Finding(Rule.DEVICE_REQUIRED, session.id, minute, f"{without} of {devices}")


def _ratio(ground: Ground, session: Session, now: list[Attendance], minute: int, adults: int) -> Iterator[Finding]:
    today = datetime.fromtimestamp(minute * 60, UTC).date()
    ages = [_years(born, today) for one in now if (born := ground.learners[one.learner].birth_date)]
    for ratio in ground.problem.policy.ratios:
        if ratio.kind in ("", session.kind) and ages and min(ages) < ratio.below_years:
            most = ratio.most_per_adult * adults
            if len(now) > most:
                yield Finding(Rule.RATIO, session.id, minute, f"{len(now)} of {most}")


def _years(born: str, today: date) -> int:
    birth = date.fromisoformat(born)
    return today.year - birth.year - ((today.month, today.day) < (birth.month, birth.day))


def _zones(ground: Ground) -> Iterator[Finding]:
    using: dict[str, list[Session]] = defaultdict(list)
    for session in ground.plan.sessions:
        for zone in ground.zones_of(session):
            using[zone].append(session)
    for zone, sessions in using.items():
        sessions.sort(key=lambda one: (one.interval.start, one.id))
        if not ground.zones[zone].shared:
            yield from _once(zone, sessions)
        yield from _seats(ground, zone, sessions)


def _once(zone: str, sessions: list[Session]) -> Iterator[Finding]:
    for place, first in enumerate(sessions):
        for second in sessions[place + 1 :]:
            if second.interval.start >= first.interval.end:
                break
            related = (
                first.parent == second.id
                or second.parent == first.id
                or (first.parent and first.parent == second.parent)
            )
            if not related:
                yield Finding(Rule.ZONE_ONCE, zone, second.interval.start, f"{first.id} and {second.id}")


def _seats(ground: Ground, zone_id: str, sessions: list[Session]) -> Iterator[Finding]:
    zone = ground.zones[zone_id]
    here = [one for session in sessions for one in ground.in_session[session.id] if ground.zone_of(one) == zone_id]
    bound = [
        session
        for session in sessions
        if session.zone == zone_id
        for staff in session.staff
        if staff.role is StaffRole.BOUND or ground.adults[staff.adult].bound_to is not None
    ]
    for minute in sorted({*moments(here), *(session.interval.start for session in bound)}):
        now = there(here, minute)
        aides = sum(1 for session in bound if session.interval.start <= minute < session.interval.end)
        if len(now) + aides > zone.seats:
            yield Finding(Rule.SEATS, zone_id, minute, f"{len(now) + aides} of {zone.seats}")
        without = sum(
            1
            for one in now
            if ground.needs_device(ground.sessions[one.session]) and not ground.learners[one.learner].has_device
        )
        if without > zone.devices:
            yield Finding(Rule.DEVICES, zone_id, minute, f"{without} of {zone.devices}")
