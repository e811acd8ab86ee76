"""Folded streams: what commands are decided on, kept in memory for the streams met last."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from atelier_common.commit import Commit
from atelier_common.decider import Decider
from atelier_common.eventstore.port import EventStore

Slot = tuple[str, str]
"""A stream of a tenant."""


@dataclass(slots=True)
class Folded:
    """A stream up to a version: its immutable state, and what every *durable* command id in it was answered.

    ``answers`` holds version, request hash, result and position. It is shared by the successive states of one stream and only
    grows when a commit is acknowledged.
    """

    version: int
    state: Any
    answers: dict[str, tuple[int, str, Any, int]]


class FoldedStreams:
    """At most so many folded streams; those not asked for the longest go first. What is here may be older than the log."""

    def __init__(self, store: EventStore, remembered: int) -> None:
        self._store = store
        self._remembered = remembered
        self._memory: OrderedDict[Slot, Folded] = OrderedDict()

    async def find(self, slots: Iterable[Slot]) -> tuple[dict[Slot, Folded], dict[Slot, list[Commit]]]:
        """Those of the streams that are in memory, and the commits of the others, in one look-up per tenant."""
        known: dict[Slot, Folded] = {}
        unknown: dict[str, list[str]] = {}
        for slot in slots:
            folded = self._memory.get(slot)
            if folded is None:
                unknown.setdefault(slot[0], []).append(slot[1])
            else:
                self._memory.move_to_end(slot)
                known[slot] = folded
        histories: dict[Slot, list[Commit]] = {}
        for tenant, streams in unknown.items():
            for stream, commits in (await self._store.read_streams(tenant, streams)).items():
                histories[tenant, stream] = commits
        return known, histories

    def fold(self, decider: Decider[Any, Any, Any], slot: Slot, commits: Sequence[Commit]) -> Folded:
        """The state after these commits, all of a stream's. Raises UnknownEventType."""
        folded = _folded(decider, Folded(0, decider.initial(), {}), commits)
        if decider.remembered and folded.version:
            self.keep(slot, folded)
        return folded

    async def newest(self, decider: Decider[Any, Any, Any], slot: Slot) -> Folded:
        """The state of a stream with all that stands in its log at this moment, whoever wrote it. Raises UnknownEventType."""
        known, histories = await self.find([slot])
        held = known.get(slot)
        if held is None:
            return self.fold(decider, slot, histories[slot])
        newer = await self.newer(slot, held)
        if not newer:
            return held
        folded = _folded(decider, held, newer)
        # Meanwhile a command of this process may have gone further.
        if (kept := self._memory.get(slot)) is None or kept.version < folded.version:
            self.keep(slot, folded)
        return folded

    async def newer(self, slot: Slot, held: Folded) -> list[Commit]:
        """What the log has of a stream behind a state: what others wrote meanwhile."""
        return await self._store.read_stream(*slot, after=held.version)

    def keep(self, slot: Slot, folded: Folded) -> None:
        self._memory[slot] = folded
        self._memory.move_to_end(slot)
        if len(self._memory) > self._remembered:
            self._memory.popitem(last=False)

    def forget(self, slot: Slot) -> None:
        """Have it read anew: another writer was first, or the outcome of an append is unknown."""
        self._memory.pop(slot, None)


def _folded(decider: Decider[Any, Any, Any], held: Folded, commits: Sequence[Commit]) -> Folded:
    state, version, answers = held.state, held.version, held.answers
    for commit in commits:
        for stored in commit.events:
            state = decider.evolve(state, decider.registry.decode(stored))
        version = commit.version
        answers[commit.command_id] = (version, commit.request_hash, commit.result, commit.position)
    return Folded(version, state, answers)
