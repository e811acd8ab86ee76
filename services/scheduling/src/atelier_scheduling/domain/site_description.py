"""A site as its people describe it: zones, adults, bell schedules, kinds of session and rules are data, not code.

This is the format of ``atelier import site FILE`` and of ``PUT /scheduling/v1/sites/{site_id}``. Times of day are local ("08:30");
weekdays are 1 Monday ... 7 Sunday. Adults and learners are named by their OneRoster sourcedId or by their Atelier id; before
anything is stored the sourcedIds are replaced by Atelier ids.
"""

import re
import zoneinfo
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from atelier_scheduling.engine.needs import FocusKind, NeedClass, Period
from atelier_scheduling.engine.places import Travel, Zone
from atelier_scheduling.engine.policy import Policy, SessionKind
from atelier_scheduling.engine.times import SlotPurpose

FORMAT = 1


def _is_time_of_day(text: str) -> str:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text):
        raise ValueError(f"{text!r} is not a time of day like 08:30")
    return text


def _is_date(text: str) -> str:
    date.fromisoformat(text)
    return text


TimeOfDay = Annotated[str, AfterValidator(_is_time_of_day)]
IsoDate = Annotated[str, AfterValidator(_is_date)]
Weekday = Annotated[int, Field(ge=1, le=7)]


def minute_of_day(time_of_day: str) -> int:
    """Minutes after local midnight of "08:30"."""
    return int(time_of_day[:2]) * 60 + int(time_of_day[3:])


