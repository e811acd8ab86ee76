"""A week's plan of one site: proposed, published at the cut-off, superseded. Stream ``plan/<site_id>:<week>``.

The plan itself and the problem it answers are content-addressed parts, stored before the commit that names them. A repaired
proposal is stored as what differs from its base. A plan that the oracle found unsafe is never published; where nothing safe
exists, the refusal with its reason is the event, and an alarm.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from atelier_common.decider import Decider
from atelier_common.errors import ConcurrencyConflict, NotFound, RuleBroken

from atelier_scheduling.domain.registry import REGISTRY


@dataclass(frozen=True, slots=True)
class Moved:
    """A learner whom a plan moves. Forced moves do not spend the stability budget."""

    learner_id: str
    forced: bool
    reason_code: str
    changed_sessions: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What a plan does, in numbers. Minutes are learner minutes."""

    learners: int = 0
    adults: int = 0
    sessions: int = 0
    studios: int = 0
    needs: int = 0
    needs_served: int = 0
    obligations: int = 0
    obligations_met: int = 0
    obligations_owed: int = 0
    minutes_with_adults: int = 0
    minutes_independent: int = 0
    minutes_on_site: int = 0
    chosen_share: float = 0.0
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Cut:
    """The facts a plan was built from: a source and the last position of it that the plan knows."""

    source: str
    version: int


@dataclass(frozen=True, slots=True)
class ProposePlan:
    """``plan_digest`` names the whole plan's part, or the difference from ``base_digest`` where that is not empty.

    ``reason`` is cadence, path, forced, override, request or site. ``moves`` compare with the previous plan of the week.
    ``safe`` is the oracle's verdict; ``violations`` its findings.
    """

    plan_id: str
    plan_digest: str
    base_digest: str
    problem_digest: str
    changes_digest: str
    reason: str
    engine: str
    seed: int
    effort: int
    moves: tuple[Moved, ...]
    figures: Figures
    cut: tuple[Cut, ...]
    causes: tuple[str, ...]
    safe: bool
    violations: tuple[str, ...]
    now: int


@dataclass(frozen=True, slots=True)
class RefusePlan:
    """Even supervision is impossible: nothing is proposed, the diagnosis says why, an alarm is raised."""

    problem_digest: str
    diagnosis: tuple[str, ...]
    reason: str
    now: int


@dataclass(frozen=True, slots=True)
class PublishPlan:
    """``acknowledges_owed``: the person answers for publishing with obligations owed. ``plan_id`` empty: the latest proposal."""

    plan_id: str
    by: str
    automatic: bool
    acknowledges_owed: bool
    now: int


PlanCommand = ProposePlan | RefusePlan | PublishPlan


@REGISTRY.event("plan.proposed")
@dataclass(frozen=True, slots=True)
class PlanProposed:
    plan_id: str
    plan_digest: str
    base_digest: str
    problem_digest: str
    changes_digest: str
    previous_plan_id: str
    reason: str
    engine: str
    seed: int
    effort: int
    moves: tuple[Moved, ...]
    figures: Figures
    cut: tuple[Cut, ...]
    causes: tuple[str, ...]
    safe: bool
    violations: tuple[str, ...]
    proposed_at: int


@REGISTRY.event("plan.refused")
@dataclass(frozen=True, slots=True)
class PlanRefused:
    problem_digest: str
    diagnosis: tuple[str, ...]
    reason: str
    refused_at: int


@REGISTRY.event("plan.published")
@dataclass(frozen=True, slots=True)
class PlanPublished:
    plan_id: str
    plan_digest: str
    previous_plan_id: str
    by: str
    automatic: bool
    owed_acknowledged_by: str
    moves: tuple[Moved, ...]
    figures: Figures
    published_at: int


@REGISTRY.event("plan.superseded")
@dataclass(frozen=True, slots=True)
class PlanSuperseded:
    plan_id: str
    by_plan_id: str
    reason: str
    superseded_at: int


