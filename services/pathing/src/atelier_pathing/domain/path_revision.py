"""When a path has a new revision, and what it says."""

from dataclasses import dataclass
from typing import Any

from atelier_pathing.domain.path_events import AuthorRole, FrontierStep, GateMet, PathRevised, StepState, Tag
from atelier_pathing.domain.path_state import PathState, standing_on
from atelier_pathing.engine.estimates import BANDS, Estimate
from atelier_pathing.engine.frontier import PerSubject, Step, frontier, met_by
from atelier_pathing.engine.graph import Graph
from atelier_pathing.engine.standing import Standing

PUBLISHED = PerSubject(started=8, new=4)
"""How much of a subject is published; what a learner is ready for beyond that can always be asked."""


@dataclass(frozen=True, slots=True)
class Occasion:
    """Why a revision may be due. ``always``: also where the frontier stays as it was, for an edit is on record."""

    now: int
    author: str
    author_role: AuthorRole
    tag: Tag
    reason: dict[str, Any]
    causes: tuple[str, ...]
    evidence_ids: tuple[str, ...] = ()
    always: bool = False


def revision(before: PathState, after: PathState, graph: Graph, occasion: Occasion) -> PathRevised | None:
    """The revision that ``after`` calls for, or None.

    One is due where set, order or state of the published frontier change, where an estimate in it has moved by 0.05
    or more since it was published or crossed the band of certainty, where one has become stuck, where anything of the
    framework was earned or is no longer, and on a person's edit.
    """
    standing = standing_on(after, graph)
    same_ground = standing is before.standing and before.version == graph.version and before.wishes == after.wishes
    if same_ground and before.revision:
        steps: tuple[Step, ...] | None = None
        moved = any(_moved(step, after.estimates.get(step.competency_id)) for step in before.frontier)
    else:
        steps = frontier(standing, after.wishes, occasion.now, PUBLISHED)
        moved = _differs(before.frontier, steps, after)
    turned = _turned(after, graph) if before.revision else ()
    if not moved and not turned and not occasion.always:
        return None
    published = tuple(
        _told(step.competency_id, step.subject, step.state, after)
        for step in (before.frontier if steps is None else steps)
    )
    return PathRevised(
        learner_id=after.learner_id,
        framework_id=after.framework_id,
        revision=before.revision + 1,
        author=occasion.author,
        author_role=occasion.author_role,
        tag=occasion.tag,
        reason=occasion.reason,
        causes=occasion.causes,
        frontier=published,
        gates_met=_gates(standing, published, after),
        earned_count=standing.earned_count,
        evidence_ids=occasion.evidence_ids,
        at=occasion.now,
        earned_now=tuple(key for key in turned if after.estimates[key].earned),
        no_longer_earned=tuple(key for key in turned if not after.estimates[key].earned),
    )


def _turned(after: PathState, graph: Graph) -> tuple[str, ...]:
    """What was earned or lost since the revision before, in teaching order."""
    return tuple(sorted((key for key in after.turned if key in graph.place), key=graph.place.__getitem__))


def _differs(published: tuple[FrontierStep, ...], steps: tuple[Step, ...], after: PathState) -> bool:
    if len(published) != len(steps):
        return True
    for told, step in zip(published, steps, strict=True):
        if told.competency_id != step.competency_id or told.state != step.state:
            return True
        if told.deferred_until != after.deferred.get(step.competency_id) and step.state == "deferred":
            return True
        if _moved(told, after.estimates.get(step.competency_id)):
            return True
    return False


def _moved(told: FrontierStep, now: Estimate | None) -> bool:
    if now is None:
        return False
    if told.estimate is None or told.uncertainty is None:
        return True
    before = Estimate(told.estimate, told.uncertainty, without_progress=told.without_progress)
    return BANDS.moved(before, now)


def _told(competency_id: str, subject: str, state: StepState, after: PathState) -> FrontierStep:
    known = after.estimates.get(competency_id)
    origin: AuthorRole = after.first_by if competency_id in after.first else "engine"
    until = after.deferred.get(competency_id) if state == "deferred" else None
    if known is None:
        return FrontierStep(competency_id, subject, state, deferred_until=until, origin=origin)
    return FrontierStep(
        competency_id,
        subject,
        state,
        known.estimate,
        known.uncertainty,
        known.evidence_ids,
        until,
        origin,
        known.without_progress,
        known.failed_kind,
    )


def _gates(standing: Standing, published: tuple[FrontierStep, ...], after: PathState) -> tuple[GateMet, ...]:
    graph = standing.graph
    needs = {need for step in published for need in graph.needs[graph.place[step.competency_id]]}
    gates = []
    for need in sorted(needs):
        competency_id = graph.nodes[need].competency_id
        how = met_by(standing.flags[need])
        if how is not None:
            gates.append(GateMet(competency_id, how, after.waived_by.get(competency_id, "") if how == "waiver" else ""))
    return tuple(gates)