class _Described(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BellSlot(_Described):
    """A named interval of a bell schedule, on all school days, or only on some weekdays or days of the cycle."""

    name: str
    start: TimeOfDay
    end: TimeOfDay
    purpose: SlotPurpose = SlotPurpose.TEACHING
    weekdays: tuple[Weekday, ...] = ()
    cycle_days: tuple[str, ...] = ()


class Bell(_Described):
    """One bell schedule. A site may run several at once (an elementary wing, lunch A, B, C)."""

    id: str
    title: str = ""
    slots: tuple[BellSlot, ...]


class SpecialDay(_Described):
    """A date that differs: closed, or with other bells (usual bell -> bell of that day)."""

    date: IsoDate
    closed: bool = False
    bells: dict[str, str] = {}
    cycle_day: str = ""
    note: str = ""


class WeeklyHours(_Described):
    weekday: Weekday
    start: TimeOfDay
    end: TimeOfDay

    @model_validator(mode="after")
    def _goes_forward(self) -> Self:
        if minute_of_day(self.end) <= minute_of_day(self.start):
            raise ValueError(f"hours from {self.start} to {self.end} end before they start")
        return self


class StaffContract(_Described):
    """What an adult is owed, minutes; 0 or absent: the contract is silent. The lunch lies within the window if one is given."""

    duty_free_lunch: int = Field(0, ge=0, le=120)
    lunch_window: tuple[TimeOfDay, TimeOfDay] | None = None
    planning: int = Field(0, ge=0, le=480)
    longest_run: int = Field(0, ge=0, le=600)
    preparations_most: int | None = None
    common_planning_with: tuple[str, ...] = ()
    common_planning: int = Field(0, ge=0, le=480)


class StaffCommitment(WeeklyHours):
    """Weekly time that is taken: a duty, another site."""

    code: str = "duty"
    place: str = ""


class StaffMember(_Described):
    """An adult at this site. ``hours`` empty: whenever the site is open."""

    adult: str
    roles: tuple[str, ...] = ("teacher",)
    certificates: tuple[str, ...] = ()
    certificated: bool = True
    substitute: bool = False
    hours: tuple[WeeklyHours, ...] = ()
    commitments: tuple[StaffCommitment, ...] = ()
    caps: dict[str, int] = {}
    contract: StaffContract = StaffContract()
    bound_to: str | None = None
    place: str = ""


class Placement(_Described):
    """Which bell schedule and home group a learner belongs to. Learners without one take the first bell."""

    learner: str
    bell: str
    home_group: str = ""


class RoutineNeed(_Described):
    """What every learner of the site is owed or offered, whatever they know: mentor talks, subject minutes, reflection."""

    id: str
    title: str
    focus: FocusKind
    subject: str = ""
    need_class: NeedClass = NeedClass.OBLIGATION
    minutes: int = Field(0, ge=0)
    per: Period = Period.WEEK
    times: int = Field(1, ge=1, le=20)
    shortest: int = Field(0, ge=0)
    longest: int = Field(0, ge=0)
    most_per_day: int = Field(1, ge=1, le=10)
    kinds: tuple[str, ...] = ()
    learners: tuple[str, ...] = ()


class CutOff(_Described):
    """When a proposed week is published: so many days before its first day, at a local time."""

    days_before: int = Field(3, ge=0, le=14)
    at: TimeOfDay = "16:00"


class Cadence(_Described):
    """When a week is planned by itself: so many days before its first day, at a local time."""

    days_before: int = Field(4, ge=0, le=28)
    at: TimeOfDay = "16:00"


class SiteDescription(_Described):
    """One site. ``site_id`` is the OneRoster sourcedId of its org.

    ``cadence``: when each week is planned without being asked for; absent, weeks are planned when somebody asks.
    ``publishing``: "automatic" publishes at the cut-off, "reviewed" waits for a person. ``competencies_per_subject`` and
    ``competency_minutes`` turn a learner's frontier into needs of the week.
    """

    format: Literal[1] = 1
    site_id: Annotated[str, Field(min_length=1, max_length=120)]
    title: str
    model: str = ""
    time_zone: str
    school_days: Annotated[tuple[Weekday, ...], Field(min_length=1)] = (1, 2, 3, 4, 5)
    cycle: tuple[str, ...] = ()
    cycle_starts: IsoDate | None = None
    bells: Annotated[tuple[Bell, ...], Field(min_length=1)]
    special_days: tuple[SpecialDay, ...] = ()
    zones: tuple[Zone, ...]
    travel: tuple[Travel, ...] = ()
    kinds: tuple[SessionKind, ...]
    policy: Policy = Policy()
    staff: tuple[StaffMember, ...]
    placements: tuple[Placement, ...] = ()
    routine: tuple[RoutineNeed, ...] = ()
    competencies_per_subject: int = Field(2, ge=1, le=12)
    competency_minutes: int = Field(60, ge=10, le=600)
    cut_off: CutOff = CutOff()
    cadence: Cadence | None = None
    publishing: Literal["automatic", "reviewed"] = "reviewed"
    effort: int = Field(1, ge=1, le=1_000)
    seed: int = 1

    @model_validator(mode="after")
    def _holds_together(self) -> "SiteDescription":
        try:
            zoneinfo.ZoneInfo(self.time_zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"time_zone: {self.time_zone!r} is not an IANA time zone") from error
        bells = {bell.id for bell in self.bells}
        for what, ids in (
            ("bells", [bell.id for bell in self.bells]),
            ("zones", [zone.id for zone in self.zones]),
            ("kinds", [kind.id for kind in self.kinds]),
            ("staff", [member.adult for member in self.staff]),
            ("routine", [need.id for need in self.routine]),
            ("placements", [placement.learner for placement in self.placements]),
            ("special_days", [day.date for day in self.special_days]),
        ):
            twice = sorted({one for one in ids if ids.count(one) > 1}) if len(set(ids)) != len(ids) else []
            if twice:
                raise ValueError(f"{what}: {twice[0]!r} stands twice")
        if bool(self.cycle) != bool(self.cycle_starts):
            raise ValueError("cycle: a cycle has names of days and a date on which its first day falls")
        for bell in self.bells:
            _check_bell(bell)
            for slot in bell.slots:
                for name in slot.cycle_days:
                    if name not in self.cycle:
                        raise ValueError(f"bell {bell.id!r}: slot {slot.name!r} is on {name!r}, no day of the cycle")
        for day in self.special_days:
            for bell_id in (*day.bells, *day.bells.values()):
                if bell_id not in bells:
                    raise ValueError(f"special day {day.date}: there is no bell schedule {bell_id!r}")
        for placement in self.placements:
            if placement.bell not in bells:
                raise ValueError(f"placement of {placement.learner!r}: there is no bell schedule {placement.bell!r}")
        known_kinds = {kind.id for kind in self.kinds}
        for need in self.routine:
            for kind in need.kinds:
                if kind not in known_kinds:
                    raise ValueError(f"routine need {need.id!r}: there is no kind of session {kind!r}")
        return self


def _check_bell(bell: Bell) -> None:
    for slot in bell.slots:
        if minute_of_day(slot.end) <= minute_of_day(slot.start):
            raise ValueError(f"bell {bell.id!r}: slot {slot.name!r} ends before it starts")
    for place, first in enumerate(bell.slots):
        for second in bell.slots[place + 1 :]:
            same_day = (
                not first.weekdays or not second.weekdays or bool(set(first.weekdays) & set(second.weekdays))
            ) and (
                not first.cycle_days or not second.cycle_days or bool(set(first.cycle_days) & set(second.cycle_days))
            )
            if same_day and first.name == second.name:
                raise ValueError(f"bell {bell.id!r}: two slots of one day are called {first.name!r}")
            if (
                same_day
                and minute_of_day(first.start) < minute_of_day(second.end)
                and minute_of_day(second.start) < minute_of_day(first.end)
            ):
                raise ValueError(f"bell {bell.id!r}: slots {first.name!r} and {second.name!r} overlap")
