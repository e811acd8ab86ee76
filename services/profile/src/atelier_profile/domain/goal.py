"""A learner's goal: refused unless it says how it is measured, what is aimed at and by when. Progress is computed, not claimed.

A *competencies* goal counts earned competencies out of those it names; an *estimate* goal looks at the estimate of one competency;
a *count* goal adds up what was logged (books read, talks given).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import ClassVar, assert_never

from atelier_common.decider import Decider
from atelier_common.errors import InvalidInput, NotFound, RuleBroken

from atelier_profile.domain.provenance import Provenance, settled
from atelier_profile.domain.registry import registry

MEASURES = frozenset({"competencies", "estimate", "count"})
OUTCOMES = frozenset({"met", "missed", "dropped"})
_UNIT = re.compile(r"[\w][\w \-]{0,39}")


@dataclass(frozen=True, slots=True)
class Measure:
    """``kind`` is one of MEASURES; ``unit`` names what a count counts."""

    kind: str
    competency_ids: tuple[str, ...] = ()
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Goal:
    """``due`` is an ISO date; ``horizon`` is ``short`` or ``long``; ``statement`` is sealed, in the learner's own words."""

    learner_id: str
    measure: Measure
    target: float
    due: str
    horizon: str
    provenance: Provenance
    statement: str = field(default="", compare=False)


@registry.event("GoalSet")
@dataclass(frozen=True, slots=True)
class GoalSet:
    """Set for the first time, or set anew with another target or date."""

    goal_id: str
    goal: Goal


@registry.event("GoalProgressLogged")
@dataclass(frozen=True, slots=True)
class GoalProgressLogged:
    goal_id: str
    learner_id: str
    amount: float
    total: float


@registry.event("GoalClosed")
@dataclass(frozen=True, slots=True)
class GoalClosed:
    goal_id: str
    learner_id: str
    outcome: str


GoalEvent = GoalSet | GoalProgressLogged | GoalClosed


@dataclass(frozen=True, slots=True)
class SetGoal:
    """``measure``, ``target`` and ``due`` may be missing in what somebody sends; then the goal is refused, naming them."""

    unhashed: ClassVar[tuple[str, ...]] = ("statement",)
    goal_id: str
    learner_id: str
    statement: str
    statement_digest: str
    measure: Measure | None
    target: float | None
    due: str | None
    horizon: str
    provenance: Provenance
    now: int


@dataclass(frozen=True, slots=True)
class LogGoalProgress:
    goal_id: str
    amount: float
    now: int


@dataclass(frozen=True, slots=True)
class CloseGoal:
    goal_id: str
    outcome: str
    now: int


GoalCommand = SetGoal | LogGoalProgress | CloseGoal


@dataclass(frozen=True, slots=True)
class NoGoal:
    """Nothing was set yet."""


@dataclass(frozen=True, slots=True)
class OpenGoal:
    goal: Goal
    logged: float = 0.0


@dataclass(frozen=True, slots=True)
class ClosedGoal:
    goal: Goal
    outcome: str


GoalState = NoGoal | OpenGoal | ClosedGoal


def decide(command: GoalCommand, state: GoalState) -> Sequence[GoalEvent]:
    if isinstance(state, ClosedGoal):
        raise RuleBroken(f"goal {command.goal_id} is closed", rule="goal-closed")
    match command:
        case SetGoal():
            goal = _smart(command)
            if isinstance(state, OpenGoal) and state.goal.learner_id != goal.learner_id:
                raise NotFound(f"there is no goal {command.goal_id}")
            return [GoalSet(command.goal_id, goal)]
        case LogGoalProgress():
            held = _open(command.goal_id, state)
            if held.goal.measure.kind != "count":
                raise RuleBroken(
                    "only a counted goal is logged; the others follow the evidence", rule="progress-computed"
                )
            if command.amount <= 0:
                raise InvalidInput("what is logged is more than nothing", field="amount", value=command.amount)
            total = held.logged + command.amount
            return [GoalProgressLogged(command.goal_id, held.goal.learner_id, command.amount, total)]
        case CloseGoal():
            if command.outcome not in OUTCOMES:
                raise InvalidInput(f"an outcome is one of {', '.join(sorted(OUTCOMES))}", field="outcome")
            return [GoalClosed(command.goal_id, _open(command.goal_id, state).goal.learner_id, command.outcome)]
        case _:
            assert_never(command)


def _open(goal_id: str, state: GoalState) -> OpenGoal:
    if not isinstance(state, OpenGoal):
        raise NotFound(f"there is no goal {goal_id}")
    return state


def _smart(command: SetGoal) -> Goal:
    measure, target, due = command.measure, command.target, command.due
    if measure is None or target is None or due is None:
        given = {"measure": measure, "target": target, "due": due}
        missing = [name for name, value in given.items() if value is None]
        raise InvalidInput(f"a goal also says its {' and its '.join(missing)}", missing=missing)
    if not command.statement:
        raise InvalidInput("a goal says what is wanted", field="statement")
    if command.horizon not in ("short", "long"):
        raise InvalidInput("a goal's horizon is short or long", field="horizon", value=command.horizon)
    _check_measure(measure, target)
    try:
        day = date.fromisoformat(due)
    except ValueError as error:
        raise InvalidInput("the date of a goal is written YYYY-MM-DD", field="due", value=due) from error
    if day < datetime.fromtimestamp(command.now / 1000, UTC).date():
        raise InvalidInput("a goal lies ahead", field="due", value=due)
    provenance = settled(command.provenance, command.now)
    return Goal(command.learner_id, measure, target, due, command.horizon, provenance, command.statement)


def _check_measure(measure: Measure, target: float) -> None:
    named = len(measure.competency_ids)
    match measure.kind:
        case "competencies":
            if not (named and 1 <= target <= named and target == int(target)):
                raise InvalidInput("aim at 1 to as many competencies as the goal names", field="target", value=target)
        case "estimate":
            if not (named == 1 and 0.0 < target <= 1.0):
                raise InvalidInput(
                    "aim at an estimate above 0, up to 1, of one competency", field="target", value=target
                )
        case "count":
            if not (_UNIT.fullmatch(measure.unit) and target > 0):
                raise InvalidInput("a count names its unit and aims above 0", field="target", value=target)
        case _:
            raise InvalidInput(
                f"a measure is one of {', '.join(sorted(MEASURES))}", field="measure", value=measure.kind
            )


def progress(goal: Goal, logged: float, mastery: Mapping[str, tuple[float, bool]]) -> float:
    """How much of the target is reached, in units of the target. ``mastery``: competency id -> (estimate, earned)."""
    named = [mastery.get(competency, (0.0, False)) for competency in goal.measure.competency_ids]
    match goal.measure.kind:
        case "competencies":
            return float(sum(earned for _, earned in named))
        case "estimate":
            return named[0][0]
        case _:
            return logged


def evolve(state: GoalState, event: GoalEvent) -> GoalState:
    match event:
        case GoalSet():
            return OpenGoal(event.goal, state.logged if isinstance(state, OpenGoal) else 0.0)
        case GoalProgressLogged():
            return replace(state, logged=event.total) if isinstance(state, OpenGoal) else state
        case GoalClosed():
            return ClosedGoal(state.goal, event.outcome) if isinstance(state, OpenGoal) else state
        case _:
            assert_never(event)


goal: Decider[GoalCommand, GoalState, GoalEvent] = Decider(
    category="goal", registry=registry, initial=NoGoal, decide=decide, evolve=evolve
)
