"""A service at work: its log, what follows it, and what it takes in, put together and kept running."""

import asyncio
import logging
import uuid
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any

from atelier_common.asking import Work
from atelier_common.backfill import Backfill
from atelier_common.bus.port import Bus
from atelier_common.clock import Clock
from atelier_common.commands import Commands
from atelier_common.consumer import Consumer, Subscription, group_of
from atelier_common.documents.port import SYSTEM, Documents
from atelier_common.errors import NotFound, UnknownEventType
from atelier_common.events import EventRegistry
from atelier_common.eventstore.port import EventStore
from atelier_common.follower import CURSORS, Follower
from atelier_common.lease import LEASE_MS, LEASES, Lease, lead
from atelier_common.parking import ParkedKey, Parking
from atelier_common.projecting import ProjectionRunner
from atelier_common.projection import Projection, ReadModel
from atelier_common.publisher import Publisher, Translate
from atelier_common.reacting import ReactionRunner
from atelier_common.reaction import Reaction
from atelier_common.rebuilding import Builds
from atelier_common.reminding import Reminder
from atelier_common.timers import TimerHandler, Timers
from atelier_common.watching import LogWatch
from atelier_common.working import Worker

_PATIENCE_SECONDS = 1.0
_DRAIN_SECONDS = 3.0
"""What work under way has to end in when the service stops; a solver that takes longer is given up, and others take it up."""
_log = logging.getLogger("atelier.service")


def lease_of(service: str) -> str:
    """The lease that a process of the service holds while it follows the log: some process always does while any runs."""
    return f"{service}:followers"


