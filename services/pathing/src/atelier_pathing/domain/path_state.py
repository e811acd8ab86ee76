"""A path's state, and how events change it over a given graph."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from atelier_pathing.domain.path_events import (
    AuthorRole,
    CompetencyDeferred,
    CreditTransferred,
    DeferralEnded,
    FrameworkFollowed,
    FrontierStep,
    GateWaived,
    MasteryNoted,
    OrderChosen,
    PathEvent,
    PathForgotten,
    PathOpened,
    PathRevised,
    TestOutAsked,
    WaiverWithdrawn,
)
from atelier_pathing.engine.estimates import Estimate
from atelier_pathing.engine.frontier import Wishes
from atelier_pathing.engine.graph import Graph
from atelier_pathing.engine.standing import Standing, advance, own_flags, stand


@dataclass(frozen=True, slots=True)
class PathState:
    """Everything a decision needs.

    ``standing`` follows from the other fields and the graph; it is kept so that one change touches its neighbours
    only, and is made anew where another graph asks. ``frontier`` is what the last revision published, ``turned`` are the
    competencies that were earned then and are not now, or the other way round.
    """

    learner_id: str = ""
    framework_id: str = ""
    forgotten: bool = False
    version: str = ""
    estimates: Mapping[str, Estimate] = field(default_factory=dict)
    credited: frozenset[str] = frozenset()
    waived_by: Mapping[str, str] = field(default_factory=dict)
    first: tuple[str, ...] = ()
    first_by: AuthorRole = "engine"
    deferred: Mapping[str, int] = field(default_factory=dict)
    asked: frozenset[str] = frozenset()
    turned: frozenset[str] = frozenset()
    published: PathRevised | None = None
    standing: Standing | None = field(default=None, compare=False, repr=False)

    @property
    def revision(self) -> int:
        return 0 if self.published is None else self.published.revision

    @property
    def frontier(self) -> tuple[FrontierStep, ...]:
        """As the last revision published it."""
        return () if self.published is None else self.published.frontier

    @property
    def wishes(self) -> Wishes:
        return Wishes(self.first, self.deferred, self.asked)

    def own_flags(self, competency_id: str) -> int:
        return own_flags(
            self.estimates.get(competency_id), competency_id in self.credited, competency_id in self.waived_by
        )


def standing_on(state: PathState, graph: Graph) -> Standing:
    """Where the learner stands on this graph; computed in full only where the state was folded over another one."""
    if state.standing is not None and state.standing.graph is graph:
        return state.standing
    touched = {*state.estimates, *state.credited, *state.waived_by}
    return stand(graph, {graph.place[key]: state.own_flags(key) for key in touched if key in graph.place})


def evolve(state: PathState, event: PathEvent, graph: Graph) -> PathState:
    match event:
        case PathOpened():
            return replace(state, learner_id=event.learner_id, framework_id=event.framework_id)
        case MasteryNoted():
            return _noted(state, event, graph)
        case FrameworkFollowed():
            return replace(state, version=event.version, standing=standing_on(state, graph))
        case OrderChosen():
            return replace(state, first=event.competency_ids, first_by=event.author_role)
        case CompetencyDeferred():
            return replace(state, deferred={**state.deferred, event.competency_id: event.until})
        case DeferralEnded():
            left = {key: until for key, until in state.deferred.items() if key != event.competency_id}
            return replace(state, deferred=left)
        case TestOutAsked():
            return replace(state, asked=state.asked | {event.competency_id})
        case GateWaived():
            waived = {**state.waived_by, event.competency_id: event.author}
            return _restood(state, replace(state, waived_by=waived), event.competency_id, graph)
        case CreditTransferred():
            credited = state.credited | {event.competency_id}
            return _restood(state, replace(state, credited=credited), event.competency_id, graph)
        case WaiverWithdrawn():
            kept = {key: by for key, by in state.waived_by.items() if key != event.competency_id}
            after = replace(state, waived_by=kept, credited=state.credited - {event.competency_id})
            return _restood(state, after, event.competency_id, graph)
        case PathRevised():
            return replace(state, published=event, turned=frozenset())
        case PathForgotten():
            return PathState(learner_id=state.learner_id, framework_id=state.framework_id, forgotten=True)
        case _:
            assert_never(event)


def _noted(state: PathState, event: MasteryNoted, graph: Graph) -> PathState:
    estimates = dict(state.estimates)
    turned = state.turned
    for change in event.changes:
        known = estimates.get(change.competency_id)
        if change.earned != (known is not None and known.earned):
            turned ^= {change.competency_id}
        estimates[change.competency_id] = Estimate(
            change.estimate,
            change.uncertainty,
            change.earned,
            change.evidence_ids,
            change.without_progress,
            change.failed_kind,
            change.heard or (known.heard if known else 0),
        )
    changed = [change.competency_id for change in event.changes]
    asked = state.asked.difference(changed) if state.asked else state.asked
    standing = standing_on(state, graph)
    for competency_id in changed:
        node = graph.place.get(competency_id)
        if node is not None:
            flags = own_flags(
                estimates[competency_id], competency_id in state.credited, competency_id in state.waived_by
            )
            standing = advance(standing, node, flags)
    return replace(state, estimates=estimates, asked=asked, turned=turned, standing=standing)


def _restood(before: PathState, after: PathState, competency_id: str, graph: Graph) -> PathState:
    standing = standing_on(before, graph)
    node = graph.place.get(competency_id)
    if node is None:
        return replace(after, standing=standing)
    return replace(after, standing=advance(standing, node, after.own_flags(competency_id)))
