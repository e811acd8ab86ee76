"""What a plan is made of: sessions, the studios and home groups behind them, and adults' own time."""

from dataclasses import dataclass
from enum import StrEnum

from atelier_scheduling.engine.needs import Focus
from atelier_scheduling.engine.times import Interval


class StaffRole(StrEnum):
    """``lead`` is in charge (certificated). ``support`` adds capacity under the lead. ``bound`` follows one learner,
    takes a seat and adds no capacity. ``proctor`` is in charge of a test."""

    LEAD = "lead"
    SUPPORT = "support"
    BOUND = "bound"
    PROCTOR = "proctor"


@dataclass(frozen=True, slots=True)
class Staff:
    """An adult in a session for the whole of its interval."""

    adult: str
    role: StaffRole = StaffRole.LEAD


@dataclass(frozen=True, slots=True)
class Station:
    """A part of a session with its own zone and cap; the session's adults hold all its stations under one cap."""

    id: str
    zone: str
    most: int
    title: str = ""


@dataclass(frozen=True, slots=True)
class OfficialIdentity:
    """How records outside know the session; stable while the section lives."""

    section: str = ""
    course: str = ""
    teacher_of_record: str = ""
    attendance_source: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """One meeting: dated interval, one zone (or stations), adults, focus (``None``: a home block, supervision).

    ``most``: as many learners as safety allows here (seats, the sum of the capacity-adding adults' caps, ratio, group
    size). ``series``: sessions of one unit share it and keep adult and zone. ``parent``: the session this one lies
    inside (pull-out, push-in); whoever is present here may be a member there. ``delivers``: somebody qualified holds
    it, so its minutes count as delivered.
    """

    id: str
    kind: str
    interval: Interval
    zone: str
    staff: tuple[Staff, ...]
    fewest: int
    most: int
    focus: Focus | None = None
    slot: str = ""
    studio: str = ""
    home_group: str = ""
    series: str = ""
    parent: str = ""
    stations: tuple[Station, ...] = ()
    needs_device: bool = False
    delivers: bool = True
    official: OfficialIdentity = OfficialIdentity()


class StudioState(StrEnum):
    ACTIVE = "active"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Studio:
    """An instructional studio: learners of several ages with a shared gap. ``label`` carries no order. ``shared_gap``
    are the foci its members are all ready for; ``purpose_ends`` names the focus whose mastery ends it; ``expires`` is
    an epoch minute."""

    id: str
    label: str
    subject: str
    focus: Focus
    members: tuple[str, ...]
    shared_gap: tuple[Focus, ...] = ()
    expires: int = 0
    formed_at: int = 0
    purpose_ends: str = ""
    stage: str = ""
    state: StudioState = StudioState.ACTIVE


@dataclass(frozen=True, slots=True)
class HomeGroup:
    """Formed for belonging, ages and continuity of adults, never by readiness. ``zone`` and ``adult``: its usual
    place and mentor."""

    id: str
    label: str
    members: tuple[str, ...]
    adult: str = ""
    zone: str = ""


class AdultTimeKind(StrEnum):
    LUNCH = "lunch"
    PLANNING = "planning"
    COMMON_PLANNING = "common-planning"


@dataclass(frozen=True, slots=True)
class AdultTime:
    """Time an adult has without learners, as the contract asks."""

    adult: str
    kind: AdultTimeKind
    interval: Interval
