"""The runner of one projection: applies the log to documents, parks what cannot be applied, rebuilds beside."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from functools import partial

from atelier_common.applying import Applied, apply, by_key
from atelier_common.commit import Commit
from atelier_common.documents.port import SYSTEM, Below, Body, Documents, Replace
from atelier_common.errors import Unavailable, UnknownEventType
from atelier_common.events import EventRegistry
from atelier_common.eventstore.port import EventStore
from atelier_common.follower import Follower, Handled, Rest
from atelier_common.held_documents import HeldDocuments
from atelier_common.opening import Opener, Unreadable
from atelier_common.parked_keys import ParkedKeys
from atelier_common.projection import STATES, Projection, ReadModel
from atelier_common.reading_ahead import ReadingAhead
from atelier_common.telemetry import names, tracing
from atelier_common.watching import LogWatch

_TRIES = 100
_PAGE = 1_000
"""Commits that a build which nobody reads yet reads at once."""
_BEHIND = 2_000
"""Commits that are applied before anything is written, where so many wait: a document that several of them touch is written once."""
_AT_ONCE = 250
"""Commits between two turns of the others: readers are answered and leases kept meanwhile."""
_REST = Rest(10.0, 0.1)
"""What events say of a document in this time is written once, unless somebody waits for it."""
_HELD_DOCUMENTS = 10_000
_HELD_COMMITS = 250_000
"""How much such a build applies in memory before it writes: a document that many events touch is written once for all of them."""


class ProjectionRunner:
    """Applies one projection. A key whose event cannot be applied is parked whole; the others go on.

    Each document carries ``watermark``, the position of the last commit in it, and is written only over an older one: a
    batch that comes again and a runner that was replaced meanwhile change nothing.

    A build that nobody reads yet goes through the log in long stretches: it holds the documents of a stretch in memory, writes them
    at its end, and only then says how far it is. After a crash the stretch is done again.
    """

    def __init__(
        self,
        projection: Projection,
        store: EventStore,
        documents: Documents,
        registry: EventRegistry,
        model: ReadModel,
        *,
        build: int = 0,
        remembered: int = 2_000,
        watch: LogWatch | None = None,
    ) -> None:
        self.projection = projection
        self.build = build
        self.collection = projection.collection(build)
        self._model = model
        self._store = store
        self._documents = documents
        self._opener = Opener(store, registry)
        self._recent: OrderedDict[tuple[str, str], Body | None] = OrderedDict()
        self._unwritten: dict[str, Body] = {}
        """Of the stretch that is under way, by key: what has to be read here since the documents do not have it yet."""
        self._absent: set[str] = set()
        """Keys of this stretch that had no document when it was looked for."""
        self._doubtful: set[str] = set()
        """Keys that were stopped in this stretch."""
        self._handed_on: dict[str, int] = {}
        self._held = HeldDocuments(documents, self.collection, remembered=remembered)
        self._going_out: dict[str, tuple[int, tuple[Replace, ...]]] = {}
        """What was handed on last, by tenant: durable when the follower has come as far."""
        self._alone = asyncio.Lock()
        self._remembered = remembered
        name = f"projection:{self.collection}"
        self._parked = ParkedKeys(name, projection.name, store, documents)
        self.follower = Follower(
            name,
            store,
            documents,
            self._handle,
            batch=_BEHIND,
            rest=_REST,
            advanced=self._advanced,
            wants=partial(self._opener.concerns, projection.types),
            watch=watch,
        )

    async def run(self, epoch: int) -> None:
        """Follow the log until cancelled or fenced off."""
        await self._documents.ensure_index(self.collection, self.projection.indexes)
        self._recent.clear()
        self._handed_on.clear()
        self._going_out.clear()
        self._held.forget()
        self._parked.begin(epoch)
        self._model.led(self._held, self.follower.hurry)
        try:
            await self.follower.run(epoch)
        finally:
            self._model.left(self.collection)

    def _advanced(self, tenant: str, position: int) -> None:
        self._held.begin(tenant)
        until, writes = self._going_out.get(tenant, (0, ()))
        if writes and until <= position:
            del self._going_out[tenant]
            if self._model.shows(self.collection):
                self._held.wrote(writes)
        self._model.advanced(self.collection, tenant, position)

    async def unpark(self, tenant: str, key: str) -> None:
        """Apply what waited for a key, in order, up to where the runner stands. Raises what still stops it; then it
        stays parked.

        Raises Unavailable where another process leads.
        """
        for _ in range(_TRIES):
            async with self._alone:
                # What was handed on and is not durable yet belongs in front of what waits.
                if self._handed_on.get(tenant, 0) <= self.follower.position(tenant):
                    await self._catch_up(tenant, key)
                    return
            await asyncio.sleep(0.02)
        raise Unavailable(f"{self.projection.name} cannot write at the moment; try again")

    async def _catch_up(self, tenant: str, key: str) -> None:
        async def redo(commits: Sequence[Commit]) -> None:
            await self._require_alone(tenant, commits, key)
            await self._apply_parked(tenant, commits, key)

        await self._parked.catch_up(tenant, key, lambda: self.follower.position(tenant), redo)

    async def _require_alone(self, tenant: str, commits: Sequence[Commit], key: str) -> None:
        """Where an event that could not be read stands for its stream, it may have belonged to documents that went on
        without it; those only a rebuild puts right.
        """
        if not self._parked.reason(tenant, key).startswith(UnknownEventType.__name__):
            return
        mine = [commit for commit in commits if commit.stream.partition("/")[2] == key]
        for opened in await self._opener.open(tenant, mine, self.projection.types):
            if not isinstance(opened, Unreadable) and any(other != key for other in self.projection.keys(opened)):
                raise Unavailable(
                    f"what waits under {key} belongs to other documents too; rebuild {self.projection.name}"
                )

    async def _apply_parked(self, tenant: str, commits: Sequence[Commit], key: str) -> None:
        try:
            applied = await self._apply(tenant, commits, only=key)
            if applied.stopped:
                raise applied.stopped[key][1]
            writes = [self._replace(tenant, key, body) for key, body in applied.bodies.items()]
            await self._documents.write(writes)
            self._held.wrote(writes)
        finally:
            self._recent.pop((tenant, key), None)
            self._absent.clear()

    async def _handle(self, tenant: str, commits: Sequence[Commit]) -> Handled:
        async with self._alone:
            if commits[0].position <= self._handed_on.get(tenant, 0):
                # These come again, so it is not known which of the documents remembered here were written.
                self._recent.clear()
            try:
                position = await self._go_through(tenant, commits)
                writes = tuple([self._replace(tenant, key, body) for key, body in self._unwritten.items()])
                self._remember(tenant)
            except BaseException:
                self._recent.clear()
                raise
            finally:
                self._unwritten, self._absent, self._doubtful = {}, set(), set()
            self._handed_on[tenant] = position
            self._going_out[tenant] = (position, writes)
            return Handled(position, writes)

    async def _go_through(self, tenant: str, commits: Sequence[Commit]) -> int:
        """Apply these commits and, where nobody reads this build, those that follow; returns the position of the last."""
        position = commits[-1].position
        most = 0 if self._model.shows(self.collection) else _HELD_COMMITS - len(commits)
        ahead = ReadingAhead(self._store, tenant, position, _PAGE, most)
        try:
            while commits:
                position = commits[-1].position
                for start in range(0, len(commits), _AT_ONCE):
                    ahead.ask()
                    if most or start:
                        # The database looks for the next ones meanwhile, and others of this process have their turn.
                        await asyncio.sleep(0)
                    await self._take(tenant, commits[start : start + _AT_ONCE])
                commits = await ahead.next() if len(self._unwritten) < _HELD_DOCUMENTS else []
            return position
        finally:
            await ahead.close()

    async def _take(self, tenant: str, commits: Sequence[Commit]) -> None:
        attributes: tracing.Attributes = {names.PROJECTION: self.projection.name, names.COMMIT_COUNT: len(commits)}
        with tracing.batch_span(names.SPAN_PROJECT, (commit.trace for commit in commits), attributes):
            applied = await self._apply(tenant, commits, only=None)
        self._unwritten.update(applied.bodies)
        self._doubtful.update(applied.stopped)
        for key, (position, error) in applied.stopped.items():
            await self._parked.park(tenant, key, error, position)

    async def _apply(self, tenant: str, commits: Sequence[Commit], only: str | None) -> Applied:
        """What a batch makes of the documents, and what stopped which key. ``only`` restricts it to one key, parked or not."""
        applied = Applied()
        opened = await self._opener.open(tenant, commits, self.projection.types)
        events = by_key(self.projection, opened, await self._parked.of(tenant), only, applied)
        apply(self.projection, events, await self._load(tenant, events), applied)
        for key in applied.met_again:
            self._held.doubt(tenant, key)
        return applied

    def _replace(self, tenant: str, key: str, body: Body) -> Replace:
        newer = {"watermark": Below(body["watermark"])}
        return Replace(tenant, self.collection, key, body, newer, upsert=True, likely_new=key in self._absent)

    async def _load(self, tenant: str, keys: Iterable[str]) -> dict[str, Body | None]:
        loaded: dict[str, Body | None] = {}
        unknown: list[str] = []
        for key in keys:
            if key in self._unwritten:
                loaded[key] = self._unwritten[key]
            elif (tenant, key) in self._recent:
                loaded[key] = self._recent[(tenant, key)]
            else:
                unknown.append(key)
        if unknown:
            found = await self._documents.find_many(tenant, self.collection, unknown)
            loaded.update((key, found.get(key)) for key in unknown)
            self._absent.update(key for key in unknown if key not in found)
        return loaded

    def _remember(self, tenant: str) -> None:
        """What is about to be written need not be read again, but for keys that were stopped: another may put those right."""
        for key, body in self._unwritten.items():
            self._recent[(tenant, key)] = body
            self._recent.move_to_end((tenant, key))
        for key in self._doubtful:
            self._recent.pop((tenant, key), None)
        most = self._remembered if self._model.shows(self.collection) else _HELD_DOCUMENTS
        while len(self._recent) > most:
            self._recent.popitem(last=False)


async def active_build(documents: Documents, projection: Projection) -> int | None:
    """Which build of the projection's present version is read; None where another version is read, or none yet."""
    state = await documents.find(SYSTEM, STATES, projection.name)
    return int(state["build"]) if state is not None and state["version"] == projection.version else None


async def flip(documents: Documents, projection: Projection, build: int, model: ReadModel) -> None:
    """Everybody reads this build from now on."""
    collection = projection.collection(build)
    body: Body = {"version": projection.version, "build": build, "collection": collection}
    await documents.write([Replace(SYSTEM, STATES, projection.name, body, upsert=True)])
    model.activate(collection)
