"""The runner of one projection: applies the log to documents, parks what cannot be applied, rebuilds beside."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial

from atelier_common.commit import Commit, RecordedEvent
from atelier_common.documents.port import SYSTEM, Below, Body, Documents, Replace
from atelier_common.errors import Unavailable, UnknownEventType
from atelier_common.events import EventRegistry
from atelier_common.eventstore.port import EventStore
from atelier_common.follower import Follower, Handled
from atelier_common.held_documents import HeldDocuments
from atelier_common.opening import Opener, Unreadable
from atelier_common.parking import ParkedKey, Parking
from atelier_common.projection import STATES, Projection, ReadModel
from atelier_common.telemetry import names, tracing
from atelier_common.watching import LogWatch

_TRIES = 100
_PAGE = 1_000
"""Commits that a build which nobody reads yet takes at once."""
_HELD_DOCUMENTS = 10_000
_HELD_COMMITS = 50_000
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
        self._parking = Parking(documents)
        self._parked: dict[str, dict[str, int]] = {}
        self._unread: set[tuple[str, str]] = set()
        self._recent: OrderedDict[tuple[str, str], Body | None] = OrderedDict()
        self._unwritten: dict[str, Replace] = {}
        """Of the stretch that is under way, by key: what has to be read here since the documents do not have it yet."""
        self._handed_on: dict[str, int] = {}
        self._held = HeldDocuments(documents, self.collection, remembered=remembered)
        self._going_out: dict[str, tuple[int, tuple[Replace, ...]]] = {}
        """What was handed on last, by tenant: durable when the follower has come as far."""
        self._epoch = 0
        self._alone = asyncio.Lock()
        self._remembered = remembered
        self.follower = Follower(
            f"projection:{self.collection}",
            store,
            documents,
            self._handle,
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
        self._epoch = epoch
        self._parked.clear()
        self._unread.clear()
        self._model.led(self._held)
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
        # What is stored counts here, also what a leader that is no more has parked.
        self._parked.pop(tenant, None)
        since = (await self._parked_keys(tenant)).get(key)
        if since is None:
            return
        until = self.follower.position(tenant)
        if until < since:
            raise Unavailable(f"{self.projection.name} has not come to {key} in this process; unpark where it is led")
        after = since - 1
        while after < until:
            commits = [commit for commit in await self._store.read_log(tenant, after) if commit.position <= until]
            if not commits:
                raise Unavailable("the log cannot be read up to where the projection stands; try again")
            await self._require_alone(tenant, commits, key)
            await self._apply_parked(tenant, commits, key)
            after = commits[-1].position
        self._parked.pop(tenant, None)
        if not await self._parking.release(tenant, ParkedKey(self.follower.name, key, "", since), self._epoch):
            raise Unavailable(f"{key} is watched over by a later leader; unpark where it is led")
        self._unread.discard((tenant, key))

    async def _require_alone(self, tenant: str, commits: Sequence[Commit], key: str) -> None:
        """Where an event that could not be read stands for its stream, it may have belonged to documents that went on
        without it; those only a rebuild puts right.
        """
        if (tenant, key) not in self._unread:
            return
        mine = [commit for commit in commits if commit.stream.partition("/")[2] == key]
        for opened in await self._opener.open(tenant, mine, self.projection.types):
            if not isinstance(opened, Unreadable) and any(other != key for other in self.projection.keys(opened)):
                raise Unavailable(
                    f"what waits under {key} belongs to other documents too; rebuild {self.projection.name}"
                )

    async def _apply_parked(self, tenant: str, commits: Sequence[Commit], key: str) -> None:
        try:
            writes, failed = await self._apply(tenant, commits, only=key)
            if failed:
                raise failed[key]
            await self._documents.write(writes)
            self._held.wrote(writes)
        except Exception:
            self._recent.pop((tenant, key), None)
            raise

    async def _parked_keys(self, tenant: str) -> dict[str, int]:
        if tenant not in self._parked:
            found = await self._parking.take_over(tenant, self.follower.name, self._epoch)
            self._parked[tenant] = {entry.key: entry.since for entry in found}
            self._unread |= {
                (tenant, entry.key) for entry in found if entry.reason.startswith(UnknownEventType.__name__)
            }
        return self._parked[tenant]

    async def _handle(self, tenant: str, commits: Sequence[Commit]) -> Handled:
        async with self._alone:
            if commits[0].position <= self._handed_on.get(tenant, 0):
                # These come again, so it is not known which of the documents remembered here were written.
                self._recent.clear()
            try:
                position = await self._go_through(tenant, commits)
                writes = tuple(self._unwritten.values())
            except BaseException:
                self._recent.clear()
                raise
            finally:
                self._unwritten = {}
            self._handed_on[tenant] = position
            self._going_out[tenant] = (position, writes)
            return Handled(position, writes)

    async def _go_through(self, tenant: str, commits: Sequence[Commit]) -> int:
        """Apply these commits and, where nobody reads this build, those that follow; returns the position of the last."""
        taken, more = 0, True
        while True:
            taken += len(commits)
            last = commits[-1].position
            following: asyncio.Task[list[Commit]] | None = None
            if more and not self._model.shows(self.collection) and taken < _HELD_COMMITS:
                # The database looks for the next ones while these are applied.
                following = asyncio.create_task(self._store.read_log(tenant, last, _PAGE))
            try:
                await self._take(tenant, commits)
                if following is None or len(self._unwritten) >= _HELD_DOCUMENTS or not (commits := await following):
                    return last
                # Behind a short page is the end of the log, which would be chased for as long as somebody writes.
                more = len(commits) == _PAGE
            finally:
                if following is not None:
                    following.cancel()

    async def _take(self, tenant: str, commits: Sequence[Commit]) -> None:
        attributes: tracing.Attributes = {names.PROJECTION: self.projection.name, names.COMMIT_COUNT: len(commits)}
        with tracing.batch_span(names.SPAN_PROJECT, (commit.trace for commit in commits), attributes):
            writes, failed = await self._apply(tenant, commits, only=None)
        self._unwritten.update((write.id, write) for write in writes)
        for key in failed:
            self._recent.pop((tenant, key), None)

    async def _apply(
        self, tenant: str, commits: Sequence[Commit], only: str | None
    ) -> tuple[list[Replace], dict[str, Exception]]:
        """The writes of a batch, and what stopped which key. ``only`` restricts it to one key, parked or not."""
        parked = await self._parked_keys(tenant)
        by_key: dict[str, list[RecordedEvent]] = {}
        failed: dict[str, Exception] = {}
        positions: dict[str, int] = {}
        for opened in await self._opener.open(tenant, commits, self.projection.types):
            if isinstance(opened, Unreadable):
                # Which documents it would touch cannot be known; the key of its stream stands for them.
                keys: Sequence[str] = (opened.commit.stream.partition("/")[2],)
                for key in keys:
                    if key not in parked and key not in failed and only in (None, key):
                        failed[key], positions[key] = opened.error, opened.commit.position
                continue
            for key in self.projection.keys(opened):
                # What stands before the event that parked a key may not be written yet, if the batch comes again.
                if key == only or (only is None and opened.position < parked.get(key, opened.position + 1)):
                    by_key.setdefault(key, []).append(opened)
        documents = await self._load(tenant, list(by_key))
        writes: list[Replace] = []
        for key, events in by_key.items():
            document, applied = documents[key], 0
            held = document.get("watermark", 0) if document else 0
            whole = (document, applied)
            if events[0].position <= held:
                self._held.doubt(tenant, key)
            for event in events:
                if event.position <= held or (key in failed and event.position >= positions[key]):
                    continue
                if event.position != applied:
                    whole = (document, applied)
                try:
                    visible = None if document is None or document.get("deleted") else document
                    document = self.projection.apply(visible, event, key)
                except Exception as error:
                    failed[key], positions[key] = error, event.position
                    document, applied = whole  # a commit is applied whole or not at all
                    break
                applied = event.position
            if applied:
                body = (
                    {"deleted": True, "watermark": applied} if document is None else {**document, "watermark": applied}
                )
                writes.append(Replace(tenant, self.collection, key, body, {"watermark": Below(applied)}, upsert=True))
                self._remember(tenant, key, body)
        if only is None:
            for key, stopped_by in failed.items():
                reason = f"{type(stopped_by).__name__} in {self.projection.name}"
                await self._parking.park(
                    tenant, ParkedKey(self.follower.name, key, reason, positions[key]), self._epoch
                )
                parked[key] = positions[key]
        return writes, failed

    async def _load(self, tenant: str, keys: Sequence[str]) -> dict[str, Body | None]:
        loaded: dict[str, Body | None] = {}
        unknown: list[str] = []
        for key in keys:
            if key in self._unwritten:
                loaded[key] = self._unwritten[key].body
            elif (tenant, key) in self._recent:
                loaded[key] = self._recent[(tenant, key)]
            else:
                unknown.append(key)
        found = await self._documents.find_many(tenant, self.collection, unknown) if unknown else {}
        return loaded | {key: found.get(key) for key in unknown}

    def _remember(self, tenant: str, key: str, body: Body) -> None:
        self._recent[(tenant, key)] = body
        self._recent.move_to_end((tenant, key))
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
