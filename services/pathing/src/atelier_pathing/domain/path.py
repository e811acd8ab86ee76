"""A learner's path in one framework: a versioned aggregate that the engine, the learner and adults revise.

Stream ``path/<learner>:<framework>``. A decision needs the competency graph, which is too large for a command; so a
decider is made for a graph. The graph decides what a new revision says, never what a stored one said.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, assert_never

from atelier_common.decider import Decider
from atelier_common.errors import NotFound, PreconditionFailed

from atelier_pathing.domain.path_commands import (
    EditPath,
    EndDeferrals,
    ForgetPath,
    NoteMastery,
    OpenPath,
    PathCommand,
    SettleGate,
)
from atelier_pathing.domain.path_edits import edit, settle_gate
from atelier_pathing.domain.path_events import (
    DeferralEnded,
    FrameworkFollowed,
    MasteryNoted,
    NotedMastery,
    PathEvent,
    PathForgotten,
    PathOpened,
)
from atelier_pathing.domain.path_revision import Occasion, revision
from atelier_pathing.domain.path_state import PathState, evolve, standing_on
from atelier_pathing.domain.registry import REGISTRY
from atelier_pathing.engine.graph import Graph
from atelier_pathing.engine.standing import stand

ENGINE = "engine:frontier-1"


def path_key(learner_id: str, framework_id: str) -> str:
    """The stream's name behind its category."""
    return f"{learner_id}:{framework_id}"


def path_decider(graph: Graph) -> Decider[PathCommand, PathState, PathEvent]:
    """The path aggregate over ``graph``.

    States folded over another graph are stood anew on this one when first used.
    """
    blank = PathState(standing=stand(graph, {}))
    return Decider(
        category="path",
        registry=REGISTRY,
        initial=lambda: blank,
        decide=lambda command, state: decide(command, state, graph),
        evolve=lambda state, event: evolve(state, event, graph),
        result=_result,
    )


def decide(command: PathCommand, state: PathState, graph: Graph) -> Sequence[PathEvent]:
    """The events of a command, a revision last where one is due. Raises NotFound, RuleBroken."""
    if state.forgotten:
        if isinstance(command, EditPath | SettleGate):
            raise NotFound("There is no such path.")
        return []
    if state.standing is None or state.standing.graph is not graph:
        state = replace(state, standing=standing_on(state, graph))
    match command:
        case NoteMastery():
            return _note(command, state, graph)
        case OpenPath():
            return _open(command, state, graph)
        case EditPath():
            _require_seen(command, state)
            events = edit(command, state, graph)
            note: dict[str, Any] = {"note": command.note} if command.note else {}
            return _with_revision(
                events,
                state,
                graph,
                Occasion(
                    command.now,
                    command.author,
                    command.author_role,
                    command.tag,
                    {"code": "edited", "changes": _changes(events), **note},
                    (command.cause,),
                    always=bool(events),
                ),
            )
        case SettleGate():
            _require_seen(command, state)
            events = settle_gate(command, state, graph)
            reason: dict[str, Any] = {"code": f"gate-{command.how}", "competency_id": command.competency_id}
            occasion = Occasion(
                command.now, command.author, command.author_role, "pace", reason, (command.cause,), always=bool(events)
            )
            return _with_revision(events, state, graph, occasion)
        case EndDeferrals():
            events = _expired(state, command.now)
            ended = [event.competency_id for event in events if isinstance(event, DeferralEnded)]
            reason = {"code": "deferral-ended", "competency_ids": ended}
            occasion = Occasion(command.now, ENGINE, "engine", "pace", reason, (command.cause,), always=bool(events))
            return _with_revision(events, state, graph, occasion)
        case ForgetPath():
            return [PathForgotten(command.now)]
        case _:
            assert_never(command)


def _note(command: NoteMastery, state: PathState, graph: Graph) -> list[PathEvent]:
    events = _opened(command.learner_id, command.framework_id, state, command.now)
    news = tuple(change for change in command.changes if _is_news(change, state))
    if news:
        events.append(MasteryNoted(news))
    events += _followed(state, graph, command.now)
    events += _expired(state, command.now)
    if not events:
        return []
    reason = {"code": "mastery-changed", "competency_ids": [change.competency_id for change in news]}
    evidence = tuple(dict.fromkeys(key for change in news for key in _new_evidence(change, state)))
    return _with_revision(
        events,
        state,
        graph,
        Occasion(command.now, ENGINE, "engine", "pace", reason, (command.cause,), evidence_ids=evidence),
    )


def _open(command: OpenPath, state: PathState, graph: Graph) -> list[PathEvent]:
    events = _opened(command.learner_id, command.framework_id, state, command.now)
    news = tuple(change for change in command.known if _is_news(change, state))
    if news:
        events.append(MasteryNoted(news))
    events += _followed(state, graph, command.now)
    if not events:
        return []
    reason = {"code": "framework-adopted" if state.learner_id else "path-opened", "version": graph.version}
    occasion = Occasion(command.now, ENGINE, "engine", "approach", reason, (command.cause,), always=not state.revision)
    return _with_revision(events, state, graph, occasion)


def _opened(learner_id: str, framework_id: str, state: PathState, now: int) -> list[PathEvent]:
    return [] if state.learner_id else [PathOpened(learner_id, framework_id, now)]


def _followed(state: PathState, graph: Graph, now: int) -> list[PathEvent]:
    return [] if state.version == graph.version else [FrameworkFollowed(graph.version, now)]


def _is_news(change: NotedMastery, state: PathState) -> bool:
    known = state.estimates.get(change.competency_id)
    if known is None:
        return True
    if change.heard and change.heard <= known.heard:
        return False
    return (
        known.estimate != change.estimate
        or known.uncertainty != change.uncertainty
        or known.earned != change.earned
        or known.evidence_ids != change.evidence_ids
        or known.without_progress != change.without_progress
        or known.failed_kind != change.failed_kind
    )


def _new_evidence(change: NotedMastery, state: PathState) -> tuple[str, ...]:
    known = state.estimates.get(change.competency_id)
    return tuple(key for key in change.evidence_ids if known is None or key not in known.evidence_ids)


def _expired(state: PathState, now: int) -> list[PathEvent]:
    return [DeferralEnded(key, "expired", now) for key, until in state.deferred.items() if until <= now]


def _with_revision(events: Sequence[PathEvent], state: PathState, graph: Graph, occasion: Occasion) -> list[PathEvent]:
    """``events`` and, where what they leave differs enough from what was published, the revision that says so."""
    after = state
    for event in events:
        after = evolve(after, event, graph)
    revised = revision(state, after, graph, occasion)
    return [*events, revised] if revised is not None else list(events)


def _changes(events: Sequence[PathEvent]) -> list[str]:
    return [REGISTRY.name_of(type(event)).rpartition(".")[2] for event in events]


def _require_seen(command: EditPath | SettleGate, state: PathState) -> None:
    """Evidence moves a stream all day, so people's edits are judged by the revision they saw, not by its version."""
    if not state.learner_id:
        raise NotFound("There is no such path.")
    if command.seen is not None and command.seen != state.revision:
        raise PreconditionFailed(
            f"The path is at revision {state.revision}, you saw {command.seen}: look again.", revision=state.revision
        )


def _result(command: PathCommand, events: Sequence[PathEvent], state: PathState) -> dict[str, Any] | None:
    """What a person gets back. Nobody waits for the answer of what a reaction or timer commands."""
    if not isinstance(command, EditPath | SettleGate):
        return None
    return {"revision": state.revision, "changed": bool(events)}
