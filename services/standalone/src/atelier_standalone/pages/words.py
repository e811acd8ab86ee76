"""Times, amounts and codes in words, for the reader of a page."""

import zoneinfo
from datetime import UTC, date, datetime

REASONS = {
    "cadence": "the weekly round",
    "path": "new evidence moved somebody's path",
    "forced": "facts changed, so somebody had to move",
    "override": "a person decided",
    "request": "somebody asked for a plan",
    "site": "the site's description changed",
}
MOVES = {
    "session-changed": "the session went, or has another adult, room or time",
    "override": "a person decided it",
    "need-met": "the step was shown, so another comes next",
}


def day(iso: str) -> str:
    """ "Tuesday 15 September" of an ISO date."""
    told = date.fromisoformat(iso)
    return f"{told:%A} {told.day} {told:%B}"


def weekday(iso: str) -> str:
    return f"{date.fromisoformat(iso):%A}"


def day_and_month(iso: str) -> str:
    told = date.fromisoformat(iso)
    return f"{told.day} {told:%B}"


def week(iso_week: str) -> str:
    """ "the week of Monday 14 September 2026" of "2026-W38"; anything else as it is."""
    try:
        year, _, number = iso_week.partition("-W")
        monday = date.fromisocalendar(int(year), int(number), 1)
    except ValueError:
        return iso_week
    return f"the week of Monday {monday.day} {monday:%B} {monday.year}"


def moment(milliseconds: int | None, time_zone: str = "UTC") -> str:
    """ "Friday 18 September 2026, 16:00" on the site's clock."""
    if milliseconds is None:
        return "not yet"
    told = datetime.fromtimestamp(milliseconds / 1000, zoneinfo.ZoneInfo(time_zone))
    return f"{told:%A} {told.day} {told:%B} {told.year}, {told:%H:%M}"


def day_of(milliseconds: int | None, time_zone: str = "UTC") -> str:
    """ "18 September 2026" on the site's clock."""
    if milliseconds is None:
        return "not yet"
    told = datetime.fromtimestamp(milliseconds / 1000, zoneinfo.ZoneInfo(time_zone))
    return f"{told.day} {told:%B} {told.year}"


def today(now_ms: int, time_zone: str) -> str:
    """The ISO date at the site."""
    return datetime.fromtimestamp(now_ms / 1000, zoneinfo.ZoneInfo(time_zone)).date().isoformat()


def utc_now(now_ms: int) -> datetime:
    return datetime.fromtimestamp(now_ms / 1000, UTC)


def minutes(count: int) -> str:
    """ "1 hour 20 minutes"."""
    hours, rest = divmod(count, 60)
    parts = [counted(hours, "hour")] if hours else []
    if rest or not parts:
        parts.append(counted(rest, "minute"))
    return " ".join(parts)


def counted(count: int, thing: str, things: str = "") -> str:
    """ "1 studio", "3 studios"."""
    return f"{count:,} {thing if count == 1 else things or thing + 's'}"


def percent(share: float) -> str:
    return f"{round(share * 100)} %"


def and_list(items: list[str]) -> str:
    """ "a, b and c"."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""


def label(code: str) -> str:
    """A code of the data as words: "studio-lesson" is "studio lesson"."""
    return code.replace("-", " ").replace("_", " ")


def title(text: str) -> str:
    return text[:1].upper() + text[1:]
