"""Where one learner stands on the whole graph, updated by touching only what a change can reach.

A gate is met by earned mastery, by success on something that depends on it, by transferred credit, or by a named
person's waiver. All flags of a learner are two byte strings, so a step is a copy of some kilobytes and a walk over
the neighbours.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import compress

from atelier_pathing.engine.estimates import BANDS, Bands, Estimate
from atelier_pathing.engine.graph import Graph

EARNED, SUCCEEDS, CREDITED, WAIVED, COVERED, CERTAIN, STARTED = 1, 2, 4, 8, 16, 32, 64
"""COVERED: the learner succeeds on something that essentially depends on this. STARTED: there is evidence."""
GATE_MET = EARNED | CREDITED | WAIVED | COVERED
DONE = EARNED | CREDITED
_SHOWN = SUCCEEDS | COVERED
_EARNED_ONLY = bytes(flag & EARNED for flag in range(256))
_OPEN_ENDED = bytes(not flag & DONE for flag in range(256))
_BEGUN = bytes(bool(flag & STARTED) for flag in range(256))
_NOTHING_UNMET = bytes(count == 0 for count in range(256))


@dataclass(frozen=True)
class Standing:
    """Per node its flags and the number of its unmet essential predecessors, of which it has at most 255."""

    graph: Graph
    flags: bytes
    unmet: bytes

    def is_ready(self, node: int) -> bool:
        """Learnable, not done, and every essential gate met."""
        return bool(self.graph.learnable[node]) and not self.unmet[node] and not self.flags[node] & DONE

    def ready_nodes(self) -> Iterator[int]:
        """All ready nodes in teaching order, lazily."""
        return self._nodes(self._ready())

    def started_and_new(self) -> tuple[Iterator[int], Iterator[int]]:
        """The ready nodes with evidence, and those without, each in teaching order, lazily."""
        ready = self._ready()
        started = ready & _ones(self.flags.translate(_BEGUN))
        return self._nodes(started), self._nodes(ready ^ started)

    def _ready(self) -> int:
        """:meth:`is_ready` of all nodes at once, a byte each: whole byte strings are combined at memory speed."""
        open_ended = _ones(self.flags.translate(_OPEN_ENDED))
        return open_ended & _ones(self.unmet.translate(_NOTHING_UNMET)) & _ones(self.graph.learnable)

    def _nodes(self, ones: int) -> Iterator[int]:
        size = len(self.graph)
        return compress(range(size), ones.to_bytes(size, "little"))

    @property
    def earned_count(self) -> int:
        return self.flags.translate(_EARNED_ONLY).count(1)


def _ones(content: bytes) -> int:
    return int.from_bytes(content, "little")


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
