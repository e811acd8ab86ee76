"""The frontier: what it never contains, and that steps agree with the whole."""

from collections.abc import Sequence
from itertools import pairwise

from atelier_pathing.case.order import find_cycle, topological_order
from atelier_pathing.engine.estimates import Estimate
from atelier_pathing.engine.frontier import PerSubject, Wishes, frontier, placement_probes, reasons
from atelier_pathing.engine.graph import Edge, Graph, Node, build_graph
from atelier_pathing.engine.standing import (
    COVERED,
    CREDITED,
    EARNED,
    GATE_MET,
    STARTED,
    WAIVED,
    advance,
    own_flags,
    stand,
)
from hypothesis import given, settings
from hypothesis import strategies as st

KNOWN = Estimate(0.9, 0.05, earned=True)
SURE = Estimate(0.9, 0.1)
LEARNING = Estimate(0.5, 0.1)
DOUBTFUL = Estimate(0.5, 0.4)


def graph_of(names: str, *edges: tuple[str, str, bool], headings: str = "") -> Graph:
    nodes = [Node(name, "Making", name not in headings) for name in names]
    return build_graph("1", nodes, [Edge(*edge) for edge in edges])


def steps_of(
    graph: Graph, known: dict[str, Estimate], wishes: Wishes | None = None, **gates: str
) -> list[tuple[str, str]]:
    own = {
        graph.place[name]: own_flags(
            known.get(name), name in gates.get("credited", ""), name in gates.get("waived", "")
        )
        for name in graph.place
    }
    return [(step.competency_id, step.state) for step in frontier(stand(graph, own), wishes or Wishes(), now=100)]


CHAIN = graph_of("abcd", ("a", "b", True), ("b", "c", True), ("c", "d", False))


def test_a_newcomer_gets_probes_of_all_that_has_no_gate() -> None:
    assert steps_of(CHAIN, {}) == [("a", "probe"), ("d", "probe")]


def test_an_edge_that_is_not_essential_orders_and_does_not_gate() -> None:
    assert [name for name, _ in steps_of(graph_of("ba", ("a", "b", False)), {})] == ["a", "b"]


def test_earned_mastery_opens_the_next_and_leaves_the_frontier() -> None:
    assert steps_of(CHAIN, {"a": KNOWN, "b": LEARNING}) == [("b", "ready"), ("d", "probe")]


def test_an_uncertain_estimate_means_probe() -> None:
    assert steps_of(CHAIN, {"a": DOUBTFUL})[0] == ("a", "probe")


def test_success_on_something_that_depends_on_it_meets_a_gate() -> None:
    assert ("c", "probe") in steps_of(CHAIN, {"c": SURE})
    assert ("b", "probe") in steps_of(CHAIN, {"c": SURE})


def test_credit_and_waiver_meet_a_gate_and_only_credit_ends_the_matter() -> None:
    assert [name for name, _ in steps_of(CHAIN, {}, credited="a")] == ["b", "d"]
    assert [name for name, _ in steps_of(CHAIN, {}, waived="a")] == ["a", "b", "d"]


def test_a_heading_is_never_offered() -> None:
    assert steps_of(graph_of("ab", headings="a"), {}) == [("b", "probe")]


def test_what_was_chosen_comes_first_and_what_was_deferred_comes_last_until_it_ends() -> None:
    free = graph_of("abc")
    assert steps_of(free, {}, Wishes(first=("c",), deferred={"a": 101})) == [
        ("c", "probe"),
        ("b", "probe"),
        ("a", "deferred"),
    ]
    assert steps_of(free, {}, Wishes(deferred={"a": 100}))[0] == ("a", "probe")


def test_what_was_started_comes_before_what_is_new() -> None:
    assert steps_of(graph_of("abcd"), {"c": LEARNING, "d": DOUBTFUL}) == [
        ("c", "ready"),
        ("d", "probe"),
        ("a", "probe"),
        ("b", "probe"),
    ]


def test_the_next_steps_of_each_subject_are_those_begun_and_a_few_new_ones() -> None:
    nodes = [Node(name, "Making" if name in "abcdef" else "Music") for name in "abcdefuvwxyz"]
    graph = build_graph("1", nodes, [])
    begun = own_flags(LEARNING, False, False)
    standing = stand(graph, {graph.place[name]: begun for name in "bcd"})
    wishes = Wishes(first=("z",), deferred={"u": 101})
    steps = frontier(standing, wishes, 100, PerSubject(started=2, new=2))
    assert [step.competency_id for step in steps] == ["z", "b", "c", "a", "v", "u"]


def test_reasons_name_each_gate_and_how_it_is_met() -> None:
    graph = graph_of("abc", ("a", "c", True), ("b", "c", True))
    standing = stand(graph, {graph.place["a"]: WAIVED})
    assert reasons(standing, "c", Wishes(), 100, None)[:2] == [
        {"code": "gate-met", "competency_id": "a", "by": "waiver"},
        {"code": "gate-unmet", "competency_id": "b"},
    ]


