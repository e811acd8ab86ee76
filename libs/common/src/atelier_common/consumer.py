"""The consumer: a neighbour's facts into this service's own log, each once, in order, before anything is done with them."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from google.protobuf.message import Message as ProtobufMessage
from opentelemetry.trace import SpanKind

from atelier_common.arrival import OWNER_AWAY, UNKNOWN_TYPE, Arrival, Slot, Stopped
from atelier_common.backfill import Backfill
from atelier_common.bus.port import Bus, BusSubscription, Delivery, PartitionLost
from atelier_common.documents.port import SYSTEM, Documents
from atelier_common.errors import NotFound, Unavailable
from atelier_common.events import EventRegistry
from atelier_common.eventstore.port import EventStore
from atelier_common.intake import Intake
from atelier_common.parking import ParkedKey, Parking
from atelier_common.telemetry import metrics, names, tracing

CONSUMER = "consumer"
"""The name under which keys of neighbours are parked."""
_TRIES = 5
_log = logging.getLogger("atelier.consumer")
_CONSUMED = metrics.counter(names.METRIC_CONSUMED)


@dataclass(frozen=True)
class Subscription:
    """What a service takes in of one neighbour: its topics, the types it knows with their messages, and the types it declares
    not to want. Any other type parks its key.
    """

    source: str
    topics: tuple[str, ...]
    types: Mapping[str, type[ProtobufMessage]]
    unsubscribed: frozenset[str] = field(default_factory=frozenset)


def group_of(service: str, source: str) -> str:
    """The consumer group in which the replicas of ``service`` share the topics of ``source``."""
    return f"{service}-from-{source}"


class Inlet:
    """One neighbour's topics: fetch, append or park, then commit the offset; never the other way round.

    A failure is tried again with growing pauses from the first message that is not committed; nothing is skipped.
    """

    def __init__(
        self,
        service: str,
        subscription: Subscription,
        store: EventStore,
        documents: Documents,
        registry: EventRegistry,
        bus: Bus,
        backfill: Backfill,
        *,
        batch: int = 500,
        slowest: float = 5.0,
        look_after: float = 10.0,
    ) -> None:
        self.source = subscription.source
        self._group = group_of(service, subscription.source)
        self._topics = subscription.topics
        self._store = store
        self._bus = bus
        self._parking = Parking(documents)
        self._intake = Intake(
            subscription.source, subscription.topics, subscription.unsubscribed, store, registry, backfill
        )
        self._batch = batch
        self._slowest = slowest
        self._look_after = look_after
        self._parked: dict[Slot, str] = {}
        self._member: BusSubscription | None = None
        self._alone = asyncio.Lock()
        self.last_error: str | None = None

    async def run(self) -> None:
        """Take in until cancelled."""
        pause, looked = 0.05, float("-inf")
        now = asyncio.get_running_loop().time
        try:
            while True:
                try:
                    if self._member is None:
                        await self.join()
                    if now() - looked >= self._look_after:
                        await self.look_after()
                        looked = now()
                    await self.step(timeout=1.0)
                    pause, self.last_error = 0.05, None
                except Exception as error:
                    if self.last_error != repr(error):
                        _log.warning("from %s: will try again: %s", self.source, type(error).__name__, exc_info=True)
                    self.last_error = repr(error)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, self._slowest)
        finally:
            await self.leave()

    async def join(self) -> None:
        """Become a member of the group, after learning which keys are parked."""
        self._parked.clear()
        for tenant in [*await self._store.tenants(), SYSTEM]:
            for entry in await self._parking.parked(tenant, CONSUMER):
                source, _, stream = entry.key.partition("/")
                if source == self.source:
                    self._parked[(tenant, stream)] = entry.reason
        for slot, reason in list(self._parked.items()):
            code, _, ce_type = reason.partition(": ")
            if code == UNKNOWN_TYPE and self._intake.knows(ce_type):
                await self._try_unpark(slot)
        self._member = self._bus.subscribe(self._group, self._topics)

    async def leave(self) -> None:
        if self._member is not None:
            member, self._member = self._member, None
            await member.close()

    async def step(self, timeout: float = 0.0) -> int:
        """Fetch one batch and settle it; how many messages that were. Raises what has to be tried again."""
        assert self._member is not None
        deliveries = await self._member.fetch(self._batch, timeout)
        if not deliveries:
            return 0
        arrivals = [self._intake.read(delivery.message) for delivery in deliveries]
        traces = (arrival.envelope.trace for arrival in arrivals if arrival.envelope is not None)
        source = {names.SERVICE: self.source}
        try:
            with tracing.batch_span(names.SPAN_CONSUME, traces, source, SpanKind.CONSUMER):
                async with self._alone:
                    await self._settle(arrivals)
        except BaseException:
            await self._rewind(deliveries)
            raise
        try:
            await self._member.commit(deliveries)
        except PartitionLost:
            # All is in the log or parked; who holds the partition now will meet it again and drop it.
            _log.info("from %s: another replica took a partition over", self.source)
        _CONSUMED.add(len(deliveries), source)
        return len(deliveries)

    async def look_after(self) -> None:
        """Try again what only waits for the neighbour to answer, and notice a neighbour or an own log that was restored."""
        for slot in [slot for slot, reason in self._parked.items() if reason.startswith(OWNER_AWAY)]:
            await self._try_unpark(slot)
            if self._parked.get(slot, "").startswith(OWNER_AWAY):
                break  # it is away for the others, too; they need not wait for as many deadlines
        for tenant in await self._store.tenants():
            if await self._intake.has_met(tenant):
                try:
                    async with self._alone:
                        await self._park(await self._intake.align(tenant))
                except Unavailable:
                    _log.info("%s cannot be asked for its incarnation now", self.source)
                    return

    async def unpark(self, tenant: str, stream: str) -> None:
        """Take in what waits for a key, in order. Raises what still stops it; then it stays parked."""
        slot, key = (tenant, stream), f"{self.source}/{stream}"
        async with self._alone:
            for _ in range(_TRIES):
                waiting = await self._parking.waiting(tenant, CONSUMER, key)
                if waiting is None:
                    self._parked.pop(slot, None)
                    return
                arrivals = [self._intake.read(message) for message in waiting.messages]
                readable = [arrival for arrival in arrivals if arrival.envelope is not None]
                stopped = await self._intake.take_in(readable)
                mine = stopped.pop(slot, None)
                await self._park(stopped)
                if mine is None and (len(readable) < len(arrivals) or not waiting.complete):
                    # The owner's log is the truth; what came malformed or found no room is asked for again.
                    mine = await self._intake.synchronise(tenant, stream)
                if mine is None:
                    if await self._parking.finish(tenant, CONSUMER, key, waiting.revision):
                        self._parked.pop(slot, None)
                        return
                else:
                    parked = ParkedKey(CONSUMER, key, mine.reason, 0)
                    if await self._parking.hold_only(
                        tenant, parked, mine.messages, waiting.revision, complete=waiting.complete
                    ):
                        self._parked[slot] = mine.reason
                        raise Unavailable(f"{key} still waits: {mine.reason}")
        raise Unavailable(f"{key} changes too often; try again")

    async def _try_unpark(self, slot: Slot) -> None:
        try:
            await self.unpark(*slot)
        except Unavailable:
            _log.info("from %s: a parked key still waits", self.source)

    async def _settle(self, arrivals: Sequence[Arrival]) -> None:
        still_parked = await self._hold_more([arrival for arrival in arrivals if arrival.slot in self._parked])
        await self._park(await self._intake.take_in([a for a in arrivals if a.slot not in still_parked]))

    async def _hold_more(self, arrivals: Sequence[Arrival]) -> set[Slot]:
        """Put messages behind those that wait; the keys that were parked indeed, for another replica may have unparked one."""
        by_slot: dict[Slot, list[Arrival]] = {}
        for arrival in arrivals:
            mine = by_slot.setdefault(arrival.slot, [])
            if not await self._intake.holds(arrival):
                mine.append(arrival)
        held: set[Slot] = set()
        for slot, mine in by_slot.items():
            key = f"{self.source}/{slot[1]}"
            if await self._parking.hold_more(slot[0], CONSUMER, key, [arrival.message for arrival in mine]):
                held.add(slot)
            else:
                self._parked.pop(slot, None)
        return held

    async def _park(self, stopped: Mapping[Slot, Stopped]) -> None:
        if not stopped:
            return
        for tenant in {tenant for tenant, _ in stopped}:
            await self._store.incarnation(tenant)  # so that the tenant is listed, and its parked keys with it
        await asyncio.gather(
            *(
                self._parking.hold(
                    tenant, ParkedKey(CONSUMER, f"{self.source}/{stream}", found.reason, 0), found.messages
                )
                for (tenant, stream), found in stopped.items()
            )
        )
        for slot, found in stopped.items():
            self._parked[slot] = found.reason
            _log.warning("from %s: a key is parked: %s", self.source, found.reason.partition(":")[0])

    async def _rewind(self, deliveries: Sequence[Delivery]) -> None:
        assert self._member is not None
        first: dict[tuple[str, int], int] = {}
        for delivery in deliveries:
            first.setdefault((delivery.topic, delivery.partition), delivery.offset)
        for (topic, partition), offset in first.items():
            await self._member.seek(topic, partition, offset)


class Consumer:
    """Everything a service takes in, an :class:`Inlet` for each neighbour; one that is stopped stops no other."""

    name = CONSUMER

    def __init__(
        self,
        service: str,
        store: EventStore,
        documents: Documents,
        registry: EventRegistry,
        bus: Bus,
        subscriptions: Sequence[Subscription],
        backfills: Mapping[str, Backfill],
    ) -> None:
        self.inlets = {
            subscription.source: Inlet(
                service, subscription, store, documents, registry, bus, backfills[subscription.source]
            )
            for subscription in subscriptions
        }

    async def run(self) -> None:
        """Take in until cancelled."""
        async with asyncio.TaskGroup() as group:
            for inlet in self.inlets.values():
                group.create_task(inlet.run())

    async def unpark(self, tenant: str, key: str) -> None:
        """``key`` is ``source/stream``. Raises what still stops it; then it stays parked."""
        source, _, stream = key.partition("/")
        if source not in self.inlets:
            raise NotFound(f"nothing is taken in from {source or 'nobody'}")
        await self.inlets[source].unpark(tenant, stream)
