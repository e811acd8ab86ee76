"""When a path has a new revision, and what it says."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from atelier_pathing.domain.path_events import AuthorRole, FrontierStep, GateMet, PathRevised, StepState, Tag
from atelier_pathing.domain.path_state import PathState, standing_on
from atelier_pathing.engine.frontier import PerSubject, Step, met_by
from atelier_pathing.engine.frontier import frontier as frontier_of
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

    What is published follows from the state alone, and one is due whenever it is not what was published last; also on a
    person's edit, and where anything of the framework was earned or is no longer. So however the same facts come in, one
    by one or many at once, the last revision says the same.
    """
    standing, last = standing_on(after, graph), before.published
    line = _line(before, after, standing, occasion.now)
    frontier = tuple([_step(competency_id, subject, state, after) for competency_id, subject, state, *_ in line])
    gates = last.gates_met if last is not None and line is last.frontier else _gates(standing, frontier, after)
    earned_count = standing.earned_count
    turned = _turned(after, graph) if last is not None else ()
    as_published = last is not None and (frontier, gates, earned_count) == (
        last.frontier,
        last.gates_met,
        last.earned_count,
    )
    if as_published and not turned and not occasion.always:
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
        frontier=frontier,
        gates_met=gates,
        earned_count=earned_count,
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
    return frontier_of(standing, after.wishes, now, PUBLISHED)


def _turned(after: PathState, graph: Graph) -> tuple[str, ...]:
    """What was earned or lost since the revision before, in teaching order."""
    return tuple(sorted((key for key in after.turned if key in graph.place), key=graph.place.__getitem__))


def _step(competency_id: str, subject: str, state: StepState, after: PathState) -> FrontierStep:
    """The step with all that is known of it."""
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
