"""Folded streams: what commands are decided on, kept in memory for the streams met last."""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from atelier_common.commit import Commit
from atelier_common.decider import Decider
from atelier_common.eventstore.port import EventStore

Slot = tuple[str, str]
"""A stream of a tenant."""
_NEVER = (-math.inf, None)


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
        self._looked: OrderedDict[Slot, tuple[float, Folded]] = OrderedDict()
        """When the log was known to have nothing newer, of streams that are asked for again and again."""

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

    async def newest(self, wanted: Sequence[tuple[Decider[Any, Any, Any], Slot]], within: float = 0.0) -> list[Folded]:
        """The states of streams with all that stands in their log at this moment, whoever wrote it; with ``within``, at a moment no longer
        ago than so many seconds. Raises UnknownEventType.
        """
        now = asyncio.get_running_loop().time()
        slots = [slot for _, slot in wanted]
        fresh = {slot: self._looked[slot][1] for slot in slots if now < self._looked.get(slot, _NEVER)[0] + within}
        known, histories = await self.find(slot for slot in slots if slot not in fresh)
        newer = dict(zip(known, await asyncio.gather(*(self.newer(*each) for each in known.items())), strict=True))
        for decider, slot in wanted:
            if slot in fresh:
                continue
            held = known[slot] if slot in known else self.fold(decider, slot, histories[slot])
            folded = _folded(decider, held, newer[slot]) if newer.get(slot) else held
            # Meanwhile a command of this process may have gone further.
            kept = self._memory.get(slot)
            if kept is not None and kept.version >= folded.version:
                folded = kept
            elif folded.version and decider.remembered:
                self.keep(slot, folded)
            fresh[slot] = folded
            if within and decider.remembered:
                self._looked[slot] = (now, folded)
                self._looked.move_to_end(slot)
                if len(self._looked) > self._remembered:
                    self._looked.popitem(last=False)
        return [fresh[slot] for slot in slots]

    async def newer(self, slot: Slot, held: Folded) -> list[Commit]:
        """What the log has of a stream behind a state: what others wrote meanwhile."""
        return await self._store.read_stream(*slot, after=held.version)

    def remembers(self, slot: Slot) -> bool:
        return slot in self._memory

    def keep(self, slot: Slot, folded: Folded) -> None:
        """This was read, or has just become durable: at this moment it was the newest."""
        if slot in self._looked:
            self._looked[slot] = (asyncio.get_running_loop().time(), folded)
        self._memory[slot] = folded
        self._memory.move_to_end(slot)
        if len(self._memory) > self._remembered:
            self._memory.popitem(last=False)

    def forget(self, slot: Slot) -> None:
        """Have it read anew: another writer was first, or the outcome of an append is unknown."""
        self._memory.pop(slot, None)
        self._looked.pop(slot, None)


def _folded(decider: Decider[Any, Any, Any], held: Folded, commits: Sequence[Commit]) -> Folded:
    state, version, answers = held.state, held.version, held.answers
    for commit in commits:
        for stored in commit.events:
            state = decider.evolve(state, decider.registry.decode(stored))
        version = commit.version
        answers[commit.command_id] = (version, commit.request_hash, commit.result, commit.position)
    return Folded(version, state, answers)
