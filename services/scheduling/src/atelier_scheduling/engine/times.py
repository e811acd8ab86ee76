"""Real, dated time. Every time is an ``int``: whole minutes since 1970-01-01T00:00Z, so overlap is judged by the
clock whatever the bell schedule, and a change to daylight saving needs no rule of its own. Intervals are half open:
``[start, end)``."""

import datetime
import zoneinfo
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """Minutes ``start <= minute < end``."""

    start: int
    end: int

    @property
    def minutes(self) -> int:
        return self.end - self.start

    def overlaps(self, other: "Interval") -> bool:
        return self.start < other.end and other.start < self.end

    def covers(self, other: "Interval") -> bool:
        return self.start <= other.start and other.end <= self.end


class SlotPurpose(StrEnum):
    """What a slot is for. The purpose binds: ``lunch``, ``recess`` and ``protected`` time is not taken for teaching."""

    TEACHING = "teaching"
    HOME = "home"
    FLEX = "flex"
    LUNCH = "lunch"
    RECESS = "recess"
    PROTECTED = "protected"


@dataclass(frozen=True, slots=True)
class Slot:
    """A name for one dated interval of one bell schedule. Slots of one bell never overlap; those of two bells may.

    A slot may hold several sessions one after the other or side by side (stations, a 20-minute pull-out).
    """

    id: str
    bell: str
    date: str
    name: str
    interval: Interval
    purpose: SlotPurpose = SlotPurpose.TEACHING


class DayKind(StrEnum):
    ORDINARY = "ordinary"
    SPECIAL = "special"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Day:
    """One calendar date at a site (ISO ``date``). ``cycle_day`` is its name in the site's cycle ("A", "Day 3"); a
    closed day has no slots and asks nothing of anybody."""

    date: str
    cycle_day: str = ""
    kind: DayKind = DayKind.ORDINARY
    note: str = ""


def minute_of(date: str, local_minute: int, time_zone: str) -> int:
    """Epoch minute of ``local_minute`` (minutes after local midnight) on ISO ``date`` in an IANA ``time_zone``."""
    midnight = datetime.datetime.fromisoformat(date)
    local = midnight + datetime.timedelta(minutes=local_minute)
    return int(local.replace(tzinfo=zoneinfo.ZoneInfo(time_zone)).timestamp()) // 60


def local_of(minute: int, time_zone: str) -> tuple[str, int]:
    """The ISO date and the minutes after local midnight of an epoch minute."""
    local = datetime.datetime.fromtimestamp(minute * 60, zoneinfo.ZoneInfo(time_zone))
    return local.date().isoformat(), local.hour * 60 + local.minute
