"""The worker: takes what was asked for from the bus, whose work it is one at a time and several at once, and does it.

The bus only says whose turn it is and in which process. What is asked, what it was caused by and what is answered is read from the
own log, so a message that comes twice or late changes nothing, and one that is lost is sent again by whoever leads.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from opentelemetry.trace import SpanKind

from atelier_common.asking import Work
from atelier_common.bus.envelope import Envelope, NotAnEnvelope, decode
from atelier_common.bus.port import Bus, BusSubscription, Delivery, PartitionLost
from atelier_common.carrying_out import carry_out
from atelier_common.commands import Commands
from atelier_common.commit import RecordedEvent
from atelier_common.documents.port import Documents
from atelier_common.errors import ConcurrencyConflict, Unavailable
from atelier_common.events import EventRegistry
from atelier_common.eventstore.port import EventStore
from atelier_common.opening import Opener, Unreadable
from atelier_common.parking import ParkedKey, Parking
from atelier_common.projection import ReadModel
from atelier_common.reaction import Issue
from atelier_common.telemetry import metrics, names, tracing
from atelier_common.undone import Place, Undone

Slot = tuple[str, str]
"""(tenant, whose work it is): one piece of work at a time."""
_AT_A_TIME = 500
_MOST_TOGETHER = 100
_LOOKED_SECONDS = 5.0
"""So long what this process knows of a key is not asked for again: whether it is parked, and what of it is answered. Where another process
has changed that meanwhile, work is done once more, which the ids of its commands make harmless.
"""
_LONGEST_REST = 0.05
_ANSWERED = metrics.counter(names.METRIC_ANSWERED)
_log = logging.getLogger("atelier.working")


@dataclass(slots=True)
class _Lane:
    """What one of them was asked for and has not got; worked off by a task."""

    told: list[tuple[Delivery, Envelope]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Stopped:
    """What cannot be done, and why."""

    stream: str
    version: int
    error: Exception


class Worker:
    """Does one kind of work in this process: its share of what all processes of the service are asked for.

    Askings of one of them are done in order, one piece of work at a time; those of others go on meanwhile, ``at_once`` of them. What
    is not available and what lost a race is tried again with growing pauses. Anything else that goes wrong parks whose work it is; the
    others go on. An offset is committed when what it asks for is answered in the log, or parked.

    After a piece of work its key rests as long as that took, 50 ms at most: under load more comes at once and is done
    together. What comes after a pause is done at once.
    """

    def __init__(
        self,
        service: str,
        work: Work,
        store: EventStore,
        documents: Documents,
        registry: EventRegistry,
        commands: Commands,
        bus: Bus,
        waiting: ReadModel,
        *,
        at_once: int = 4,
        most_under_way: int = 1_000,
        slowest: float = 5.0,
    ) -> None:
        self.name = f"work:{work.name}"
        self.group = f"{service}-works-{work.name}"
        self.topic = f"{service}.{work.name}"
        self.work = work
        self._store = store
        self._parking = Parking(documents)
        self._opener = Opener(store, registry)
        self._commands = commands
        self._bus = bus
        self._waiting = waiting
        self._room = asyncio.Semaphore(at_once)
        self._most_under_way = most_under_way
        self._slowest = slowest
        self._undone = Undone()
        self._free: dict[Slot, float] = {}
        """Until when a key is taken not to be parked."""
        self._rests: dict[Slot, float] = {}
        """Until when a key rests."""
        self._lanes: dict[Slot, _Lane] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._member: BusSubscription | None = None
        self._paused: set[Place] = set()
        self._committing = asyncio.Lock()
        self._draining = False
        bus.expect(self.group, [self.topic], keeps_account=True)

    async def run(self) -> None:
        """Work until cancelled, then leave the group: what is under way is given up, and others are handed it."""
        pause = 0.05
        try:
            while True:
                try:
                    await self._fetch()
                    pause = 0.05
                except Exception as error:
                    _log.warning("%s will try again: %s", self.name, type(error).__name__, exc_info=True)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, self._slowest)
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            if self._member is not None:
                await self._member.close()

    async def drain(self, seconds: float) -> None:
        """Begin nothing more and let what is under way end, so long at most."""
        self._draining = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)

    async def left(self, tenant: str) -> int:
        """How many askings wait, in any process, those of parked keys apart."""
        found = await self.waiting(tenant)
        return sum(last - first + 1 for streams in found.values() for first, last in streams.values())

    async def waiting(self, tenant: str) -> Mapping[str, Mapping[str, tuple[int, int]]]:
        """What waits, by whose it is and key: the first and the last version. What is parked waits for an operator and is left out."""
        found = await self._waiting.all(tenant, "waiting", 1)
        parked = {entry.key for entry in await self._parking.parked(tenant, self.name)} if found else ()
        return {
            whose: {key: (first, last) for key, (first, last) in document["streams"].items()}
            for whose, document in found
            if whose not in parked
        }

    async def unpark(self, tenant: str, whose: str) -> None:
        """Do what waits for a parked key, in order. Raises what still stops it; then it stays parked."""
        for entry in await self._parking.parked(tenant, self.name):
            if entry.key == whose:
                break
        else:
            return
        await self._catch_up(tenant, whose)
        await self._parking.release(tenant, entry)
        # What was asked while it was still parked has had its turn on the bus.
        await self._catch_up(tenant, whose)

    async def _catch_up(self, tenant: str, whose: str) -> None:
        document = await self._waiting.get(tenant, whose)
        until = {self.work.stream(key): last for key, (_, last) in document["streams"].items()} if document else {}
        stopped = await self._work_through(tenant, until)
        if stopped is not None:
            raise stopped.error

    async def _fetch(self) -> None:
        if self._member is None:
            self._member = self._bus.subscribe(self.group, [self.topic])
        await self._commit()
        deliveries = await self._member.fetch(_AT_A_TIME, 1.0)
        if self._draining:
            return
        for delivery in deliveries:
            self._accept(delivery)
        self._hold_back(self._member)

    def _accept(self, delivery: Delivery) -> None:
        if not self._undone.begin(delivery):
            return
        try:
            envelope = decode(delivery.message)
        except NotAnEnvelope:
            _log.warning("%s passes over a message that asks for nothing; what is asked stands in the log", self.name)
            self._undone.done([delivery])
            return
        slot = (envelope.tenant, delivery.message.key.removeprefix(f"{envelope.tenant}/"))
        lane = self._lanes.get(slot)
        if lane is None:
            lane = self._lanes[slot] = _Lane()
            task = asyncio.create_task(self._work_off(slot, lane), name=self.name)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        lane.told.append((delivery, envelope))

    def _hold_back(self, member: BusSubscription) -> None:
        """Take nothing more from a partition that has too much under way; a rebalance may have forgotten that."""
        crowded = set(self._undone.crowded(self._most_under_way))
        for place in crowded:
            member.pause(*place)
        for place in self._paused - crowded:
            member.resume(*place)
        self._paused = crowded

    async def _work_off(self, slot: Slot, lane: _Lane) -> None:
        pause, last_error = 0.05, ""
        time = asyncio.get_running_loop().time
        await asyncio.sleep(self._rests.get(slot, 0.0) - time())
        while lane.told and not self._draining:
            try:
                async with self._room:
                    told, began = list(lane.told), time()
                    await self._take(slot, [envelope for _, envelope in told])
            except Exception as error:
                if last_error != repr(error):
                    _log.warning("%s will try again: %s", self.name, type(error).__name__, exc_info=True)
                last_error = repr(error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, self._slowest)
                continue
            pause, last_error = 0.05, ""
            del lane.told[: len(told)]
            self._undone.done(delivery for delivery, _ in told)
            try:
                await self._commit()
            except Exception as error:
                _log.info("%s commits later: %s", self.name, type(error).__name__)
            rest = min(time() - began, _LONGEST_REST)
            self._rests = {each: until for each, until in self._rests.items() if until > time()} | {slot: time() + rest}
            if lane.told:
                await asyncio.sleep(rest)
        del self._lanes[slot]

    async def _commit(self) -> None:
        async with self._committing:
            for last in self._undone.committable():
                assert self._member is not None
                try:
                    await self._member.commit([last])
                except PartitionLost:
                    # What was done is in the log; who holds the partition now is told of it again and finds it answered.
                    _log.info("%s: another replica took a partition over", self.name)
                    self._undone.forget(last.topic, last.partition)
                else:
                    self._undone.committed(last)

    async def _take(self, slot: Slot, told: Iterable[Envelope]) -> None:
        tenant, whose = slot
        if await self._is_parked(slot):
            return
        incarnation = await self._store.incarnation(tenant)
        until: dict[str, int] = {}
        for envelope in told:
            if envelope.incarnation == incarnation:
                until[envelope.stream] = max(until.get(envelope.stream, 0), envelope.place[0])
        stopped = await self._work_through(tenant, until)
        if stopped is not None:
            since = await self._store.position_of(tenant, stopped.stream, stopped.version)
            reason = f"{type(stopped.error).__name__} in {self.work.name}"
            self._free.pop(slot, None)
            await self._parking.park(tenant, ParkedKey(self.name, whose, reason, since or 0))
            _log.warning("%s: a key is parked: %s", self.name, reason)

    async def _is_parked(self, slot: Slot) -> bool:
        now = asyncio.get_running_loop().time()
        if now < self._free.get(slot, now):
            return False
        self._free = {each: until for each, until in self._free.items() if now < until}
        tenant, whose = slot
        if await self._parking.is_parked(tenant, self.name, whose):
            return True
        self._free[slot] = now + _LOOKED_SECONDS
        return False

    async def _work_through(self, tenant: str, until: Mapping[str, int]) -> _Stopped | None:
        """Do everything in these streams up to these versions that is not answered; what stopped it."""
        askings, unreadable = await self._askings(tenant, until)
        for some in _together(askings, self.work.joins):
            error = await self._stops(tenant, some)
            if error is None:
                continue
            if len(some) == 1:
                return _Stopped(some[0].stream, some[0].version, error)
            for asking in some:  # find the one that cannot be done; what stands before it must not wait
                error = await self._stops(tenant, [asking])
                if error is not None:
                    return _Stopped(asking.stream, asking.version, error)
        return unreadable

    async def _askings(self, tenant: str, until: Mapping[str, int]) -> tuple[list[RecordedEvent], _Stopped | None]:
        """What is not answered of these streams, in order of their names; it ends before the first that cannot be read."""
        found: list[RecordedEvent] = []
        for stream, last in sorted(until.items()):
            key = stream.partition("/")[2]
            answered, _ = await self._commands.load(self.work.answering, tenant, key, within=_LOOKED_SECONDS)
            if answered >= last:
                continue
            commits = await self._store.read_stream(tenant, stream, answered, last - answered)
            for opened in await self._opener.open(tenant, commits, frozenset({self.work.asked})):
                if isinstance(opened, Unreadable):
                    return found, _Stopped(stream, opened.commit.version, opened.error)
                found.append(opened)
        return found, None

    async def _stops(self, tenant: str, askings: Sequence[RecordedEvent]) -> Exception | None:
        """Do these and say so in the log, or tell what is in the way. Raises what is to be tried again."""
        attributes: tracing.Attributes = {names.WORK: self.work.name, names.EVENT_COUNT: len(askings)}
        traces = [asking.trace for asking in askings]
        try:
            with tracing.batch_span(names.SPAN_WORK, traces, attributes, SpanKind.CONSUMER):
                await self._carry_out(tenant, await self.work.do(askings))
            # Only now: who is told of it once more must not find answered what was not done.
            last = {asking.stream: asking for asking in askings}
            await self._carry_out(tenant, [self._answer(asking) for asking in last.values()])
        except (Unavailable, ConcurrencyConflict):
            raise
        except Exception as error:
            return error
        _ANSWERED.add(len(askings), {names.WORK: self.work.name})
        return None

    def _answer(self, last: RecordedEvent) -> Issue:
        command = self.work.answer(self.work.whose(last.event), last.version)
        return Issue(last, self.work.answering, last.stream.partition("/")[2], command)

    async def _carry_out(self, tenant: str, issues: Sequence[Issue]) -> None:
        for refusal in (await carry_out(self._commands, tenant, self.name, self.work.name, issues)).values():
            raise refusal


def _together(askings: Sequence[RecordedEvent], joins: Callable[[object], bool]) -> list[list[RecordedEvent]]:
    """Cut into what is done at a time."""
    found: list[list[RecordedEvent]] = []
    for asking in askings:
        last = found[-1] if found else []
        if last and len(last) < _MOST_TOGETHER and joins(last[-1].event) and joins(asking.event):
            last.append(asking)
        else:
            found.append([asking])
    return found