class Service:
    """One service. A bootstrap makes it, names its projections, reactions, subscriptions and timers, then starts it.

    ``owner`` is unique among the processes that may lead at once; a process that alone can open its database gives the same name
    at every start, so that it need not wait for its own old lease to run out. ``lease_ms`` is how long a leader may be silent.
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
        lease_ms: int = LEASE_MS,
    ) -> None:
        self.name = name
        self.registry = registry
        self.store = store
        self.documents = documents
        self.clock = clock
        self.commands = Commands(store)
        self.timers = Timers(documents, clock)
        self._watch = LogWatch(store, documents)
        self.builds = Builds(name, store, documents, registry, self._watch)
        self._bus = bus
        self._backfills = backfills or {}
        self._owner = owner or str(uuid.uuid4())
        self._lease_ms = lease_ms
        self._reactors: dict[str, ReactionRunner] = {}
        self._workers: dict[str, Worker] = {}
        self._subscriptions: list[Subscription] = []
        self.publisher: Publisher | None = None
        self.consumer: Consumer | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._leading = False
        self._aside = False

    def project(self, projection: Projection) -> ReadModel:
        """Run this projection; returns what queries read."""
        return self.builds.add(projection)

    def react(self, reaction: Reaction) -> None:
        """Run this reaction, after the projections it names."""
        self._reactors[reaction.name] = ReactionRunner(
            reaction,
            self.store,
            self.documents,
            self.registry,
            self.commands,
            [self.builds.models[name] for name in reaction.after],
            self._watch,
        )

    def work(self, work: Work) -> ReadModel:
        """Do this work, shared with the other processes of the service; returns what waits of it.

        :meth:`publish` must let its askings leave: by the bus the processes learn whose turn it is.
        """
        model = self.project(work.waiting)
        worker = Worker(self.name, work, self.store, self.documents, self.registry, self.commands, self._bus, model)
        self._workers[worker.name] = worker
        return model

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
        return self.builds.models[name]

    @property
    def subscriptions(self) -> Sequence[Subscription]:
        return self._subscriptions

    @property
    def workers(self) -> Mapping[str, Worker]:
        return self._workers

    @property
    def reads(self) -> Mapping[str, Sequence[str]]:
        """The topics of every group that processes of this service are members of."""
        neighbours = {group_of(self.name, one.source): one.topics for one in self._subscriptions}
        return neighbours | {worker.group: (worker.topic,) for worker in self._workers.values()}

    @property
    def models(self) -> Mapping[str, ReadModel]:
        return self.builds.models

    def stand_aside(self) -> None:
        """Take nothing in and follow nothing after the start: other processes of this service do."""
        self._aside = True

    async def start(self) -> None:
        """Open the log, then take in, follow and publish until :meth:`stop`."""
        await self.store.start()
        await self.builds.prepare()
        if self._aside:
            return
        if self._subscriptions:
            self.consumer = Consumer(
                self.name, self.store, self.documents, self.registry, self._bus, self._subscriptions, self._backfills
            )
            self._begin("consumer", self.consumer.run())
        for worker in self._workers.values():
            self._begin(worker.name, worker.run())
        self._begin(
            "followers", lead(Lease(self.documents, lease_of(self.name), self._owner, self._lease_ms), self._follow)
        )

    def _begin(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"{self.name}:{name}")
        task.add_done_callback(_say_why)
        self._tasks.append(task)

    async def _follow(self, epoch: int) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                self._leading = True
                for reactor in self._reactors.values():
                    group.create_task(reactor.run(epoch))
                group.create_task(self._catch_up_parked())
                if self.publisher is not None:
                    group.create_task(self.publisher.run(epoch))
                    for name, worker in self._workers.items():
                        model = self.models[worker.work.waiting.name]
                        reminder = Reminder(worker, model, self.store, self.publisher.contracts, self._bus)
                        group.create_task(reminder.run(epoch), name=name)
                group.create_task(self.timers.run(epoch))
                await self.builds.lead(group, epoch)
        finally:
            self._leading = False
            self.builds.leave()

    async def rebuild(self, name: str) -> int:
        """Build a projection anew beside the one that is read; see :meth:`Builds.rebuild`."""
        return await self.builds.rebuild(name)

    async def parked(self, tenant: str) -> list[ParkedKey]:
        """Every key that waits here, whoever parked it."""
        return await Parking(self.documents).parked(tenant)

    async def unpark(self, tenant: str, consumer: str, key: str) -> None:
        """Let a parked key catch up. Raises what still stops it."""
        for runner in self._runners():
            if runner.follower.name == consumer:
                await runner.unpark(tenant, key)
                return
        if consumer in self._workers:
            await self._workers[consumer].unpark(tenant, key)
            return
        if self.consumer is not None and self.consumer.name == consumer:
            await self.consumer.unpark(tenant, key)
            return
        raise NotFound(f"{self.name} has no consumer {consumer}")

    @property
    def leading(self) -> bool:
        """Whether this process follows the log now."""
        return self._leading

    async def _catch_up_parked(self) -> None:
        """What an earlier release could not read and this one can, catches up by itself."""
        runners = {runner.follower.name: runner for runner in self._runners()}
        try:
            waiting = [(tenant, entry) for tenant in await self.store.tenants() for entry in await self.parked(tenant)]
        except Exception:
            _log.warning("%s: what is parked cannot be looked at; it waits for an operator", self.name, exc_info=True)
            return
        for tenant, entry in waiting:
            runner, worker = runners.get(entry.consumer), self._workers.get(entry.consumer)
            unparking = runner or worker
            if unparking is None or not entry.reason.startswith(UnknownEventType.__name__):
                continue
            while runner is not None and runner.follower.position(tenant) < entry.since:
                await asyncio.sleep(0.02)
            try:
                await unparking.unpark(tenant, entry.key)
            except Exception as error:
                _log.warning("%s stays parked: %s", entry.consumer, type(error).__name__)

    async def backlog(self) -> int:
        """How many commits the slowest follower of each log has before it, and how many askings wait in any process; 0: all is
        applied, reacted to, published and worked off, but for what is parked.

        Says nothing of what is on its way in. Where another process leads, it is told by the durable cursors.
        """
        followers, left = self._followers(), 0
        for tenant in await self.store.tenants():
            head = await self.store.head(tenant)
            if self.leading:
                positions = [follower.position(tenant) for follower in followers]
            else:
                names = [follower.name for follower in followers]
                saved = await self.documents.find_many(tenant, CURSORS, names)
                positions = [int(saved[name]["position"]) if name in saved else 0 for name in names]
            left += max((head - position for position in positions), default=0)
            left += sum((await self.waiting(tenant)).values())
        return left

    async def waiting(self, tenant: str) -> dict[str, int]:
        """How many askings of each work wait, in whatever process, those of parked keys apart."""
        return {worker.work.name: await worker.left(tenant) for worker in self._workers.values()}

    async def lags(self) -> dict[str, int]:
        """How many commits each follower has before it, in all logs together; empty where another process leads."""
        left = dict.fromkeys((follower.name for follower in self._followers()), 0) if self.leading else {}
        for tenant in await self.store.tenants() if left else ():
            head = await self.store.head(tenant)
            for follower in self._followers():
                left[follower.name] = left.get(follower.name, 0) + max(0, head - follower.position(tenant))
        return left

    async def led(self) -> bool:
        """Whether some process follows the log now."""
        if self.leading:
            return True
        lease = await self.documents.find(SYSTEM, LEASES, lease_of(self.name))
        return lease is not None and lease["owner"] != ""

    async def idle(self) -> bool:
        """Whether nothing in the log waits for a follower or a worker."""
        return await self.backlog() == 0

    def _followers(self) -> list[Follower]:
        publishing = [] if self.publisher is None else [self.publisher.follower]
        return [*(runner.follower for runner in self._runners()), *publishing]

    def _runners(self) -> list[ProjectionRunner | ReactionRunner]:
        return [*self.builds.runners.values(), *self._reactors.values()]

    async def stop(self) -> None:
        """Stop following and close the log. What was accepted stays; what was under way is taken up at the next start."""
        await asyncio.gather(*(worker.drain(_DRAIN_SECONDS) for worker in self._workers.values()))
        if self._leading:
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
