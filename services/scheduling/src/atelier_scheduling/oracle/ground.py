"""What the oracle derives from a problem and a plan before it judges: who is where, and when everybody has to be on site."""

from collections import defaultdict
from collections.abc import Iterable

from atelier_scheduling.engine.people import BellOn, Learner
from atelier_scheduling.engine.plan import Attendance, Plan, Presence
from atelier_scheduling.engine.problem import SiteProblem
from atelier_scheduling.engine.sessions import Session, StaffRole
from atelier_scheduling.engine.times import DayKind, Interval

IN_CHARGE = (StaffRole.LEAD, StaffRole.PROCTOR)
ADDS_CAPACITY = (StaffRole.LEAD, StaffRole.PROCTOR, StaffRole.SUPPORT)


class Ground:
    """Look-ups over one problem and one plan."""

    def __init__(self, problem: SiteProblem, plan: Plan) -> None:
        self.problem = problem
        self.plan = plan
        self.zones = {zone.id: zone for zone in problem.zones}
        self.kinds = {kind.id: kind for kind in problem.kinds}
        self.adults = {adult.id: adult for adult in problem.adults}
        self.learners = {learner.id: learner for learner in problem.learners}
        self.needs = {need.id: need for need in problem.needs}
        self.sessions = {session.id: session for session in plan.sessions}
        self.present: dict[str, list[Attendance]] = defaultdict(list)
        self.members: dict[str, list[Attendance]] = defaultdict(list)
        self.in_session: dict[str, list[Attendance]] = defaultdict(list)
        for attendance in plan.attendances:
            if attendance.presence is Presence.PRESENT:
                self.present[attendance.learner].append(attendance)
                self.in_session[attendance.session].append(attendance)
            else:
                self.members[attendance.learner].append(attendance)
        for attendances in self.present.values():
            attendances.sort(key=lambda one: (one.interval.start, one.interval.end))
        self._days: dict[tuple[str, tuple[BellOn, ...]], list[Interval]] = {}
        self._travel = {}
        for travel in problem.travel:
            self._travel[(travel.place, travel.other)] = travel.minutes
            self._travel[(travel.other, travel.place)] = travel.minutes

    def minutes_between(self, place: str, other: str) -> int:
        """Minutes on the way between two places."""
        return 0 if place == other else self._travel.get((place, other), 0)

    def zone_of(self, attendance: Attendance) -> str:
        """The zone in which a learner really is: the station's, where there is one."""
        session = self.sessions[attendance.session]
        for station in session.stations:
            if station.id == attendance.station:
                return station.zone
        return session.zone

    def zones_of(self, session: Session) -> list[str]:
        """Every zone that a session uses."""
        return list(dict.fromkeys([session.zone, *(station.zone for station in session.stations)]))

    def days_of(self, learner: Learner) -> list[Interval]:
        """From the first slot's start to the last slot's end of the learner's bell, a day each, in order."""
        bells = learner.bell, learner.bell_on
        if bells in self._days:
            return self._days[bells]
        other_bell = {one.date: one.bell for one in learner.bell_on}
        found: list[Interval] = []
        for day in self.problem.days:
            if day.kind is DayKind.CLOSED:
                continue
            bell = other_bell.get(day.date, learner.bell)
            slots = [slot.interval for slot in self.problem.slots if slot.date == day.date and slot.bell == bell]
            if slots:
                found.append(Interval(min(one.start for one in slots), max(one.end for one in slots)))
        self._days[bells] = found
        return found

    def on_site(self, learner: Learner) -> list[Interval]:
        """The stretches of time that the learner has to spend on site, in order."""
        elsewhere = [
            *learner.absences,
            *(
                Interval(one.interval.start - one.travel_before, one.interval.end + one.travel_after)
                for one in learner.off_site
            ),
        ]
        return [part for whole in self.days_of(learner) for part in _outside(whole, elsewhere)]

    def needs_device(self, session: Session) -> bool:
        return session.needs_device or self.kinds[session.kind].needs_device


def _outside(whole: Interval, holes: Iterable[Interval]) -> list[Interval]:
    left = [whole]
    for hole in holes:
        cut: list[Interval] = []
        for part in left:
            if part.overlaps(hole):
                cut.extend(
                    one
                    for one in (
                        Interval(part.start, min(part.end, hole.start)),
                        Interval(max(part.start, hole.end), part.end),
                    )
                    if one.start < one.end
                )
            else:
                cut.append(part)
        left = cut
    return left


def moments(attendances: Iterable[Attendance]) -> list[int]:
    """The minutes at which the set of those present changes upward: enough to look at to find any maximum."""
    return sorted({one.interval.start for one in attendances})


def there(attendances: Iterable[Attendance], minute: int) -> list[Attendance]:
    return [one for one in attendances if one.interval.start <= minute < one.interval.end]
