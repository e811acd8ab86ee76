"""A command that could not be made durable is told why: that the store failed, or that others were first again and again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from atelier_common.commands import Commands, Request
from atelier_common.commit import Commit, Context
from atelier_common.decider import Decider
from atelier_common.documents.memory import MemoryDocuments
from atelier_common.errors import ConcurrencyConflict, Unavailable
from atelier_common.events import EventRegistry
from atelier_common.eventstore.documents import DocumentEventStore
from atelier_common.eventstore.port import AppendOutcome, VersionTaken

registry = EventRegistry()


@dataclass(frozen=True, slots=True)
class Knock:
    now: int = 0


@registry.event("door.knocked")
@dataclass(frozen=True, slots=True)
class Knocked:
    times: int


DOOR: Decider[Knock, int, Knocked] = Decider(
    "door", registry, lambda: 0, lambda _, state: [Knocked(state + 1)], lambda _, event: event.times
)
KNOCK = Request(DOOR, "front", Knock(), Context("fictional", "tester", "c1", 1))


class RefusingStore:
    """An event store that is full or busy: ``refusals`` are what appends come to, one after the other; then they pass."""

    def __init__(self, *refusals: Exception | VersionTaken) -> None:
        self._store = DocumentEventStore(MemoryDocuments())
        self._refusals = list(refusals)

    async def append(self, commits: Sequence[Commit]) -> list[AppendOutcome]:
        if not self._refusals:
            return await self._store.append(commits)
        match self._refusals.pop(0):
            case Exception() as failure:
                raise failure
            case taken:
                return [taken for _ in commits]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


FULL, TAKEN = Unavailable("no space left"), VersionTaken()


@pytest.mark.parametrize("refusals", [[FULL] * 4, [TAKEN, TAKEN, TAKEN, FULL]], ids=["always", "at last"])
async def test_a_store_that_cannot_write_is_no_conflict_with_others(refusals: list[Exception | VersionTaken]) -> None:
    with pytest.raises(Unavailable, match="door/front cannot be written now: no space left"):
        await Commands(RefusingStore(*refusals)).execute(KNOCK)


@pytest.mark.parametrize("refusals", [[TAKEN] * 4, [FULL, FULL, FULL, TAKEN]], ids=["always", "at last"])
async def test_others_who_were_first_each_time_are_a_conflict(refusals: list[Exception | VersionTaken]) -> None:
    with pytest.raises(ConcurrencyConflict, match="4 times in a row"):
        await Commands(RefusingStore(*refusals)).execute(KNOCK)


async def test_what_is_written_at_last_is_accepted() -> None:
    assert (await Commands(RefusingStore(FULL, TAKEN, FULL)).execute(KNOCK)).version == 1
