"""What planning is asked for, a site and a day at a time, and how far that is answered.

Streams ``planning/<site_id>:<day>`` and ``planned/<site_id>:<day>``: who asks and who answers may be different processes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from atelier_common.decider import Decider

from atelier_scheduling.domain.registry import REGISTRY


@dataclass(frozen=True, slots=True)
class AskForPlanning:
    """``week``: plan it whole; empty: repair what is planned. ``causes`` are positions in the log of the events that a repair answers."""

    site_id: str
    week: str
    reason: str
    causes: tuple[int, ...]
    now: int


@dataclass(frozen=True, slots=True)
class AnswerPlanning:
    """``until``: the version of the stream of askings up to which they are answered."""

    site_id: str
    until: int


@REGISTRY.event("planning.asked")
@dataclass(frozen=True, slots=True)
class PlanningAsked:
    site_id: str
    week: str
    reason: str
    causes: tuple[int, ...]
    asked_at: int


@REGISTRY.event("planning.answered")
@dataclass(frozen=True, slots=True)
class PlanningAnswered:
    site_id: str
    until: int


def _ask(command: AskForPlanning, _asked: int) -> Sequence[PlanningAsked]:
    return [PlanningAsked(command.site_id, command.week, command.reason, command.causes, command.now)]


def _answer(command: AnswerPlanning, answered: int) -> Sequence[PlanningAnswered]:
    return [PlanningAnswered(command.site_id, command.until)] if command.until > answered else []


PLANNING: Decider[AskForPlanning, int, PlanningAsked] = Decider(
    "planning", REGISTRY, int, _ask, lambda asked, _: asked + 1
)
PLANNED: Decider[AnswerPlanning, int, PlanningAnswered] = Decider(
    "planned", REGISTRY, int, _answer, lambda _, event: event.until
)


def planning_key(site_id: str, day: str) -> str:
    """The key of both streams; ``day`` is an ISO date in UTC."""
    return f"{site_id}:{day}"