def test_a_newcomer_is_placed_on_a_long_chain_by_a_few_probes() -> None:
    names = "".join(chr(ord("a") + place) for place in range(20))
    chain = graph_of(names, *((first, second, True) for first, second in pairwise(names)))
    for knows in range(21):
        standing, asked = stand(chain, {}), 0
        while probes := placement_probes(standing):
            (probe,) = probes
            right = chain.place[probe] < knows
            standing = advance(standing, chain.place[probe], own_flags(KNOWN if right else LEARNING, False, False))
            asked += 1
        assert asked <= 5
        ready = {number for number in range(20) if standing.is_ready(number)}
        assert max(ready, default=0) <= knows
        assert knows == 20 or ready & {knows, knows - 1}


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    size = draw(st.integers(1, 14))
    names = [f"n{number}" for number in range(size)]
    pairs = draw(st.lists(st.tuples(st.integers(0, size - 1), st.integers(0, size - 1), st.booleans()), max_size=30))
    edges = [Edge(names[first], names[second], essential) for first, second, essential in pairs if first < second]
    shuffled = draw(st.permutations(names))
    return build_graph("1", [Node(name, name[-1], draw(st.booleans()) or True) for name in shuffled], edges)


OWN = st.builds(
    own_flags,
    st.sampled_from([None, KNOWN, SURE, LEARNING, DOUBTFUL]),
    st.sampled_from([False, False, True]),
    st.booleans(),
)


@settings(max_examples=200, deadline=None)
@given(graphs(), st.lists(st.tuples(st.integers(0, 13), OWN), max_size=25))
def test_any_sequence_of_changes_leads_to_what_a_full_computation_gives(
    graph: Graph, changes: list[tuple[int, int]]
) -> None:
    standing, own = stand(graph, {}), {}
    for place, flags in changes:
        node = place % len(graph)
        own[node] = flags
        standing = advance(standing, node, flags)
    full = stand(graph, own)
    assert standing.flags == full.flags
    assert standing.unmet == full.unmet


@settings(max_examples=200, deadline=None)
@given(graphs(), st.dictionaries(st.integers(0, 13), OWN), st.lists(st.integers(0, 13)), st.integers(1, 3))
def test_the_frontier_never_contains_an_unmet_gate(
    graph: Graph, own: dict[int, int], wished: list[int], per_subject: int
) -> None:
    standing = stand(graph, {place % len(graph): flags for place, flags in own.items()})
    first = tuple(graph.nodes[place % len(graph)].competency_id for place in dict.fromkeys(wished))
    whole = frontier(standing, Wishes(first=tuple(dict.fromkeys(first))), 0)
    for step in whole:
        node = graph.place[step.competency_id]
        assert _gates_open(graph, standing.flags, graph.needs[node])
        assert not standing.flags[node] & (EARNED | CREDITED)
    ready = {graph.nodes[node].competency_id for node in range(len(graph)) if standing.is_ready(node)}
    assert {step.competency_id for step in whole} == ready
    next_steps = frontier(standing, Wishes(first=tuple(dict.fromkeys(first))), 0, PerSubject(per_subject, per_subject))
    assert {step.competency_id for step in next_steps} <= ready


@settings(max_examples=200, deadline=None)
@given(graphs(), st.dictionaries(st.integers(0, 13), OWN))
def test_the_ready_nodes_are_those_that_are_ready_one_by_one_and_each_is_started_or_new(
    graph: Graph, own: dict[int, int]
) -> None:
    standing = stand(graph, {place % len(graph): flags for place, flags in own.items()})
    ready = [node for node in range(len(graph)) if standing.is_ready(node)]
    started, new = standing.started_and_new()
    assert list(standing.ready_nodes()) == ready
    assert list(started) == [node for node in ready if standing.flags[node] & STARTED]
    assert list(new) == [node for node in ready if not standing.flags[node] & STARTED]


def _gates_open(graph: Graph, flags: bytes, needs: Sequence[int]) -> bool:
    def beyond(node: int) -> bool:
        return any(flags[after] & 2 or flags[after] & EARNED or beyond(after) for after in graph.opens[node])

    for need in needs:
        assert bool(flags[need] & COVERED) == beyond(need)
    return all(flags[need] & GATE_MET for need in needs)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 10), st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=25))
def test_a_cycle_is_found_exactly_where_no_order_exists_and_is_a_real_one(
    size: int, pairs: list[tuple[int, int]]
) -> None:
    successors: list[list[int]] = [[] for _ in range(size)]
    for first, second in pairs:
        successors[first % size].append(second % size)
    cycle = find_cycle(size, successors)
    assert bool(cycle) == (topological_order(size, successors) is None)
    assert len(set(cycle)) == len(cycle)
    for place, node in enumerate(cycle):
        assert cycle[(place + 1) % len(cycle)] in successors[node]
