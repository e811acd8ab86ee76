"""A service at work: its log, what follows it, and what it takes in, put together and kept running."""

import asyncio
import logging
import uuid
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any

from atelier_common.backfill import Backfill
from atelier_common.bus.port import Bus
from atelier_common.clock import Clock
from atelier_common.commands import Commands
from atelier_common.consumer import Consumer, Subscription, group_of
from atelier_common.documents.port import SYSTEM, Delete, Documents
from atelier_common.errors import NotFound, Unavailable, UnknownEventType
from atelier_common.events import EventRegistry
from atelier_common.eventstore.port import EventStore
from atelier_common.follower import Follower
from atelier_common.lease import Lease, lead
from atelier_common.parking import ParkedKey, Parking
from atelier_common.projecting import ProjectionRunner, active_build, flip
from atelier_common.projection import LOOKS_EVERY, STATES, Projection, ReadModel
from atelier_common.publisher import Publisher, Translate
from atelier_common.reacting import ReactionRunner
from atelier_common.reaction import Reaction
from atelier_common.timers import TimerHandler, Timers
from atelier_common.watching import LogWatch

_LITTLE = 200
"""Commits that are applied in a moment."""
_PATIENCE_SECONDS = 1.0
_log = logging.getLogger("atelier.service")


class Service:
    """One service. A bootstrap makes it, names its projections, reactions, subscriptions and timers, then starts it.

    ``owner`` is unique among the processes that may lead at once; a process that alone can open its database gives the same name
    at every start, so that it need not wait for its own old lease to run out.
    """

    def __init__(
        self,
        name: str,
        registry: EventRegistry,
        *,
        store: EventStore,
        documents: Documents,
        bus: Bus,
        clock: Clock,
        backfills: Mapping[str, Backfill] | None = None,
        owner: str = "",
    ) -> None:
        self.name = name
        self.registry = registry
        self.store = store
        self.documents = documents
        self.clock = clock
        self.commands = Commands(store)
        self.timers = Timers(documents, clock)
        self._watch = LogWatch(store, documents)
        self._bus = bus
        self._backfills = backfills or {}
        self._owner = owner or str(uuid.uuid4())
        self._models: dict[str, ReadModel] = {}
        self._projectors: dict[str, ProjectionRunner] = {}
        self._reactors: dict[str, ReactionRunner] = {}
        self._subscriptions: list[Subscription] = []
        self.publisher: Publisher | None = None
        self.consumer: Consumer | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.readers_follow_seconds = 4 * LOOKS_EVERY
        """How long the build that was read before a flip is kept for readers in other processes."""
        self._rebuilding: set[str] = set()
        self._epoch = 0
        self._leading: asyncio.TaskGroup | None = None
        self._following: dict[str, asyncio.Task[None]] = {}

    def project(self, projection: Projection) -> ReadModel:
        """Run this projection; returns what queries read."""
        self._models[projection.name] = ReadModel(projection, self.documents, self.store)
        return self._models[projection.name]

    def react(self, reaction: Reaction) -> None:
        """Run this reaction, after the projections it names."""
        self._reactors[reaction.name] = ReactionRunner(
            reaction,
            self.store,
            self.documents,
            self.registry,
            self.commands,
            [self._models[name] for name in reaction.after],
            self._watch,
        )

    def publish(self, translate: Translate, types: frozenset[str] | None = None) -> None:
        """Let contract events leave, as ``translate`` builds them, from stored events of these types; None: of any."""
        self.publisher = Publisher(
            self.name, self.store, self.documents, self.registry, self._bus, translate, types, watch=self._watch
        )

    def subscribe(self, subscription: Subscription) -> None:
        """Take in a neighbour's contract events."""
        for ce_type, message in subscription.types.items():
            if not self.registry.knows(ce_type):
                self.registry.contract(ce_type, message)
        self._bus.expect(group_of(self.name, subscription.source), subscription.topics)
        self._subscriptions.append(subscription)

    def on_timer(self, name: str, handler: TimerHandler) -> None:
        """What a timer of this name does when it is due."""
        self.timers.handle(name, handler)

    def read(self, name: str) -> ReadModel:
        return self._models[name]

    @property
    def subscriptions(self) -> Sequence[Subscription]:
        return self._subscriptions

    @property
    def models(self) -> Mapping[str, ReadModel]:
        return self._models

    async def start(self) -> None:
        """Open the log, then take in, follow and publish until :meth:`stop`."""
        await self.store.start()
        for model in self._models.values():
            await self._prepare(model)
        if self._subscriptions:
            self.consumer = Consumer(
                self.name, self.store, self.documents, self.registry, self._bus, self._subscriptions, self._backfills
            )
            self._begin("consumer", self.consumer.run())
        self._begin("followers", lead(Lease(self.documents, f"{self.name}:followers", self._owner), self._follow))

    async def _prepare(self, model: ReadModel) -> None:
        projection = model.projection
        build = await active_build(self.documents, projection)
        if build is None:
            build = 0
            if await self.documents.find(SYSTEM, STATES, projection.name) is None:
                await flip(self.documents, projection, build, model)
        else:
            model.activate(projection.collection(build))
        self._projectors[projection.name] = self._projector(projection, build)

    def _projector(self, projection: Projection, build: int) -> ProjectionRunner:
        return ProjectionRunner(
            projection,
            self.store,
            self.documents,
            self.registry,
            self._models[projection.name],
            build=build,
            watch=self._watch,
        )

    def _begin(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"{self.name}:{name}")
        task.add_done_callback(_say_why)
        self._tasks.append(task)

    async def _follow(self, epoch: int) -> None:
        self._epoch = epoch
        try:
            async with asyncio.TaskGroup() as group:
                self._leading = group
                for runner in self._runners():
                    self._following[runner.follower.name] = group.create_task(runner.run(epoch))
                group.create_task(self._catch_up_parked())
                if self.publisher is not None:
                    group.create_task(self.publisher.run(epoch))
                group.create_task(self.timers.run(epoch))
                for name, runner in self._projectors.items():
                    if await active_build(self.documents, runner.projection) is None:
                        group.create_task(self._flip_when_caught_up(name, runner))
        finally:
            self._leading = None
            self._following.clear()

    async def _flip_when_caught_up(self, name: str, runner: ProjectionRunner) -> None:
        await self._until_near(runner)
        await runner.follower.save()
        await flip(self.documents, runner.projection, runner.build, self._models[name])

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
                    raise Unavailable(f"{self.name} does not lead in this process any more; rebuild where it does")
                await asyncio.sleep(0.02)

    async def _heads(self) -> dict[str, int]:
        return {tenant: await self.store.head(tenant) for tenant in await self.store.tenants()}

    async def rebuild(self, name: str) -> int:
        """Build a projection anew from position 1 beside the one that is read, while writes go on; then flip reads to it.

        Returns the number of the new build. The old build's documents are deleted once every reader has followed the flip.
        Raises Unavailable while it is being built already.
        """
        if name not in self._projectors:
            raise NotFound(f"{self.name} has no projection {name}; it has {', '.join(sorted(self._projectors))}")
        if self._leading is None:
            raise NotFound(f"{self.name} does not lead in this process; rebuild where it does")
        old = self._projectors[name]
        new = self._projector(old.projection, old.build + 1)
        built_already = Unavailable(f"{name} is being built already; wait until that is done")
        if name in self._rebuilding:
            raise built_already
        self._rebuilding.add(name)
        try:
            if await active_build(self.documents, old.projection) is None:
                raise built_already
            await self._build_beside(name, old, new)
        finally:
            self._rebuilding.discard(name)
        return new.build

    async def _build_beside(self, name: str, old: ProjectionRunner, new: ProjectionRunner) -> None:
        # A rebuild that was broken off may have left something, made perhaps by a release that made it wrong.
        await self._delete_build(new)
        self._lead(new)
        try:
            await self._until_near(new)
            # Reads must not go back: the build that is left stands still before the new one has come at least as far.
            await self._cease(old)
            await self._until_as_far(new)
            # Nor may a reader of another process, who knows only the cursor, find that it stands further back.
            await new.follower.save()
            await flip(self.documents, new.projection, new.build, self._models[name])
        except BaseException:
            if await active_build(self.documents, old.projection) == new.build:
                # Only the reply is lost: everybody reads the new build already.
                self._projectors[name] = new
                self._models[name].activate(new.collection)
            else:
                await self._cease(new)
                self._lead(old)
            raise
        self._projectors[name] = new
        if self._leading is not None:
            self._leading.create_task(self._delete_left(old))

    def _lead(self, runner: ProjectionRunner) -> None:
        if self._leading is not None and runner.follower.name not in self._following:
            self._following[runner.follower.name] = self._leading.create_task(runner.run(self._epoch))

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
                await self._delete_build(self._projector(old.projection, build))
        except Exception:
            _log.warning("what is left of %s goes with the next rebuild", old.collection, exc_info=True)

    async def _delete_build(self, runner: ProjectionRunner) -> None:
        for tenant in await self.store.tenants():
            while found := await self.documents.scan(tenant, runner.collection, limit=500):
                await self.documents.write([Delete(tenant, runner.collection, id) for id, _ in found])
            await self.documents.write([Delete(tenant, "cursors", runner.follower.name)])
            await Parking(self.documents).forget(tenant, runner.follower.name)

    async def parked(self, tenant: str) -> list[ParkedKey]:
        """Every key that waits here, whoever parked it."""
        return await Parking(self.documents).parked(tenant)

    async def unpark(self, tenant: str, consumer: str, key: str) -> None:
        """Let a parked key catch up. Raises what still stops it."""
        for runner in self._runners():
            if runner.follower.name == consumer:
                await runner.unpark(tenant, key)
                return
        if self.consumer is not None and self.consumer.name == consumer:
            await self.consumer.unpark(tenant, key)
            return
        raise NotFound(f"{self.name} has no consumer {consumer}")

    @property
    def leading(self) -> bool:
        """Whether this process follows the log now."""
        return self._leading is not None

    async def _catch_up_parked(self) -> None:
        """What an earlier release could not read and this one can, catches up by itself."""
        runners = {runner.follower.name: runner for runner in self._runners()}
        try:
            waiting = [(tenant, entry) for tenant in await self.store.tenants() for entry in await self.parked(tenant)]
        except Exception:
            _log.warning("%s: what is parked cannot be looked at; it waits for an operator", self.name, exc_info=True)
            return
        for tenant, entry in waiting:
            runner = runners.get(entry.consumer)
            if runner is None or not entry.reason.startswith(UnknownEventType.__name__):
                continue
            while runner.follower.position(tenant) < entry.since:
                await asyncio.sleep(0.02)
            try:
                await runner.unpark(tenant, entry.key)
            except Exception as error:
                _log.warning("%s stays parked: %s", entry.consumer, type(error).__name__)

    async def backlog(self) -> int:
        """How many commits the slowest follower of each log has before it; 0: all is applied, reacted to and published.

        Says nothing of what is on its way in.
        """
        followers, left = self._followers(), 0
        for tenant in await self.store.tenants():
            head = await self.store.head(tenant)
            left += max((head - follower.position(tenant) for follower in followers), default=0)
        return left

    async def idle(self) -> bool:
        """Whether nothing in the log waits for a follower."""
        return await self.backlog() == 0

    def _followers(self) -> list[Follower]:
        publishing = [] if self.publisher is None else [self.publisher.follower]
        return [*(runner.follower for runner in self._runners()), *publishing]

    def _runners(self) -> list[ProjectionRunner | ReactionRunner]:
        return [*self._projectors.values(), *self._reactors.values()]

    async def stop(self) -> None:
        """Stop following and close the log. What was accepted stays; what was under way is taken up at the next start."""
        if self._leading is not None:
            await self._save_cursors()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        await self.store.close()

    async def _save_cursors(self) -> None:
        """So that the next start finds nothing to do again; where it fails, that start only does a moment's work anew."""
        with suppress(Exception):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._watch.cursors.save()


def _say_why(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("%s stopped", task.get_name(), exc_info=error)
