"""What people may do to a path. Accepted unless a named policy blocks it, and then the refusal says which."""

from collections.abc import Iterable, Sequence
from typing import NoReturn

from atelier_common.errors import NotFound, RuleBroken

from atelier_pathing.domain.path_commands import EditPath, SettleGate
from atelier_pathing.domain.path_events import (
    CompetencyDeferred,
    CreditTransferred,
    DeferralEnded,
    GateWaived,
    OrderChosen,
    PathEvent,
    TestOutAsked,
    WaiverWithdrawn,
)
from atelier_pathing.domain.path_state import PathState, standing_on
from atelier_pathing.engine.graph import Graph
from atelier_pathing.engine.standing import DONE, GATE_MET, Standing

DAY = 24 * 60 * 60 * 1000
MOST_DEFERRED = 5
LONGEST_DEFERRAL = 28 * DAY


def edit(command: EditPath, state: PathState, graph: Graph) -> list[PathEvent]:
    """Raises RuleBroken with the ``policy`` that blocks it: only-what-is-ready, a-deferral-ends, few-deferred-at-once,
    something-stays-ready, nothing-to-test-out. NotFound for a competency outside the framework.
    """
    standing = standing_on(state, graph)
    by = (command.author, command.author_role, command.now)
    events: list[PathEvent] = []
    for competency_id in command.resume:
        _known(graph, [competency_id])
        if competency_id in state.deferred:
            events.append(DeferralEnded(competency_id, "withdrawn", command.now))
    resumed = {event.competency_id for event in events if isinstance(event, DeferralEnded)}
    if command.order is not None:
        order = tuple(dict.fromkeys(command.order))
        _all_ready(standing, order)
        if order != state.first or command.author_role != state.first_by:
            events.append(OrderChosen(order, *by))
    for competency_id, until in command.deferrals.items():
        _all_ready(standing, [competency_id])
        if not command.now < until <= command.now + LONGEST_DEFERRAL:
            _blocked(
                "a-deferral-ends",
                f"A deferral ends within {LONGEST_DEFERRAL // DAY} days; choose a moment between now and then.",
                competency_id=competency_id,
                days_at_most=LONGEST_DEFERRAL // DAY,
            )
        if state.deferred.get(competency_id) != until:
            events.append(CompetencyDeferred(competency_id, until, *by))
    still = {key for key, until in state.deferred.items() if until > command.now and key not in resumed}
    _leaves_enough(standing, still, set(command.deferrals))
    for competency_id in dict.fromkeys(command.test_out):
        (node,) = _known(graph, [competency_id])
        if standing.flags[node] & DONE or not graph.learnable[node]:
            _blocked("nothing-to-test-out", "This is shown already, or a heading.", competency_id=competency_id)
        if competency_id not in state.asked:
            events.append(TestOutAsked(competency_id, *by))
    return events


def settle_gate(command: SettleGate, state: PathState, graph: Graph) -> list[PathEvent]:
    _known(graph, [command.competency_id])
    match command.how:
        case "waiver":
            if command.competency_id in state.waived_by:
                return []
            return [GateWaived(command.competency_id, command.author, command.author_role, command.note, command.now)]
        case "credit":
            if command.competency_id in state.credited:
                return []
            return [
                CreditTransferred(command.competency_id, command.author, command.author_role, command.note, command.now)
            ]
        case "withdraw":
            if command.competency_id not in state.waived_by and command.competency_id not in state.credited:
                return []
            return [WaiverWithdrawn(command.competency_id, command.author, command.now)]


def _known(graph: Graph, competency_ids: Iterable[str]) -> list[int]:
    unknown = [key for key in competency_ids if key not in graph.place]
    if unknown:
        raise NotFound("This competency is not in the learner's framework.", competency_ids=unknown)
    return [graph.place[key] for key in competency_ids]


def _all_ready(standing: Standing, competency_ids: Sequence[str]) -> None:
    graph = standing.graph
    for competency_id, node in zip(competency_ids, _known(graph, competency_ids), strict=True):
        if standing.is_ready(node):
            continue
        unmet = [graph.nodes[need].competency_id for need in graph.needs[node] if not standing.flags[need] & GATE_MET]
        why = "an essential prerequisite is not met yet" if unmet else "it is shown already, or a heading"
        _blocked(
            "only-what-is-ready",
            f"Only what is ready can be reordered or deferred: {why}. It can be tested out of.",
            competency_id=competency_id,
            unmet=unmet,
        )


def _leaves_enough(standing: Standing, still: set[str], deferring: set[str]) -> None:
    if not deferring:
        return
    together = still | deferring
    if len(together) > MOST_DEFERRED:
        _blocked(
            "few-deferred-at-once",
            f"At most {MOST_DEFERRED} can be put off at once; take one of them up first.",
            deferred=sorted(together),
            at_most=MOST_DEFERRED,
        )
    nodes = standing.graph.nodes
    if all(nodes[node].competency_id in together for node in standing.ready_nodes()):
        _blocked("something-stays-ready", "Something has to stay ready to work on; put off fewer.")


def _blocked(policy: str, detail: str, **more: object) -> NoReturn:
    raise RuleBroken(detail, policy=policy, **more)
