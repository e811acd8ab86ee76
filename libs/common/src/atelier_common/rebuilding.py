"""The builds of a service's projections: which is read, and how another comes in its place while reads and writes go on."""

import asyncio
import logging

from atelier_common.documents.port import SYSTEM, Delete, Documents
from atelier_common.errors import NotFound, Unavailable
from atelier_common.events import EventRegistry
from atelier_common.eventstore.port import EventStore
from atelier_common.follower import CURSORS
from atelier_common.parking import Parking
from atelier_common.projecting import ProjectionRunner, active_build, flip
from atelier_common.projection import LOOKS_EVERY, STATES, Projection, ReadModel
from atelier_common.watching import LogWatch

_LITTLE = 200
"""Commits that are applied in a moment."""
_log = logging.getLogger("atelier.rebuilding")


class Builds:
    """The builds that a service follows its log with, one per projection, and those that are built beside them.

    ``lead`` and ``leave`` say when this process follows; between the two every build has a task in the leader's group.
    """

    def __init__(
        self, service: str, store: EventStore, documents: Documents, registry: EventRegistry, watch: LogWatch
    ) -> None:
        self.models: dict[str, ReadModel] = {}
        self.runners: dict[str, ProjectionRunner] = {}
        self.readers_follow_seconds = 4 * LOOKS_EVERY
        """How long the build that was read before a flip is kept for readers in other processes."""
        self._service = service
        self._store = store
        self._documents = documents
        self._registry = registry
        self._watch = watch
        self._rebuilding: set[str] = set()
        self._epoch = 0
        self._group: asyncio.TaskGroup | None = None
        self._following: dict[str, asyncio.Task[None]] = {}

    def add(self, projection: Projection) -> ReadModel:
        """What queries read of a projection; nothing follows the log for it before :meth:`prepare`."""
        model = self.models[projection.name] = ReadModel(projection, self._documents, self._store)
        return model

    async def prepare(self) -> None:
        """Look up which build of each projection is read."""
        for model in self.models.values():
            projection = model.projection
            build = await active_build(self._documents, projection)
            if build is None:
                build = 0
                if await self._documents.find(SYSTEM, STATES, projection.name) is None:
                    await flip(self._documents, projection, build, model)
            else:
                model.activate(projection.collection(build))
            self.runners[projection.name] = self._runner(projection, build)

    def _runner(self, projection: Projection, build: int) -> ProjectionRunner:
        model = self.models[projection.name]
        return ProjectionRunner(
            projection, self._store, self._documents, self._registry, model, build=build, watch=self._watch
        )

    async def lead(self, group: asyncio.TaskGroup, epoch: int) -> None:
        """Follow the log in tasks of this group. A version that nobody reads yet is read once it has caught up."""
        self._group, self._epoch = group, epoch
        for runner in self.runners.values():
            self._follow(runner)
        for name, runner in self.runners.items():
            if await active_build(self._documents, runner.projection) is None:
                group.create_task(self._flip_when_caught_up(name, runner))

    def leave(self) -> None:
        """This process follows no longer."""
        self._group = None
        self._following.clear()

    async def rebuild(self, name: str) -> int:
        """Build a projection anew from position 1 beside the one that is read, while writes go on; then flip reads to it.

        Returns the number of the new build. The old build's documents are deleted once every reader has followed the flip.
        Raises Unavailable while it is being built already.
        """
        if name not in self.runners:
            raise NotFound(f"{self._service} has no projection {name}; it has {', '.join(sorted(self.runners))}")
        if self._group is None:
            raise NotFound(f"{self._service} does not lead in this process; rebuild where it does")
        old = self.runners[name]
        new = self._runner(old.projection, old.build + 1)
        built_already = Unavailable(f"{name} is being built already; wait until that is done")
        if name in self._rebuilding:
            raise built_already
        self._rebuilding.add(name)
        try:
            if await active_build(self._documents, old.projection) is None:
                raise built_already
            await self._build_beside(name, old, new)
        finally:
            self._rebuilding.discard(name)
        return new.build

    async def _build_beside(self, name: str, old: ProjectionRunner, new: ProjectionRunner) -> None:
        # A rebuild that was broken off may have left something, made perhaps by a release that made it wrong.
        await self._delete_build(new)
        self._follow(new)
        try:
            await self._until_near(new)
            # Reads must not go back: the build that is left stands still before the new one has come at least as far.
            await self._cease(old)
            await self._until_as_far(new)
            # Nor may a reader of another process, who knows only the cursor, find that it stands further back.
            await new.follower.save()
            await flip(self._documents, new.projection, new.build, self.models[name])
        except BaseException:
            if await active_build(self._documents, old.projection) == new.build:
                # Only the reply is lost: everybody reads the new build already.
                self.runners[name] = new
                self.models[name].activate(new.collection)
            else:
                await self._cease(new)
                self._follow(old)
            raise
        self.runners[name] = new
        if self._group is not None:
            self._group.create_task(self._delete_left(old))

    async def _flip_when_caught_up(self, name: str, runner: ProjectionRunner) -> None:
        await self._until_near(runner)
        await runner.follower.save()
        await flip(self._documents, runner.projection, runner.build, self.models[name])

    async def _until_near(self, runner: ProjectionRunner) -> None:
        """Wait until what is left of the log is little. Where writes never pause, nobody ever stands at its very end."""
        while True:
            await self._until_as_far(runner)
            left = [head - runner.follower.position(tenant) for tenant, head in (await self._heads()).items()]
            if max(left, default=0) <= _LITTLE:
                return

    async def _until_as_far(self, runner: ProjectionRunner) -> None:
        """Wait until everything is applied that is in the log now."""
        for tenant, head in (await self._heads()).items():
            while runner.follower.position(tenant) < head:
                if runner.follower.name not in self._following:
                    raise Unavailable(f"{self._service} does not lead in this process any more; rebuild where it does")
                await asyncio.sleep(0.02)

    async def _heads(self) -> dict[str, int]:
        return {tenant: await self._store.head(tenant) for tenant in await self._store.tenants()}

    def _follow(self, runner: ProjectionRunner) -> None:
        if self._group is not None and runner.follower.name not in self._following:
            self._following[runner.follower.name] = self._group.create_task(runner.run(self._epoch))

    async def _cease(self, runner: ProjectionRunner) -> None:
        followed = self._following.pop(runner.follower.name, None)
        if followed is not None:
            followed.cancel()
            await asyncio.wait({followed})

    async def _delete_left(self, old: ProjectionRunner) -> None:
        await asyncio.sleep(self.readers_follow_seconds)
        # Earlier ones too: a process that was killed right after a flip has left its own.
        try:
            for build in range(old.build + 1):
                await self._delete_build(self._runner(old.projection, build))
        except Exception:
            _log.warning("what is left of %s goes with the next rebuild", old.collection, exc_info=True)

    async def _delete_build(self, runner: ProjectionRunner) -> None:
        for tenant in await self._store.tenants():
            while found := await self._documents.scan(tenant, runner.collection, limit=500):
                await self._documents.write([Delete(tenant, runner.collection, id) for id, _ in found])
            await self._documents.write([Delete(tenant, CURSORS, runner.follower.name)])
            await Parking(self._documents).forget(tenant, runner.follower.name)
