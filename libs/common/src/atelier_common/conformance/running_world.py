"""The world of the running suite: notes in folders, projections and reactions over them, and a way to kill a runner."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from atelier_common.bus.memory import MemoryBus
from atelier_common.clock import SimulatedClock
from atelier_common.commands import Commands
from atelier_common.commit import RecordedEvent
from atelier_common.conformance.material import PATIENCE_SECONDS, TENANT, until
from atelier_common.conformance.notes import START, Counted, Doodled, Log, Noted, Notes, registry
from atelier_common.decider import Decider
from atelier_common.documents.port import Body, Documents, Replace, Write
from atelier_common.errors import RuleBroken
from atelier_common.events import EventRegistry
from atelier_common.eventstore.port import EventStore
from atelier_common.follower import CURSORS, Follower, LeadershipLost
from atelier_common.projecting import ProjectionRunner
from atelier_common.projection import Projection, ReadModel, by_stream_key
from atelier_common.reacting import ReactionRunner
from atelier_common.reaction import Reaction
from atelier_common.service import Service

OLDER = EventRegistry()
"""A release that knows one type only."""
OLDER.event("noted")(Noted)


@dataclass(frozen=True)
class Note:
    text: str
    now: int = 0


def _take(command: Note, _state: tuple[str, ...]) -> list[Noted]:
    if command.text == "refused":
        raise RuleBroken("nobody takes that down")
    return [Noted(command.text)]


def note_decider(known: EventRegistry, category: str = "note") -> Decider[Note, tuple[str, ...], Any]:
    """Its state is what the stream's events say, one after the other."""
    return Decider(category, known, tuple, _take, lambda state, event: (*state, repr(event)))


COPY = note_decider(registry(), "copy")
"""Where the reactions write: streams that no reaction of the suite looks at."""


def texts(poison: Iterable[str] = (), *, version: int = 1) -> Projection:
    """A page per stream with its texts in order. A doodle deletes the page; a text in ``poison`` cannot be applied."""

    def apply(page: Body | None, recorded: RecordedEvent, _key: str) -> Body | None:
        match recorded.event:
            case Noted(text):
                if text in poison:
                    raise ValueError("this text cannot be applied")
                all_texts = [*(page["texts"] if page else []), text]
            case Counted(number):
                all_texts = [*(page["texts"] if page else []), number]
            case Doodled():
                return None
            case _:
                return page
        return {"texts": all_texts, "length": len(all_texts), **({"version": version} if version > 1 else {})}

    return Projection("texts", version, by_stream_key, apply, indexes=("length",))


class CutDocuments:
    """Cuts the batch that moves a cursor: waits for ``resume`` once ``kept`` of its writes are done. Passes the rest on."""

    def __init__(self, documents: Documents, kept: int) -> None:
        self._documents = documents
        self._kept = kept
        self.reached = asyncio.Event()
        self.resume = asyncio.Event()

    async def write(self, writes: Sequence[Write]) -> list[bool]:
        last = writes[-1]
        moves = isinstance(last, Replace) and last.collection == CURSORS and last.body["position"] > 0
        if not moves or self.resume.is_set():
            return await self._documents.write(writes)
        done = await self._documents.write(writes[: self._kept]) if self._kept else []
        self.reached.set()
        await self.resume.wait()
        return [*done, *await self._documents.write(writes[self._kept :])]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._documents, name)


class SharedStore:
    """A store that outlives the services that use it: starting and closing it is the suite's."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    async def start(self) -> None:
        return None

    async def close(self) -> None:
        return None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@asynccontextmanager
async def following(runner: ProjectionRunner | ReactionRunner, epoch: int = 1) -> AsyncIterator[asyncio.Task[None]]:
    """The runner at work; killed at the end."""
    task = asyncio.create_task(runner.run(epoch))
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, LeadershipLost):
            await task


async def come_to(follower: Follower, position: int, tenant: str = TENANT) -> None:
    async def there() -> bool:
        return follower.position(tenant) >= position

    await until(there)


async def arrived(event: asyncio.Event) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        await event.wait()


class RunningWorld:
    """What the suite stands on; :meth:`make_log` is the adapter's."""

    async def make_log(self) -> Log:
        """A new, empty log and the documents beside it, not started."""
        raise NotImplementedError

    log: Log
    notes: Notes

    @pytest.fixture(autouse=True)
    async def _world(self) -> Any:
        self.log = await self.make_log()
        await self.log.store.start()
        self.notes = Notes(self.log, MemoryBus())
        yield
        await self.log.store.close()

    def runner(
        self,
        projection: Projection | None = None,
        *,
        documents: Documents | None = None,
        known: EventRegistry | None = None,
        build: int = 0,
        model: ReadModel | None = None,
    ) -> ProjectionRunner:
        """A runner that remembers nothing, as of a process just started."""
        projection = projection or texts()
        return ProjectionRunner(
            projection,
            self.log.store,
            documents or self.log.documents,
            known or self.notes.registry,
            model or self.model(projection),
            build=build,
        )

    def model(self, projection: Projection | None = None) -> ReadModel:
        """A read model of another process: it knows only what is stored."""
        return ReadModel(projection or texts(), self.log.documents, self.log.store)

    def reactor(
        self, reaction: Reaction, models: Sequence[ReadModel] = (), documents: Documents | None = None
    ) -> ReactionRunner:
        """A runner that remembers nothing, as of a process just started."""
        commands = Commands(self.log.store)
        return ReactionRunner(
            reaction, self.log.store, documents or self.log.documents, self.notes.registry, commands, models
        )

    async def head(self, tenant: str = TENANT) -> int:
        return await self.log.store.head(tenant)

    async def apply_all(self, runner: ProjectionRunner | ReactionRunner, epoch: int = 1) -> None:
        """Let a runner come to the end of the log, and go."""
        async with following(runner, epoch):
            await come_to(runner.follower, await self.head())

    async def stored(self, collection: str, tenant: str = TENANT) -> dict[str, Body]:
        """The documents as they are kept, with watermarks and tombstones."""
        return dict(await self.log.documents.scan(tenant, collection, limit=100_000))

    async def cursor(self, name: str, tenant: str = TENANT) -> Body | None:
        return await self.log.documents.find(tenant, CURSORS, name)

    async def rewind(self, name: str, position: int, tenant: str = TENANT) -> None:
        """As if the last batches had never been acknowledged: they come again."""
        held = await self.cursor(name, tenant)
        assert held is not None
        await self.log.documents.write([Replace(tenant, CURSORS, name, {**held, "position": position})])

    async def copies(self, key: str, tenant: str = TENANT) -> list[str]:
        """What reactions have written to ``copy/<key>``."""
        state, _ = await Commands(self.log.store).load(COPY, tenant, key)
        return [text.partition("'")[2].rpartition("'")[0] for text in state]

    @asynccontextmanager
    async def serving(self, projection: Projection, documents: Documents | None = None) -> AsyncIterator[Service]:
        """A service of one projection, started and leading, which is stopped at the end."""
        service = Service(
            "notes",
            self.notes.registry,
            store=SharedStore(self.log.store),
            documents=documents or self.log.documents,
            bus=MemoryBus(),
            clock=SimulatedClock(START),
        )
        service.project(projection)
        await service.start()
        try:

            async def leading() -> bool:
                return service.leading

            await until(leading)
            yield service
        finally:
            await service.stop()