PlanEvent = PlanProposed | PlanRefused | PlanPublished | PlanSuperseded


@dataclass(frozen=True, slots=True)
class Plans:
    """The plans of one week: the proposal that waits, the plan that holds, and how the one that holds was proposed."""

    proposed: PlanProposed | None = None
    published: PlanPublished | None = None
    held: PlanProposed | None = None
    count: int = 0


def decide(command: PlanCommand, state: Plans) -> Sequence[PlanEvent]:
    match command:
        case ProposePlan():
            return _propose(command, state)
        case RefusePlan():
            return [PlanRefused(command.problem_digest, command.diagnosis, command.reason, command.now)]
        case PublishPlan():
            return _publish(command, state)


def _propose(command: ProposePlan, state: Plans) -> Sequence[PlanEvent]:
    newest = state.proposed or state.held
    if newest is not None and newest.plan_digest == command.plan_digest:
        return []
    if command.base_digest and (newest is None or newest.plan_digest != command.base_digest):
        raise ConcurrencyConflict("another plan of this week was proposed meanwhile; repair that one")
    latest = state.proposed.plan_id if state.proposed else (state.published.plan_id if state.published else "")
    proposal = PlanProposed(
        command.plan_id,
        command.plan_digest,
        command.base_digest,
        command.problem_digest,
        command.changes_digest,
        latest,
        command.reason,
        command.engine,
        command.seed,
        command.effort,
        command.moves,
        command.figures,
        command.cut,
        command.causes,
        command.safe,
        command.violations,
        command.now,
    )
    if state.proposed is None:
        return [proposal]
    return [proposal, PlanSuperseded(state.proposed.plan_id, command.plan_id, command.reason, command.now)]


def _publish(command: PublishPlan, state: Plans) -> Sequence[PlanEvent]:
    proposal = state.proposed
    if state.published and command.plan_id == state.published.plan_id:
        return []
    if proposal is None:
        raise NotFound("no plan of this week waits to be published")
    if command.plan_id not in ("", proposal.plan_id):
        raise RuleBroken(f"plan {command.plan_id} was superseded by {proposal.plan_id}", plan_id=proposal.plan_id)
    if not proposal.safe:
        raise RuleBroken(
            f"plan {proposal.plan_id} breaks a safety rule and is not published: {proposal.violations[0]}",
            violations=list(proposal.violations[:20]),
        )
    if proposal.figures.obligations_owed and not command.acknowledges_owed:
        raise RuleBroken(
            f"{proposal.figures.obligations_owed} obligations are owed; a named person acknowledges them to publish",
            owed=proposal.figures.obligations_owed,
        )
    before = state.published.plan_id if state.published else ""
    published = PlanPublished(
        proposal.plan_id,
        proposal.plan_digest,
        before,
        command.by,
        command.automatic,
        command.by if proposal.figures.obligations_owed else "",
        proposal.moves,
        proposal.figures,
        command.now,
    )
    if not before:
        return [published]
    return [published, PlanSuperseded(before, proposal.plan_id, proposal.reason, command.now)]


def evolve(state: Plans, event: PlanEvent) -> Plans:
    match event:
        case PlanProposed():
            return replace(state, proposed=event, count=state.count + 1)
        case PlanPublished():
            return replace(state, published=event, held=state.proposed, proposed=None)
        case PlanRefused() | PlanSuperseded():
            return state


def answer(_command: PlanCommand, events: Sequence[PlanEvent], state: Plans) -> dict[str, object]:
    """What a caller gets: the plan the command was about."""
    plan = state.proposed or state.published
    return {"plan_id": plan.plan_id if plan else "", "changed": bool(events)}


PLAN: Decider[PlanCommand, Plans, PlanEvent] = Decider("plan", REGISTRY, Plans, decide, evolve, answer)


def plan_key(site_id: str, week: str) -> str:
    """The key of a week's plan; its stream is ``plan/<key>``."""
    return f"{site_id}:{week}"
