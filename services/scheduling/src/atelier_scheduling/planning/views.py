"""A plan as people read it: one learner's week, a day's studios, an adult's sessions. Plain JSON data; ids, never names."""

from collections.abc import Mapping
from typing import Any

from atelier_scheduling.domain.site_description import SiteDescription
from atelier_scheduling.engine.plan import Attendance, Plan, Presence
from atelier_scheduling.engine.questions import Reason
from atelier_scheduling.engine.rendering import sentence
from atelier_scheduling.engine.sessions import Session
from atelier_scheduling.engine.times import Interval, local_of
from atelier_scheduling.engine.timetable import SHOWN

Block = dict[str, Any]
NEUTRAL = "arranged"
"""The code that ordinary and restricted reasons share."""


def clock(minute: int, time_zone: str) -> str:
    """Local time of day "08:30" of an epoch minute."""
    _, of_day = local_of(minute, time_zone)
    return f"{of_day // 60:02d}:{of_day % 60:02d}"


class PlanView:
    """A plan with what is needed to show it. ``titles``: what foci are called, by id."""

    def __init__(self, plan: Plan, description: SiteDescription, titles: Mapping[str, str]) -> None:
        self.plan = plan
        self.description = description
        self._titles = {**{need.id: need.title for need in description.routine}, **titles}
        self._sessions = {session.id: session for session in plan.sessions}
        self._zones = {zone.id: zone.name for zone in description.zones}
        self._studios = {studio.id: studio for studio in plan.studios}
        self._homes = {group.id: group for group in plan.home_groups}
        self._by_session: dict[str, list[Attendance]] = {}
        self._by_learner: dict[str, list[Attendance]] = {}
        for attendance in plan.attendances:
            self._by_session.setdefault(attendance.session, []).append(attendance)
            self._by_learner.setdefault(attendance.learner, []).append(attendance)

    @property
    def learners(self) -> list[str]:
        return sorted(self._by_learner)

    @property
    def dates(self) -> list[str]:
        return sorted({local_of(one.interval.start, self.description.time_zone)[0] for one in self.plan.sessions})

    def week_of(self, learner: str) -> list[Block]:
        """The learner's blocks in order of time, each with its reason. Memberships during a pull-out are marked, not timed."""
        return [self._block(one) for one in self._by_learner.get(learner, [])]

    def studios_on(self, date: str) -> list[Block]:
        """Teaching sessions of a date with their members, the shared gap and the adults, in order of time."""
        found = []
        for session in self.plan.sessions:
            day, _ = local_of(session.interval.start, self.description.time_zone)
            if day == date and session.focus is not None and session.studio:
                found.append(self._meeting(session))
        return found

    def sessions_of_adult(self, adult: str) -> list[Block]:
        """Everything an adult holds, in order of time."""
        return [
            self._meeting(session)
            for session in self.plan.sessions
            if any(staff.adult == adult for staff in session.staff)
        ]

    def day(self, date: str) -> list[Block]:
        """Every session of a date."""
        zone = self.description.time_zone
        return [self._meeting(one) for one in self.plan.sessions if local_of(one.interval.start, zone)[0] == date]

    def owed(self) -> list[Block]:
        """Every obligation that the plan does not meet, to whom and why."""
        return [
            {
                "owed_to": line.subject_of,
                "obligation": line.obligation,
                "need": line.need,
                "title": self._title_of_need(line.need),
                "minutes_due": line.due,
                "minutes_scheduled": line.scheduled,
                "minutes_owed": line.owed,
                "code": line.code,
                "why": sentence(Reason(line.code, line.parameters), self._titles),
            }
            for line in self.plan.obligations
            if line.owed
        ]

    def title(self, session: Session) -> str:
        """What a session is called, without a level: the focus's words, the home group's label, or the kind."""
        if session.focus is not None and session.focus.id in self._titles:
            return self._titles[session.focus.id]
        if session.home_group in self._homes:
            return self._homes[session.home_group].label
        if session.focus is not None:
            return session.focus.id.replace("-", " ").capitalize()
        return session.kind.replace("-", " ").capitalize()

    def _title_of_need(self, need: str) -> str:
        focus = need.partition(":")[2]
        return self._titles.get(focus, focus.replace("-", " "))

    def _times(self, interval: Interval) -> Block:
        date, _ = local_of(interval.start, self.description.time_zone)
        return {
            "date": date,
            "start": clock(interval.start, self.description.time_zone),
            "end": clock(interval.end, self.description.time_zone),
            "starts_at_ms": interval.start * 60_000,
            "ends_at_ms": interval.end * 60_000,
        }

    def _block(self, attendance: Attendance) -> Block:
        session = self._sessions[attendance.session]
        studio = self._studios.get(session.studio)
        because = attendance.because
        shown = Reason(NEUTRAL) if because.restricted else Reason(because.code, because.parameters)
        return {
            **self._times(attendance.interval),
            "session": session.id,
            "slot": session.slot.rpartition("/")[2],
            "kind": session.kind,
            "title": self.title(session),
            "subject": session.focus.subject if session.focus else "",
            "focus": session.focus.id if session.focus else "",
            "focus_kind": str(session.focus.kind) if session.focus else "",
            "zone": session.zone,
            "zone_name": self._zones.get(session.zone, session.zone),
            "adults": [staff.adult for staff in session.staff],
            "studio": studio.label if studio else "",
            "present": attendance.presence is Presence.PRESENT,
            "placed_by": str(because.placed_by),
            "why": sentence(shown, self._titles),
            "why_code": shown.code,
        }

    def _meeting(self, session: Session) -> Block:
        studio = self._studios.get(session.studio)
        attending = [one for one in self._by_session.get(session.id, []) if one.presence is Presence.PRESENT]
        return {
            **self._times(session.interval),
            "session": session.id,
            "slot": session.slot.rpartition("/")[2],
            "kind": session.kind,
            "title": self.title(session),
            "label": studio.label if studio else "",
            "subject": session.focus.subject if session.focus else "",
            "focus": session.focus.id if session.focus else "",
            "focus_kind": str(session.focus.kind) if session.focus else "",
            "shared_gap": [
                {"competency_id": focus.id, "title": self._titles.get(focus.id, focus.id)}
                for focus in (studio.shared_gap if studio else ())
            ],
            "zone": session.zone,
            "zone_name": self._zones.get(session.zone, session.zone),
            "adults": [staff.adult for staff in session.staff],
            "seats": session.most,
            "members": sorted({one.learner for one in attending}),
            # Of the members, those who have shown it already: they practise, and do not share the gap.
            "practising": sorted({one.learner for one in attending if one.because.code == SHOWN}),
        }
