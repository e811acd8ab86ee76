"""Read models: one projection answers one question, in documents that say themselves how far they have come."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from atelier_common.commit import RecordedEvent
from atelier_common.documents.port import SYSTEM, Body, Documents
from atelier_common.doorbell import Doorbell
from atelier_common.errors import Unavailable
from atelier_common.eventstore.port import EventStore
from atelier_common.held_documents import HeldDocuments

LOOKS_EVERY = 0.5
"""Seconds after which a read model looks again which build is read: another process may have flipped it."""

STATES = "projections"
"""Collection, under SYSTEM: which version and build of each projection readers read."""


@dataclass(frozen=True)
class Projection:
    """How events become the documents of one question.

    ``keys(event)`` names the documents an event touches, () for none. ``apply(document, event, key)`` returns the next document,
    plain JSON data, never the one it was given changed in place; None deletes. Both are pure. ``types`` are the stored event types
    wanted, None for all. ``indexes`` are top-level fields with scalar values that reads may scan by. ``version`` counts the
    meanings of its documents: another version is built beside the old one, then reads flip.
    """

    name: str
    version: int
    keys: Callable[[RecordedEvent], Sequence[str]]
    apply: Callable[[Body | None, RecordedEvent, str], Body | None]
    indexes: tuple[str, ...] = ()
    types: frozenset[str] | None = None

    def collection(self, build: int) -> str:
        return f"{self.name}.v{self.version}.{build}"


class ReadModel:
    """What queries see of one projection: the build that is active. Who leads that build answers from what it remembers of it."""

    def __init__(
        self, projection: Projection, documents: Documents, store: EventStore, *, looks_every: float = LOOKS_EVERY
    ) -> None:
        self.projection = projection
        self._documents = documents
        self._store = store
        self._active: str | None = None
        self._applied: dict[str, int] = {}
        self._progress = asyncio.Event()
        self._looks_every = looks_every
        self._looked = 0.0
        self._held: dict[str, HeldDocuments] = {}
        self._hurry: dict[str, Callable[[], None]] = {}

    def activate(self, collection: str) -> None:
        """Flip reads to a build; called by the service that runs the projection."""
        if self._active != collection:
            self._active = collection
            self._applied.clear()
            self._wake()

    def shows(self, collection: str) -> bool:
        """Whether queries of this process read this build."""
        return collection == self._active

    def advanced(self, collection: str, tenant: str, position: int) -> None:
        """A build has durably applied everything up to ``position``; called by its runner in this process."""
        if collection == self._active:
            self._applied[tenant] = position
            self._wake()

    def led(self, held: HeldDocuments, hurry: Callable[[], None]) -> None:
        """This process leads a build from here on, until it has left it: nobody else writes its documents. ``hurry`` says that
        somebody waits for it.
        """
        self._held[held.collection] = held
        self._hurry[held.collection] = hurry

    def left(self, collection: str) -> None:
        """A build is not led in this process any more: from here on only its documents and cursors tell how far it is."""
        self._held.pop(collection, None)
        self._hurry.pop(collection, None)
        if collection == self._active:
            self._applied.clear()

    def _wake(self) -> None:
        woken, self._progress = self._progress, asyncio.Event()
        woken.set()

    def _led(self, tenant: str) -> HeldDocuments | None:
        """What is remembered of the build that is read, if this process leads it: then nobody else flips reads to another."""
        held = self._held.get(self._active) if self._active is not None else None
        return held if held is not None and held.holds(tenant) else None

    async def _collection(self) -> str:
        now = asyncio.get_running_loop().time()
        if self._active is None or now >= self._looked + self._looks_every:
            self._looked, known = now, self._active
            state = await self._documents.find(SYSTEM, STATES, self.projection.name)
            # Documents of a later meaning are for the next release; a flip in this process knows better than this look.
            wanted = state is not None and (known is None or state["version"] <= self.projection.version)
            if state is not None and wanted and self._active == known:
                self.activate(str(state["collection"]))
        return self._active or self.projection.collection(0)

    async def get(self, tenant: str, key: str) -> Body | None:
        if (held := self._led(tenant)) is not None:
            return _visible((await held.find_many(tenant, (key,))).get(key))
        return _visible(await self._documents.find(tenant, await self._collection(), key))

    async def get_many(self, tenant: str, keys: Sequence[str]) -> dict[str, Body]:
        if (held := self._led(tenant)) is not None:
            found = await held.find_many(tenant, keys)
        else:
            found = await self._documents.find_many(tenant, await self._collection(), keys)
        return {key: shown for key, body in found.items() if (shown := _visible(body)) is not None}

    async def scan(
        self,
        tenant: str,
        field: str = "_id",
        low: Any = None,
        high: Any = None,
        limit: int = 100,
        descending: bool = False,
    ) -> list[tuple[str, Body]]:
        """(key, document) in order of (field, key): ``limit`` of them, fewer only where there are no more."""
        held = self._led(tenant)
        collection = await self._collection() if held is None else held.collection
        shown: list[tuple[str, Body]] = []
        after: str | None = None
        while True:
            # Deleted documents take up room in what is found by id; they have no other field to be found by. A range that
            # goes on downwards can only begin at the last id again.
            again = 1 if after is not None and descending else 0
            if held is not None:
                found = await held.scan(tenant, field, low, high, limit + again, descending)
            else:
                found = await self._documents.scan(tenant, collection, field, low, high, limit + again, descending)
            for key, body in found:
                if key != after and (document := _visible(body)) is not None and len(shown) < limit:
                    shown.append((key, document))
            if field != "_id" or len(shown) == limit or len(found) < limit + again:
                return shown
            after = found[-1][0]
            low, high = (low, after) if descending else (after + "\x00", high)

    async def all(self, tenant: str, field: str = "_id", low: Any = None, high: Any = None) -> list[tuple[str, Body]]:
        """Every document of a range, however many; for reports and planning, not for pages."""
        return await self.scan(tenant, field, low, high, limit=1_000_000)

    async def position(self, tenant: str) -> int:
        """Everything up to this position of the log is applied here."""
        if tenant not in self._applied:
            cursor = await self._documents.find(tenant, "cursors", f"projection:{await self._collection()}")
            return 0 if cursor is None else int(cursor["position"])
        return self._applied[tenant]

    async def caught_up(self, tenant: str, stream: str, version: int, timeout: float = 2.0) -> None:
        """Read your writes: wait until the commit is applied. Raises Unavailable after ``timeout`` seconds."""
        time = asyncio.get_running_loop().time
        until, pause = time() + timeout, 0.001
        while True:
            rung = self._store.changed.listen()
            position = await self._store.position_of(tenant, stream, version)
            left = until - time()
            if position is not None or left <= 0:
                break
            # Another process may be the one that gives positions; then only looking tells.
            await Doorbell.wait(rung, min(pause, left))
            pause = min(pause * 2, 0.05)
        if position is not None and await self.reached(tenant, position, max(left, 0.0)):
            return
        raise Unavailable(f"{self.projection.name} has not caught up with {stream}@{version} yet; read again shortly")

    async def reached(self, tenant: str, position: int, timeout: float = 2.0) -> bool:
        """Wait until everything up to ``position`` is applied; False after ``timeout`` seconds."""
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout
        while True:
            woken = self._progress
            if await self.position(tenant) >= position:
                return True
            left = until - loop.time()
            if left <= 0:
                return False
            if self._active in self._hurry:
                self._hurry[self._active]()
            try:
                async with asyncio.timeout(min(left, 0.25)):
                    await woken.wait()
            except TimeoutError:
                # Another process may be the one that applies; then only its cursor tells.
                continue


def _visible(body: Body | None) -> Body | None:
    if body is None or body.get("deleted"):
        return None
    return {name: value for name, value in body.items() if name != "watermark"}


def by_stream_key(event: RecordedEvent) -> Sequence[str]:
    """The usual ``keys``: one document per stream, named by what follows the category."""
    return (event.stream.partition("/")[2],)


Handlers = Mapping[type, Callable[[Body | None, Any, RecordedEvent, str], Body | None]]
"""Event class -> (document, event, recorded, key) -> next document."""


def by_type(handlers: Handlers) -> Callable[[Body | None, RecordedEvent, str], Body | None]:
    """An ``apply`` that looks its handler up by the event's class; other events leave the document as it is."""

    def apply(document: Body | None, recorded: RecordedEvent, key: str) -> Body | None:
        handler = handlers.get(type(recorded.event))
        return document if handler is None else handler(document, recorded.event, recorded, key)

    return apply
