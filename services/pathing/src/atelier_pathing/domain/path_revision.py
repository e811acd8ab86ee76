"""When a path has a new revision, and what it says."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from atelier_pathing.domain.path_events import AuthorRole, FrontierStep, GateMet, PathRevised, Tag
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
    told = {step.competency_id: step for step in before.frontier}
    published = tuple(
        [_published(step, told.get(step.competency_id), after) for step in _line(before, after, standing, occasion.now)]
    )
    turned = _turned(after, graph) if before.revision else ()
    if not turned and not occasion.always and not _differs(before.frontier, published, after):
        return None
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


def _line(before: PathState, after: PathState, standing: Standing, now: int) -> Sequence[FrontierStep | Step]:
    """What is published in which order: as it was, where neither the ground nor anybody's wishes have changed."""
    same_ground = standing is before.standing and before.version == standing.graph.version
    if before.revision and same_ground and before.wishes == after.wishes:
        return before.frontier
    return frontier(standing, after.wishes, now, PUBLISHED)


def _turned(after: PathState, graph: Graph) -> tuple[str, ...]:
    """What was earned or lost since the revision before, in teaching order."""
    return tuple(sorted((key for key in after.turned if key in graph.place), key=graph.place.__getitem__))


def _differs(told: Sequence[FrontierStep], published: Sequence[FrontierStep], after: PathState) -> bool:
    return len(told) != len(published) or any(
        was is not now and _is_news(was, now, after.estimates.get(now.competency_id))
        for was, now in zip(told, published, strict=True)
    )


def _is_news(told: FrontierStep, now: FrontierStep, known: Estimate | None) -> bool:
    if (told.competency_id, told.subject, told.state, told.deferred_until) != (
        now.competency_id,
        now.subject,
        now.state,
        now.deferred_until,
    ):
        return True
    if known is None:
        return False
    if told.estimate is None or told.uncertainty is None:
        return True
    return BANDS.moved(Estimate(told.estimate, told.uncertainty, without_progress=told.without_progress), known)


def _published(step: FrontierStep | Step, told: FrontierStep | None, after: PathState) -> FrontierStep:
    """The step with all that is known of it now; ``told`` itself where that says the same already."""
    competency_id = step.competency_id
    known = after.estimates.get(competency_id)
    origin: AuthorRole = after.first_by if competency_id in after.first else "engine"
    until = after.deferred.get(competency_id) if step.state == "deferred" else None
    if (
        told is not None
        and told.state == step.state
        and told.subject == step.subject
        and told.origin == origin
        and told.deferred_until == until
        and _says(told, known)
    ):
        return told
    if known is None:
        return FrontierStep(competency_id, step.subject, step.state, deferred_until=until, origin=origin)
    return FrontierStep(
        competency_id,
        step.subject,
        step.state,
        known.estimate,
        known.uncertainty,
        known.evidence_ids,
        until,
        origin,
        known.without_progress,
        known.failed_kind,
    )


def _says(told: FrontierStep, known: Estimate | None) -> bool:
    if known is None:
        return told.estimate is None
    return (
        told.estimate == known.estimate
        and told.uncertainty == known.uncertainty
        and told.evidence_ids == known.evidence_ids
        and told.without_progress == known.without_progress
        and told.failed_kind == known.failed_kind
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
