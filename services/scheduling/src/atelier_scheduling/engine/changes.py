"""What may happen to a site after it was planned, as data. ``repair`` takes a few of these and touches only whom it
must."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from atelier_scheduling.engine.needs import Need
from atelier_scheduling.engine.overrides import Override
from atelier_scheduling.engine.people import Adult, Learner
from atelier_scheduling.engine.plan import Attendance, Infeasible, Plan, PlanDiff
from atelier_scheduling.engine.problem import SiteProblem
from atelier_scheduling.engine.times import Interval


@dataclass(frozen=True, slots=True)
class AdultAbsent:
    TAGGED: ClassVar[bool] = True
    adult: str
    interval: Interval


@dataclass(frozen=True, slots=True)
class AdultChanged:
    """A new adult, or new facts of a known one."""

    TAGGED: ClassVar[bool] = True
    adult: Adult


@dataclass(frozen=True, slots=True)
class LearnerAbsent:
    TAGGED: ClassVar[bool] = True
    learner: str
    interval: Interval


@dataclass(frozen=True, slots=True)
class LearnerChanged:
    """A new learner, or new facts of a known one. ``needs`` replaces all needs of theirs (``None``: they stay), as
    ``NeedsChanged`` does."""

    TAGGED: ClassVar[bool] = True
    learner: Learner
    needs: tuple[Need, ...] | None = None
    shown: tuple[str, ...] = ()
    later: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LearnerLeft:
    TAGGED: ClassVar[bool] = True
    learner: str


@dataclass(frozen=True, slots=True)
class NeedsChanged:
    """All needs of one learner after a mastery or path event. ``shown``: competencies earned of late; ``later``: those
    that are ready but not among ``needs``. What was a need before and is one of these stays in the problem, no longer
    open: whoever has a seat for it may keep the seat."""

    TAGGED: ClassVar[bool] = True
    learner: str
    needs: tuple[Need, ...]
    shown: tuple[str, ...] = ()
    later: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ZoneLost:
    TAGGED: ClassVar[bool] = True
    zone: str
    interval: Interval


@dataclass(frozen=True, slots=True)
class DayClosed:
    """A snow day: no slots, nobody is expected."""

    TAGGED: ClassVar[bool] = True
    date: str


@dataclass(frozen=True, slots=True)
class OverrideGiven:
    TAGGED: ClassVar[bool] = True
    override: Override


@dataclass(frozen=True, slots=True)
class OverrideWithdrawn:
    TAGGED: ClassVar[bool] = True
    override: str


Change = (
    AdultAbsent
    | AdultChanged
    | LearnerAbsent
    | LearnerChanged
    | LearnerLeft
    | NeedsChanged
    | ZoneLost
    | DayClosed
    | OverrideGiven
    | OverrideWithdrawn
)


@dataclass(frozen=True, slots=True)
class Changes:
    """A list of changes with canonical bytes (``wire.write`` / ``wire.read(Changes, data)``)."""

    changes: tuple[Change, ...]


def needing(changes: Iterable[Change]) -> frozenset[str]:
    """The learners whose needs are told anew."""
    return frozenset(change.learner for change in changes if isinstance(change, NeedsChanged))


@dataclass(frozen=True, slots=True)
class Repaired:
    """The problem after the changes, the plan for it (or why there can be none), and what differs from the plan
    before. ``whole``: the repair did not hold and the whole week was planned again, the previous plan kept as closely
    as possible. ``touched``: only these learners can differ (``None``: anybody). ``rows``: the attendances given up and
    those taken on, where the repair counted them. ``changed``: somebody would see a
    difference or asks for something else; if not, the plan before is as good an answer. ``answered``: the changes that
    problem and plan take in, where they are not all (``None``: all)."""

    problem: SiteProblem
    plan: Plan | Infeasible
    difference: PlanDiff | None = None
    whole: bool = False
    touched: frozenset[str] | None = None
    rows: tuple[tuple[Attendance, ...], tuple[Attendance, ...]] | None = None
    changed: bool = True
    answered: Changes | None = None
