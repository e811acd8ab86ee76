"""From stored commits to decoded events."""

from collections.abc import Sequence, Set
from dataclasses import dataclass

from atelier_common.commit import Commit, RecordedEvent
from atelier_common.errors import UnknownEventType
from atelier_common.events import EventRegistry
from atelier_common.eventstore.port import EventStore


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A commit that holds an event this release does not know; its stream waits."""

    commit: Commit
    error: UnknownEventType


class Opener:
    """Turns commits into decoded events with their identity."""

    def __init__(self, store: EventStore, registry: EventRegistry) -> None:
        self._store = store
        self._registry = registry

    def concerns(self, types: frozenset[str] | None, present: Set[str]) -> bool:
        """Whether commits with events of the ``present`` types have anything to open for one who wants ``types``.

        A type of a newer release may be anybody's: only what is known can be known not to matter.
        """
        return types is None or not types.isdisjoint(present) or not all(map(self._registry.knows, present))

    async def open(
        self, tenant: str, commits: Sequence[Commit], types: frozenset[str] | None
    ) -> list[RecordedEvent | Unreadable]:
        """The events of the wanted types, in order; a commit with one that is not known, wanted or not, stands as Unreadable."""
        incarnation = await self._store.incarnation(tenant)
        opened: list[RecordedEvent | Unreadable] = []
        wanted: dict[str, bool] = {}
        decode = self._registry.decode
        for commit in commits:
            for ordinal, stored in enumerate(commit.events):
                take = wanted.get(stored.type)
                if take is None:
                    take = wanted[stored.type] = self.concerns(types, {stored.type})
                if not take:
                    continue
                # Every follower of a log meets the same commit; the first one's work serves them all.
                known = commit.opened.get(ordinal)
                if known is None or known.position != commit.position:
                    try:
                        value = decode(stored)
                    except UnknownEventType as error:
                        opened.append(Unreadable(commit, error))
                        break
                    known = commit.opened[ordinal] = RecordedEvent(
                        incarnation,
                        tenant,
                        commit.stream,
                        commit.version,
                        ordinal,
                        commit.position,
                        stored.type,
                        value,
                        commit.recorded_at,
                        commit.actor,
                        commit.correlation_id,
                        commit.causation_ids,
                        commit.trace,
                    )
                opened.append(known)
        return opened
