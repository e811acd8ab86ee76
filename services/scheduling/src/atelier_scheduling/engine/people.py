"""Adults and learners as the planner sees them: opaque ids and what binds a week, never a name. A birth date comes in
as plain text at the door (the service seals it at rest) and is used for age span and ratio only."""

from dataclasses import dataclass
from enum import StrEnum

from atelier_scheduling.engine.times import Interval


@dataclass(frozen=True, slots=True)
class Cap:
    """At most ``most`` learners of one adult in a session of ``kind``."""

    kind: str
    most: int


@dataclass(frozen=True, slots=True)
class Contract:
    """What an adult is owed. Minutes; 0 (or ``None``) means the contract is silent. ``duty_free_lunch`` and
    ``planning`` are per day of attendance; the lunch must lie inside ``lunch_windows`` if any are given (of that
    day). ``longest_run`` is the most minutes with learners without a break of ``break_minutes``.
    ``preparations_most`` counts different foci taught in the problem's days."""

    duty_free_lunch: int = 0
    lunch_windows: tuple[Interval, ...] = ()
    planning: int = 0
    longest_run: int = 0
    break_minutes: int = 5
    preparations_most: int | None = None
    common_planning_with: tuple[str, ...] = ()
    common_planning: int = 0


@dataclass(frozen=True, slots=True)
class Commitment:
    """Time that is taken: a duty, a meeting, another site. ``place`` (if given) makes travel before and after count."""

    interval: Interval
    code: str = "duty"
    place: str = ""


@dataclass(frozen=True, slots=True)
class Adult:
    """``available``: dated intervals on this site; outside them never planned. ``commitments`` inside them are taken
    already.

    ``certificated`` adults may be in charge; others (paraprofessionals, volunteers) only beside one who is.
    ``certificates`` are subject ids this adult is qualified to teach ("*" means every subject); services ask for a
    role instead. ``bound_to`` (an aide, an interpreter) follows that learner, takes a seat, adds no capacity and is
    never in charge. ``caps`` overrule the kind's own. A ``substitute`` may supervise; what they hold counts as
    delivered only if they are qualified for it.
    """

    id: str
    available: tuple[Interval, ...]
    roles: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    certificated: bool = True
    substitute: bool = False
    caps: tuple[Cap, ...] = ()
    contract: Contract = Contract()
    commitments: tuple[Commitment, ...] = ()
    bound_to: str | None = None
    place: str = ""


class BarTarget(StrEnum):
    ADULT = "adult"
    ZONE = "zone"
    FOCUS = "focus"


class BarReason(StrEnum):
    ORDER = "order"
    OWN_PARENT = "own-parent"
    OPT_OUT = "opt-out"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Bar:
    """The learner is never present in a session with this adult, in this zone, or of this focus id (its ``Focus.id``
    or subject)."""

    target: BarTarget
    id: str
    reason: BarReason = BarReason.OTHER
    restricted: bool = True


class PairKind(StrEnum):
    TOGETHER = "together"
    APART = "apart"


class Reach(StrEnum):
    """How far an apart-order reaches: the same session, or the same room (the same zone where no room is named)."""

    SESSION = "session"
    ROOM = "room"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two learners who are kept apart or together. ``order``: safety; otherwise a wish. ``restricted``: never named
    in a receipt."""

    learner: str
    other: str
    kind: PairKind
    order: bool = False
    reach: Reach = Reach.SESSION
    restricted: bool = True


@dataclass(frozen=True, slots=True)
class OffSite:
    """An internship, dual enrolment, a remote block: the learner is in the care of ``supervisor`` at ``place``. The
    minutes of travel lie outside ``interval``, before and after it, and are not on-site minutes."""

    interval: Interval
    place: str
    supervisor: str
    travel_before: int = 0
    travel_after: int = 0
    remote: bool = False


class AccommodationKind(StrEnum):
    EXTENDED_TIME = "extended-time"
    STEP_FREE = "step-free"
    QUIET = "quiet"
    BOUND_ADULT = "bound-adult"
    INTERPRETER = "interpreter"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Accommodation:
    """``factor`` multiplies the minutes of a timed need (extended time of 1.5). ``step_free`` is safety, the others
    obligations."""

    kind: AccommodationKind
    detail: str = ""
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Pin:
    """A fixed point of one learner's week: whoever is named (not empty) holds during ``interval``. Same rank as an
    override."""

    id: str
    interval: Interval
    focus: str = ""
    studio: str = ""
    session: str = ""
    adult: str = ""
    zone: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """The learner's ``rank``-th wish (1 is first) among foci offered in ``interval`` (``None``: any time)."""

    focus: str
    rank: int
    interval: Interval | None = None
    reviewed_by: str = ""


@dataclass(frozen=True, slots=True)
class BellOn:
    """On this date the learner follows another bell schedule than usual."""

    date: str
    bell: str


@dataclass(frozen=True, slots=True)
class Learner:
    """On-site minutes of a date run from the first slot's start to the last slot's end of the learner's bell that
    day, without ``absences`` and without ``off_site`` (with its travel). Every one of them must be spent in one
    supervised place; a gap of at most ``Policy.passing_minutes`` between two places on the way is passing time.

    ``birth_date`` is ISO or empty (unknown: no age rule can be checked, so such a learner joins only sessions without
    one). ``moves_left``: moves of choice that the stability budget still allows this week. ``weeks_without_choice``
    counts the weeks running in which neither a first nor a second choice was granted. ``on_site_minimum``: minutes
    per problem (enriched virtual).
    """

    id: str
    bell: str
    birth_date: str = ""
    bell_on: tuple[BellOn, ...] = ()
    absences: tuple[Interval, ...] = ()
    off_site: tuple[OffSite, ...] = ()
    on_site_minimum: int = 0
    languages: tuple[str, ...] = ()
    accommodations: tuple[Accommodation, ...] = ()
    has_device: bool = False
    bars: tuple[Bar, ...] = ()
    pins: tuple[Pin, ...] = ()
    choices: tuple[Choice, ...] = ()
    weeks_without_choice: int = 0
    moves_left: int | None = None
    home_group: str = ""
    pulls_most: int | None = None
    transitions_most: int | None = None
    screen_minutes_most: int | None = None
