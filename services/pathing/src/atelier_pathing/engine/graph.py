"""The competency graph as adjacency lists over plain integers: a smaller number never needs a larger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from atelier_pathing.case.order import topological_order

MOST_NEEDS = 255
"""A learner's unmet gates are counted in one byte per competency."""


@dataclass(frozen=True)
class Node:
    """What the engine needs of a competency. Headings are not learnt and never become ready."""

    competency_id: str
    subject: str
    learnable: bool = True


@dataclass(frozen=True)
class Edge:
    """``first`` comes before ``second``; only an essential edge gates."""

    first: str
    second: str
    essential: bool


@dataclass(frozen=True, eq=False)
class Graph:
    """The competencies of all adopted frameworks in teaching order.

    Node numbers are a topological order of all ``precedes`` edges, so they are also the order in which competencies are
    offered. Two graphs are the same exactly if their ``version`` is. ``needs`` and ``opens`` hold the essential edges
    in both directions, ``follows`` the ordering predecessors.
    """

    version: str
    nodes: tuple[Node, ...]
    needs: tuple[tuple[int, ...], ...]
    opens: tuple[tuple[int, ...], ...]
    follows: tuple[tuple[int, ...], ...]

    @cached_property
    def place(self) -> Mapping[str, int]:
        """Node number by competency id."""
        return {node.competency_id: number for number, node in enumerate(self.nodes)}

    @cached_property
    def learnable(self) -> bytes:
        return bytes(node.learnable for node in self.nodes)

    @cached_property
    def subject_numbers(self) -> tuple[int, ...]:
        """The subject of each node as a small number."""
        numbers: dict[str, int] = {}
        return tuple(numbers.setdefault(node.subject, len(numbers)) for node in self.nodes)

    @cached_property
    def subject_count(self) -> int:
        return len(set(self.subject_numbers))

    def __len__(self) -> int:
        return len(self.nodes)


def build_graph(version: str, nodes: Sequence[Node], edges: Sequence[Edge]) -> Graph:
    """Number the nodes and turn the edges into adjacency; edges to unknown nodes are left out.

    Raises ValueError where the edges run in a circle or a competency has more than 255 essential prerequisites.
    """
    place = {node.competency_id: number for number, node in enumerate(nodes)}
    known = [edge for edge in edges if edge.first in place and edge.second in place]
    successors: list[list[int]] = [[] for _ in nodes]
    for edge in known:
        successors[place[edge.first]].append(place[edge.second])
    order = topological_order(len(nodes), successors)
    if order is None:
        raise ValueError("the edges run in a circle")
    ordered = tuple(nodes[number] for number in order)
    place = {node.competency_id: number for number, node in enumerate(ordered)}
    needs: list[list[int]] = [[] for _ in ordered]
    opens: list[list[int]] = [[] for _ in ordered]
    follows: list[list[int]] = [[] for _ in ordered]
    for edge in known:
        first, second = place[edge.first], place[edge.second]
        if edge.essential:
            needs[second].append(first)
            opens[first].append(second)
        else:
            follows[second].append(first)
    if any(len(set(numbers)) > MOST_NEEDS for numbers in needs):
        raise ValueError(f"a competency has more than {MOST_NEEDS} essential prerequisites")
    return Graph(version, ordered, _frozen(needs), _frozen(opens), _frozen(follows))


def _frozen(lists: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(sorted(set(numbers))) for numbers in lists)


EMPTY = build_graph("", (), ())
