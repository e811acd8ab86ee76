"""What a learner is owed or wants: a focus, minutes with a period, the kinds of session that serve it, and why."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from enum import StrEnum
from operator import attrgetter, itemgetter

from atelier_scheduling.engine.times import Interval


class FocusKind(StrEnum):
    COMPETENCY = "competency"
    SUBJECT = "subject"
    PROJECT = "project"
    SERVICE = "service"
    MENTOR = "mentor"
    REFLECTION = "reflection"
    LUNCH = "lunch"
    RECESS = "recess"
    PASSION = "passion"
    ELECTIVE = "elective"
    TEST = "test"
    HOME = "home"
    STUDY = "study"


@dataclass(frozen=True, slots=True, order=True)
class Focus:
    """What a session or a need is about. ``subject`` names the subject of a competency or project; it is also the
    certificate that qualified staffing asks for. Two foci are the same when all three fields are."""

    kind: FocusKind
    id: str
    subject: str = ""

    @property
    def subject_id(self) -> str:
        """The subject this focus belongs to; a focus that is a subject may leave ``subject`` empty."""
        return self.subject or (self.id if self.kind is FocusKind.SUBJECT else "")


class NeedClass(StrEnum):
    SAFETY = "safety"
    OBLIGATION = "obligation"
    PREFERENCE = "preference"


class Origin(StrEnum):
    """Who asked: the engine itself (``need``: from evidence), the learner, a coach, a plan of services, the law."""

    ENGINE = "engine"
    NEED = "need"
    CHOICE = "choice"
    COACH = "coach"
    SERVICES = "services"
    LAW = "law"


class NeedState(StrEnum):
    """``open``: time is asked for it. Otherwise nothing more is asked, and a seat already taken for it stays lawful and
    may be given up for a better one: ``shown`` is earned since the week was planned, ``later`` is still ready, but
    other steps come first now. Such a need is neither served nor unserved."""

    OPEN = "open"
    SHOWN = "shown"
    LATER = "later"


class Period(StrEnum):
    ONCE = "once"
    DAY = "day"
    WEEK = "week"
    CYCLE = "cycle"
    MONTH = "month"


class Setting(StrEnum):
    ANY = "any"
    PULL_OUT = "pull-out"
    PUSH_IN = "push-in"
    OWN_SESSION = "own-session"


class GateMetBy(StrEnum):
    """How an essential prerequisite was met. ``PROBE``: uncertain, so the learner may try; ``OPEN`` means it is not
    met."""

    EARNED = "earned"
    LATER_SUCCESS = "later-success"
    CREDIT = "credit"
    WAIVER = "waiver"
    PROBE = "probe"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Gate:
    """One essential prerequisite of the need's focus. A need with an ``open`` gate is never served by teaching its
    focus."""

    focus: str
    met_by: GateMetBy = GateMetBy.EARNED
    by: str = ""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Estimated chance (0 to 1) that the learner masters the focus now, and its standard error."""

    estimate: float
    uncertainty: float = 0.0


@dataclass(frozen=True, slots=True)
class After:
    """This need is served only after ``need`` was, with at least ``gap_minutes`` between (pre-work, wait before a
    re-test)."""

    need: str
    gap_minutes: int = 0


@dataclass(frozen=True, slots=True)
class Need:
    """``minutes`` are owed per ``per`` (0: one session of any length), ``times`` sessions at least, none shorter than
    ``shortest`` nor longer than ``longest`` (0: no bound), at most ``most_per_day`` a day and ``minutes_most`` per
    period (0: no bound). A week is the problem's days; ``cycle`` and ``month`` give the share still owed within them,
    so they read as the week does.

    ``kinds``: session kinds that serve it, best first (empty: the site's default for the focus kind).
    ``failed_kinds`` were tried without success: another kind is tried first. ``windows`` (empty: any time) bound
    when. ``may_take_from``: subject ids or focus kinds a pull-out may interrupt (empty: any teaching, home, flex or
    study time; lunch, recess and protected time never). ``already_minutes`` were delivered earlier in the period.
    ``cohort``: all needs of one cohort share a session where seats allow.
    """

    id: str
    learner: str
    focus: Focus
    need_class: NeedClass = NeedClass.PREFERENCE
    minutes: int = 0
    per: Period = Period.WEEK
    times: int = 1
    shortest: int = 0
    longest: int = 0
    most_per_day: int = 1
    minutes_most: int = 0
    already_minutes: int = 0
    kinds: tuple[str, ...] = ()
    failed_kinds: tuple[str, ...] = ()
    windows: tuple[Interval, ...] = ()
    after: tuple[After, ...] = ()
    urgency: float = 0.5
    rank: int = 0
    readiness: Readiness | None = None
    gates: tuple[Gate, ...] = ()
    origin: Origin = Origin.NEED
    asked_by: str = ""
    evidence: tuple[str, ...] = ()
    expires: int | None = None
    setting: Setting = Setting.ANY
    group_most: int = 0
    provider_role: str = ""
    may_take_from: tuple[str, ...] = ()
    inclusion_minimum: float = 0.0
    needs_device: bool = False
    timed: bool = False
    cohort: str = ""
    stage: str = ""
    restricted: bool = False
    state: NeedState = NeedState.OPEN

    @property
    def is_open(self) -> bool:
        return self.state is NeedState.OPEN


# A need without what is only known of the learner.
_KNOWN = ("readiness", "evidence", "rank", "urgency", "failed_kinds")
_ASKED = attrgetter(*(field.name for field in fields(Need) if field.name not in _KNOWN))


def what_is_asked(needs: Iterable[Need]) -> tuple[tuple[object, ...], ...]:
    """What some needs ask for, in any order of theirs: needs that ask the same are placed the same."""
    return tuple(sorted(map(_ASKED, needs), key=itemgetter(0)))
