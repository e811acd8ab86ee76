"""Events of the own log by where they stand in it."""

from collections.abc import Collection, Sequence

from atelier_common.commit import Commit, RecordedEvent
from atelier_common.errors import Unavailable
from atelier_common.events import EventRegistry
from atelier_common.eventstore.port import EventStore
from atelier_common.opening import Opener, Unreadable

_NEAR = 100
"""Commits that are rather read along than asked for around."""
_AT_ONCE = 500


class EventReader:
    """Reads single events again that somebody has met before."""

    def __init__(self, store: EventStore, registry: EventRegistry) -> None:
        self._store = store
        self._opener = Opener(store, registry)

    async def at(self, tenant: str, positions: Collection[int], types: frozenset[str]) -> list[RecordedEvent]:
        """The events of these types at these positions, in order.

        Raises UnknownEventType where a newer release wrote one, Unavailable where the log cannot be read so far.
        """
        commits: list[Commit] = []
        for stretch in _stretches(sorted(set(positions))):
            first, last = stretch[0], stretch[-1]
            found = await self._store.read_log(tenant, first - 1, last - first + 1)
            if not found or found[-1].position < last:
                raise Unavailable("the log cannot be read so far; trying again")
            wanted = set(stretch)
            commits += [commit for commit in found if commit.position in wanted]
        events: list[RecordedEvent] = []
        for opened in await self._opener.open(tenant, commits, types):
            if isinstance(opened, Unreadable):
                raise opened.error
            events.append(opened)
        return events


def _stretches(positions: Sequence[int]) -> list[list[int]]:
    """Positions in order, cut where they lie far apart and where too many would be read at once."""
    found: list[list[int]] = []
    for position in positions:
        if found and position - found[-1][-1] <= _NEAR and position - found[-1][0] < _AT_ONCE:
            found[-1].append(position)
        else:
            found.append([position])
    return found
