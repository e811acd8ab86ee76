"""What happens to one learner's path in one framework."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from atelier_pathing.domain.registry import REGISTRY

AuthorRole = Literal["engine", "learner", "coach", "counselor"]
Tag = Literal["approach", "pace", "student-voice"]
StepState = Literal["ready", "probe", "deferred"]
GateMetBy = Literal["earned", "success-beyond", "credit", "waiver"]


@dataclass(frozen=True, slots=True)
class NotedMastery:
    """The assessment service's present number for one competency, as pathing keeps it.

    ``evidence_ids`` are the newest behind it, in order of time performed; logs of early days hold the one that moved it.
    """

    competency_id: str
    estimate: float
    uncertainty: float
    earned: bool = False
    evidence_ids: tuple[str, ...] = ()
    without_progress: int = 0
    failed_kind: str = ""
    heard: int = 0
    """Which saying of assessment's this is: they count up for each competency of a learner; 0 where it is not known."""


class FrontierStep(NamedTuple):
    """One competency of the frontier as published. Its rank is its place. Without evidence the numbers are absent.

    Stored as a list of its fields, for a path of twenty steps is stored with nearly every answer.
    """

    competency_id: str
    subject: str
    state: StepState
    estimate: float | None = None
    uncertainty: float | None = None
    evidence_ids: tuple[str, ...] = ()
    deferred_until: int | None = None
    origin: AuthorRole = "engine"
    without_progress: int = 0
    failed_kind: str = ""


@dataclass(frozen=True, slots=True)
class GateMet:
    """An essential prerequisite of the frontier and how it is met; ``by`` names the person of a waiver."""

    competency_id: str
    how: GateMetBy
    by: str = ""


@REGISTRY.event("pathing.path.opened")
@dataclass(frozen=True, slots=True)
class PathOpened:
    learner_id: str
    framework_id: str
    at: int


@REGISTRY.event("pathing.path.mastery-noted")
@dataclass(frozen=True, slots=True)
class MasteryNoted:
    changes: tuple[NotedMastery, ...]


@REGISTRY.event("pathing.path.framework-followed")
@dataclass(frozen=True, slots=True)
class FrameworkFollowed:
    """The path follows another version of its framework. ``version`` is the graph's."""

    version: str
    at: int


@REGISTRY.event("pathing.path.order-chosen")
@dataclass(frozen=True, slots=True)
class OrderChosen:
    """These come first, in this order; an empty list returns to the teaching order."""

    competency_ids: tuple[str, ...]
    author: str
    author_role: AuthorRole
    at: int


@REGISTRY.event("pathing.path.deferred")
@dataclass(frozen=True, slots=True)
class CompetencyDeferred:
    """Put off until a moment, milliseconds UTC."""

    competency_id: str
    until: int
    author: str
    author_role: AuthorRole
    at: int


@REGISTRY.event("pathing.path.deferral-ended")
@dataclass(frozen=True, slots=True)
class DeferralEnded:
    competency_id: str
    how: Literal["expired", "withdrawn"]
    at: int


@REGISTRY.event("pathing.path.test-out-asked")
@dataclass(frozen=True, slots=True)
class TestOutAsked:
    """Somebody wants to show it without being taught; the next evidence on it answers."""

    __test__ = False  # not a test class, whatever its name suggests to a test runner

    competency_id: str
    author: str
    author_role: AuthorRole
    at: int


@REGISTRY.event("pathing.path.gate-waived")
@dataclass(frozen=True, slots=True)
class GateWaived:
    """A named person lets the learner go on without this prerequisite. ``note`` is sealed."""

    competency_id: str
    author: str
    author_role: AuthorRole
    note: str
    at: int


@REGISTRY.event("pathing.path.credit-transferred")
@dataclass(frozen=True, slots=True)
class CreditTransferred:
    """A named person counts it as shown elsewhere. ``note`` is sealed."""

    competency_id: str
    author: str
    author_role: AuthorRole
    note: str
    at: int


@REGISTRY.event("pathing.path.waiver-withdrawn")
@dataclass(frozen=True, slots=True)
class WaiverWithdrawn:
    """Waiver and credit of this competency no longer count."""

    competency_id: str
    author: str
    at: int


def _without_earned(data: dict[str, Any]) -> dict[str, Any]:
    """Version 1 of a revision did not say what was earned."""
    return {**data, "earned_now": [], "no_longer_earned": []}


def _steps_by_name(data: dict[str, Any]) -> dict[str, Any]:
    """Version 2 of a revision named the fields of every step."""
    return {**data, "frontier": [[step[name] for name in FrontierStep._fields] for step in data["frontier"]]}


@REGISTRY.event("pathing.path.revised", version=3, upcasters=(_without_earned, _steps_by_name))
@dataclass(frozen=True, slots=True)
class PathRevised:
    """A new revision with the whole frontier that is published: the next steps of each subject, in rank order.

    ``reason`` is a code with parameters, ``causes`` the ids of the events or the command behind it, ``evidence_ids``
    the evidence that moved it. ``earned_now`` and ``no_longer_earned`` are what mastery has turned since the revision
    before, in teaching order; the first revision has neither.
    """

    learner_id: str
    framework_id: str
    revision: int
    author: str
    author_role: AuthorRole
    tag: Tag
    reason: dict[str, Any]
    causes: tuple[str, ...]
    frontier: tuple[FrontierStep, ...]
    gates_met: tuple[GateMet, ...]
    earned_count: int
    evidence_ids: tuple[str, ...]
    at: int
    earned_now: tuple[str, ...] = ()
    no_longer_earned: tuple[str, ...] = ()


@REGISTRY.event("pathing.path.forgotten")
@dataclass(frozen=True, slots=True)
class PathForgotten:
    """The learner was erased; nothing of the path is shown or changed any more."""

    at: int


PathEvent = (
    PathOpened
    | MasteryNoted
    | FrameworkFollowed
    | OrderChosen
    | CompetencyDeferred
    | DeferralEnded
    | TestOutAsked
    | GateWaived
    | CreditTransferred
    | WaiverWithdrawn
    | PathRevised
    | PathForgotten
)
