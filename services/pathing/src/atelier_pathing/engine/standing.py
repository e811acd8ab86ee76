"""Where one learner stands on the whole graph, updated by touching only what a change can reach.

A gate is met by earned mastery, by success on something that depends on it, by transferred credit, or by a named
person's waiver. All flags of a learner are two byte strings, so a step is a copy of some kilobytes and a walk over
the neighbours.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush

from atelier_pathing.engine.estimates import BANDS, Bands, Estimate
from atelier_pathing.engine.graph import Graph

EARNED, SUCCEEDS, CREDITED, WAIVED, COVERED, CERTAIN, STARTED = 1, 2, 4, 8, 16, 32, 64
"""COVERED: the learner succeeds on something that essentially depends on this. STARTED: there is evidence."""
GATE_MET = EARNED | CREDITED | WAIVED | COVERED
DONE = EARNED | CREDITED
_SHOWN = SUCCEEDS | COVERED
_STARTED_ONLY = bytes((flag & STARTED) // STARTED for flag in range(256))
_EARNED_ONLY = bytes(flag & EARNED for flag in range(256))


@dataclass(frozen=True)
class Standing:
    """Per node its flags and the number of its unmet essential predecessors, of which it has at most 255."""

    graph: Graph
    flags: bytes
    unmet: bytes

    def is_ready(self, node: int) -> bool:
        """Learnable, not done, and every essential gate met."""
        return bool(self.graph.learnable[node]) and not self.unmet[node] and not self.flags[node] & DONE

    def ready_nodes(self) -> Iterable[int]:
        """All ready nodes in teaching order, lazily: the unmet counts are searched for zeros at memory speed."""
        return (node for node in _places(self.unmet, 0) if self.is_ready(node))

    def started_nodes(self) -> Iterable[int]:
        """The ready nodes with evidence, in teaching order, lazily."""
        started = self.flags.translate(_STARTED_ONLY)
        return (node for node in _places(started, 1) if self.is_ready(node))

    def new_nodes(self) -> Iterable[int]:
        """The ready nodes without evidence, in teaching order, lazily."""
        return (node for node in self.ready_nodes() if not self.flags[node] & STARTED)

    @property
    def earned_count(self) -> int:
        return self.flags.translate(_EARNED_ONLY).count(1)


def _places(content: bytes, value: int) -> Iterable[int]:
    place = content.find(value)
    while place >= 0:
        yield place
        place = content.find(value, place + 1)


def own_flags(estimate: Estimate | None, credited: bool, waived: bool, bands: Bands = BANDS) -> int:
    """The flags that follow from what is known of the competency itself, without its neighbours."""
    return (
        (EARNED if estimate is not None and estimate.earned else 0)
        | (SUCCEEDS if bands.succeeds(estimate) else 0)
        | (CREDITED | SUCCEEDS if credited else 0)
        | (WAIVED if waived else 0)
        | (0 if bands.uncertain(estimate) else CERTAIN)
        | (0 if estimate is None else STARTED)
    )


def stand(graph: Graph, own: Mapping[int, int]) -> Standing:
    """The full computation from each node's own flags (absent: none)."""
    flags = bytearray(len(graph))
    for node, flag in own.items():
        flags[node] = flag
    for node in range(len(graph) - 1, -1, -1):
        if any(flags[after] & _SHOWN for after in graph.opens[node]):
            flags[node] |= COVERED
    unmet = bytes(sum(not flags[need] & GATE_MET for need in needs) for needs in graph.needs)
    return Standing(graph, bytes(flags), unmet)


def advance(standing: Standing, node: int, own: int) -> Standing:
    """The standing after ``node``'s own flags have become ``own``; equal to a full computation.

    Walks back over what the node depends on as long as *covered* changes, and forward one step from every gate that
    opened or closed.
    """
    graph = standing.graph
    before = standing.flags[node]
    after = own | (before & COVERED)
    if after == before:
        return standing
    flags, unmet = bytearray(standing.flags), standing.unmet
    flags[node] = after
    turned = [node] if bool(before & GATE_MET) != bool(after & GATE_MET) else []
    if bool(before & _SHOWN) != bool(after & _SHOWN):
        _cover_back(graph, flags, node, turned)
    if turned:
        counts = bytearray(unmet)
        for gate in turned:
            step = -1 if flags[gate] & GATE_MET else 1
            for follower in graph.opens[gate]:
                counts[follower] += step
        unmet = bytes(counts)
    return Standing(graph, bytes(flags), unmet)


def _cover_back(graph: Graph, flags: bytearray, node: int, turned: list[int]) -> None:
    """Bring COVERED up to date before ``node``; larger numbers first, so that each node is settled once."""
    waiting: list[int] = []
    queued: set[int] = set()

    def queue(changed: int) -> None:
        for need in graph.needs[changed]:
            if need not in queued:
                queued.add(need)
                heappush(waiting, -need)

    queue(node)
    while waiting:
        here = -heappop(waiting)
        before = flags[here]
        covered = any(flags[follower] & _SHOWN for follower in graph.opens[here])
        after = before | COVERED if covered else before & ~COVERED
        if after == before:
            continue
        flags[here] = after
        if bool(before & GATE_MET) != bool(after & GATE_MET):
            turned.append(here)
        if bool(before & _SHOWN) != bool(after & _SHOWN):
            queue(here)
