"""A week of a site in dated real time: its days and the slots of its bell schedules."""

import zoneinfo
from datetime import UTC, date, datetime, timedelta

from atelier_common.errors import InvalidInput

from atelier_scheduling.domain.site_description import SiteDescription, WeeklyHours, minute_of_day
from atelier_scheduling.engine.times import Day, DayKind, Interval, Slot, minute_of


def dates_of(week: str, description: SiteDescription) -> tuple[date, ...]:
    """The dates of an ISO week ("2026-W48") that are school days of the site. Raises InvalidInput."""
    try:
        year, _, number = week.partition("-W")
        monday = date.fromisocalendar(int(year), int(number), 1)
    except ValueError as error:
        raise InvalidInput(f"{week!r} is not an ISO week like 2026-W48", field="week") from error
    return tuple(monday + timedelta(days=weekday - 1) for weekday in sorted(description.school_days))


def week_of(day: date) -> str:
    """The ISO week of a date."""
    year, number, _ = day.isocalendar()
    return f"{year}-W{number:02d}"


def day_at(now_ms: int) -> str:
    """The date in UTC at a moment."""
    return datetime.fromtimestamp(now_ms / 1000, UTC).date().isoformat()


def week_at(now_ms: int) -> str:
    """The ISO week in UTC at a moment."""
    return week_of(datetime.fromtimestamp(now_ms / 1000, UTC).date())


def week_after(now_ms: int, description: SiteDescription) -> str:
    """The first ISO week that begins after this moment at the site."""
    today = datetime.fromtimestamp(now_ms / 1000, zoneinfo.ZoneInfo(description.time_zone)).date()
    return week_of(today + timedelta(days=8 - today.isoweekday()))


def days_and_slots(week: str, description: SiteDescription) -> tuple[tuple[Day, ...], tuple[Slot, ...]]:
    """Days in order and every slot of every bell; a closed day has none."""
    special = {day.date: day for day in description.special_days}
    bells = {bell.id: bell for bell in description.bells}
    days: list[Day] = []
    slots: list[Slot] = []
    for day in dates_of(week, description):
        text = day.isoformat()
        differs = special.get(text)
        cycle_day = differs.cycle_day if differs and differs.cycle_day else _cycle_day(day, description)
        if differs is not None and differs.closed:
            days.append(Day(text, cycle_day, DayKind.CLOSED, differs.note))
            continue
        days.append(
            Day(text, cycle_day, DayKind.SPECIAL if differs else DayKind.ORDINARY, differs.note if differs else "")
        )
        for bell in description.bells:
            rung = bells[differs.bells.get(bell.id, bell.id)] if differs else bell
            for slot in rung.slots:
                if slot.weekdays and day.isoweekday() not in slot.weekdays:
                    continue
                if slot.cycle_days and cycle_day not in slot.cycle_days:
                    continue
                slots.append(
                    Slot(
                        id=f"{text}/{bell.id}/{slot.name}",
                        bell=bell.id,
                        date=text,
                        name=slot.name,
                        interval=local_interval(text, slot.start, slot.end, description.time_zone),
                        purpose=slot.purpose,
                    )
                )
    return tuple(days), tuple(slots)


def local_interval(day: str, start: str, end: str, time_zone: str) -> Interval:
    """Epoch minutes of two local times of day on a date."""
    return Interval(
        minute_of(day, minute_of_day(start), time_zone),
        minute_of(day, minute_of_day(end), time_zone),
    )


def dated(hours: tuple[WeeklyHours, ...], days: tuple[Day, ...], time_zone: str) -> tuple[Interval, ...]:
    """Weekly hours on the dates of the week, in order."""
    return tuple(
        local_interval(day.date, one.start, one.end, time_zone)
        for day in days
        for one in hours
        if date.fromisoformat(day.date).isoweekday() == one.weekday
    )


def without(intervals: tuple[Interval, ...], taken: tuple[Interval, ...]) -> tuple[Interval, ...]:
    """What is left of ``intervals`` outside ``taken``."""
    left = list(intervals)
    for gone in taken:
        left = (
            [
                part
                for interval in left
                for part in (
                    Interval(interval.start, min(interval.end, gone.start)),
                    Interval(max(interval.start, gone.end), interval.end),
                )
                if part.start < part.end
            ]
            if any(interval.overlaps(gone) for interval in left)
            else left
        )
    return tuple(sorted(set(left)))


def _cycle_day(day: date, description: SiteDescription) -> str:
    """The day's name in the cycle: school days counted from the cycle's start, closed days skipped."""
    if not description.cycle or description.cycle_starts is None:
        return ""
    start = date.fromisoformat(description.cycle_starts)
    closed = {special.date for special in description.special_days if special.closed}
    counted = sum(
        1
        for ordinal in range(start.toordinal(), day.toordinal())
        if date.fromordinal(ordinal).isoweekday() in description.school_days
        and date.fromordinal(ordinal).isoformat() not in closed
    )
    return description.cycle[counted % len(description.cycle)]
