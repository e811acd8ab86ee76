"""The order that ``precedes`` gives: a topological order, the longest chain, or one whole cycle."""

from collections.abc import Sequence
from heapq import heapify, heappop, heappush


def topological_order(count: int, successors: Sequence[Sequence[int]]) -> list[int] | None:
    """Nodes 0..count-1, each after all that precede it, ties in the package's order; None where there is a cycle."""
    waiting = [0] * count
    for following in successors:
        for node in following:
            waiting[node] += 1
    free = [node for node in range(count) if waiting[node] == 0]
    heapify(free)
    order: list[int] = []
    while free:
        node = heappop(free)
        order.append(node)
        for following_node in successors[node]:
            waiting[following_node] -= 1
            if waiting[following_node] == 0:
                heappush(free, following_node)
    return order if len(order) == count else None


def find_cycle(count: int, successors: Sequence[Sequence[int]]) -> list[int]:
    """Every node of one cycle, in order, each preceding the next and the last the first; empty where there is none."""
    fresh, open_, done = 0, 1, 2
    state = [fresh] * count
    for start in range(count):
        if state[start] != fresh:
            continue
        path: list[int] = [start]
        branches = [iter(successors[start])]
        state[start] = open_
        while path:
            following = next(branches[-1], None)
            if following is None:
                state[path.pop()] = done
                branches.pop()
            elif state[following] == open_:
                return path[path.index(following) :]
            elif state[following] == fresh:
                state[following] = open_
                path.append(following)
                branches.append(iter(successors[following]))
    return []


def longest_path(order: Sequence[int], successors: Sequence[Sequence[int]]) -> int:
    """The number of nodes on the longest chain, given a topological order; 0 for an empty graph."""
    length = [1] * len(order)
    for node in order:
        for following in successors[node]:
            length[following] = max(length[following], length[node] + 1)
    return max(length, default=0)
