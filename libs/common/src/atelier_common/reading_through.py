"""One reading of a log for everybody who wants to know something of it: each commit read once, each event decoded once."""

from collections.abc import Callable, Sequence

from atelier_common import ingested
from atelier_common.commit import Commit
from atelier_common.events import EventRegistry
from atelier_common.eventstore.port import EventStore
from atelier_common.held_facts import GatheredSayings, HeldFacts
from atelier_common.log_order import AT_ONCE, LogOrder, others_turn
from atelier_common.opening import Opener, Unreadable
from atelier_common.refold import Refold

_PAGE = 2_000


class Pass:
    """One reading of a log, up to the head that it has then, for everybody who wants to know something of it."""

    def __init__(self, store: EventStore, tenant: str, facts: Sequence[HeldFacts] = ()) -> None:
        self._store = store
        self._tenant = tenant
        self._facts = facts

    async def run(
        self, order: "LogOrder | None", events: "Events | None", told: Callable[[int, int], None] | None = None
    ) -> None:
        head, position = await self._store.head(self._tenant), 0
        while position < head and (page := await self._store.read_log(self._tenant, position, _PAGE)):
            for start in range(0, len(page), AT_ONCE):
                commits = page[start : start + AT_ONCE]
                for commit in commits:
                    for held in self._facts:
                        held.see(commit)
                    if order is not None:
                        order.see(commit)
                if events is not None:
                    await events.hand_on(commits)
                await others_turn()
            if order is not None:
                await order.compare(page)
            position += len(page)
            if told is not None:
                told(min(position, head), head)
        if order is not None:
            order.end(position, head)


class Events:
    """Decodes each event once and hands it to every projection that wants its type, and to what gathers what leaves."""

    def __init__(
        self,
        store: EventStore,
        registry: EventRegistry,
        tenant: str,
        refolds: Sequence[Refold],
        sayings: GatheredSayings | None = None,
    ) -> None:
        self._opener = Opener(store, registry)
        self._tenant = tenant
        self._refolds = refolds
        self._sayings = sayings
        wanted = [refold.projection.types for refold in refolds]
        everything = sayings is not None or None in wanted
        self._types = None if everything else frozenset().union(*(types for types in wanted if types))
        self._by_type: dict[str, list[Refold]] = {}

    async def hand_on(self, commits: Sequence[Commit]) -> None:
        last = (0, -1)
        taken_in = {commit.position for commit in commits if ingested.identity(commit) is not None}
        for opened in await self._opener.open(self._tenant, commits, self._types):
            if isinstance(opened, Unreadable):
                await self._hand_on_apart(opened.commit, last)
                continue
            last = (opened.position, opened.ordinal)
            for refold in self._wanting(opened.type):
                refold.take(opened)
            if self._sayings is not None and opened.position not in taken_in:
                self._sayings.take(opened)

    async def _hand_on_apart(self, commit: Commit, last: tuple[int, int]) -> None:
        """The rest of a commit with an event that cannot be read: where it ends is another place for each projection."""
        for refold in self._refolds:
            for opened in await self._opener.open(self._tenant, [commit], refold.projection.types):
                if not isinstance(opened, Unreadable) and (opened.position, opened.ordinal) > last:
                    refold.take(opened)

    def _wanting(self, type: str) -> list[Refold]:
        if type not in self._by_type:
            self._by_type[type] = [
                refold for refold in self._refolds if refold.projection.types is None or type in refold.projection.types
            ]
        return self._by_type[type]
