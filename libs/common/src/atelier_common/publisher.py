"""The publisher: what leaves a service, made from its log alone and sent in the log's order."""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field

from google.protobuf.message import Message as ProtobufMessage

from atelier_common import ingested
from atelier_common.bus.envelope import NOTHING, Envelope, Place, encode
from atelier_common.bus.port import Bus, Message
from atelier_common.commit import Commit, RecordedEvent
from atelier_common.documents.port import Documents
from atelier_common.errors import UnknownEventType
from atelier_common.events import EventRegistry
from atelier_common.eventstore.port import EventStore
from atelier_common.follower import Follower, Handled
from atelier_common.opening import Opener, Unreadable
from atelier_common.telemetry import metrics, names, tracing
from atelier_common.watching import LogWatch

_LONGEST_TURN_SECONDS = 0.01
_PUBLISHED = metrics.counter(names.METRIC_PUBLISHED)


@dataclass(frozen=True, slots=True)
class ContractEvent:
    """What a neighbour is told: a CloudEvents type, its protobuf message and, if it helps a filter, a subject.

    ``together``, a function of the event's stream, keeps several streams in one order: all that carries it goes to one partition.
    """

    type: str
    message: ProtobufMessage
    subject: str = ""
    together: str = ""


Translate = Callable[[RecordedEvent], ContractEvent | None]
"""A service's one place that decides what leaves it; a pure function of the event. None keeps the event inside."""


_Slot = tuple[str, str, str]
"""(tenant, incarnation, stream)."""


@dataclass(slots=True)
class Outgoing:
    """What commits that follow each other in a log give to each topic.

    ``first`` is the position of the first commit that has something for a topic; ``position`` the last that was read, which is
    the last asked for unless ``unreadable`` says what stopped it.
    """

    position: int
    messages: dict[str, list[Message]] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)
    unreadable: UnknownEventType | None = None


class ContractLog:
    """The contract events of a service's log: every call makes the same messages from the same commits.

    ``types`` are the stored types that ``translate`` may give something for; None: any. ``previous`` of an event is found in
    the stream's earlier commits; memory only spares reading them again.
    """

    def __init__(
        self,
        service: str,
        store: EventStore,
        registry: EventRegistry,
        translate: Translate,
        types: frozenset[str] | None = None,
        *,
        remembered: int = 50_000,
    ) -> None:
        self.service = service
        self._store = store
        self._registry = registry
        self._opener = Opener(store, registry)
        self._translate = translate
        self._types = types
        self._remembered = remembered
        self._last: OrderedDict[_Slot, tuple[int, Place]] = OrderedDict()

    def wants(self, present: Set[str]) -> bool:
        """Whether commits with events of these stored types and no others may give anything."""
        return self._opener.concerns(self._types, present)

    @property
    def translate(self) -> Translate:
        """What decides what leaves, for who wants to know what was said without its messages."""
        return self._translate

    def topic(self, stream: str) -> str:
        """One stream travels in one topic: that of its category."""
        return f"{self.service}.{stream.partition('/')[0]}"

    async def outgoing(self, tenant: str, commits: Sequence[Commit]) -> Outgoing:
        """What these commits give, which are some in the order of the log.

        It ends before the first that a newer release wrote: what cannot be read cannot be left out either.
        """
        incarnation = await self._store.incarnation(tenant)
        leaving = [commit for commit in commits if self._may_leave(commit)]
        opened = deque(await self._opener.open(tenant, leaving, None))
        found, to_come = Outgoing(commits[-1].position), deque(leaving)
        until = time.perf_counter() + _LONGEST_TURN_SECONDS
        for commit in commits:
            if time.perf_counter() > until:
                await asyncio.sleep(0)
                until = time.perf_counter() + _LONGEST_TURN_SECONDS
            slot = (tenant, incarnation, commit.stream)
            if not to_come or commit is not to_come[0]:
                self._pass_over(slot, commit.version)
                continue
            to_come.popleft()
            events: list[RecordedEvent] = []
            for _ in commit.events:
                event = opened.popleft()
                if isinstance(event, Unreadable):
                    found.position, found.unreadable = commit.position - 1, event.error
                    return found
                events.append(event)
            previous = await self._place_before(slot, commit)
            said = self._said(incarnation, events, previous)
            self._remember(slot, commit.version, said[-1][0] if said else previous)
            if said:
                topic = self.topic(commit.stream)
                found.messages.setdefault(topic, []).extend([message for _, message in said])
                found.first.setdefault(topic, commit.position)
        return found

    async def contract_events(self, tenant: str, stream: str, after: Place = NOTHING) -> list[Message]:
        """The messages of one stream after ``after``, each exactly as it was or will be published."""
        incarnation = await self._store.incarnation(tenant)
        commits = await self._store.read_stream(tenant, stream)
        return [message for place, message in await self._said_in(tenant, incarnation, commits) if place > after]

    async def streams(self, tenant: str, topics: Sequence[str]) -> list[str]:
        """Every stream of these topics, in order of name; some may have no contract event."""
        found: list[str] = []
        for topic in sorted(set(topics)):
            service, _, category = topic.partition(".")
            if service != self.service:
                continue
            after = ""
            while page := await self._store.list_streams(tenant, f"{category}/", after):
                found += page
                after = page[-1]
        return found

    async def incarnation(self, tenant: str) -> str:
        return await self._store.incarnation(tenant)

    def _may_leave(self, commit: Commit) -> bool:
        """Whether a commit may give something, or holds what this release does not know; a neighbour's fact never does."""
        types = self._types
        for stored in commit.events:
            if types is None or stored.type in types or not self._registry.knows(stored.type, stored.version):
                return ingested.identity(commit) is None
        return False

    async def _place_before(self, slot: _Slot, commit: Commit) -> Place:
        """The place of the stream's last contract event before ``commit``."""
        tenant, incarnation, stream = slot
        seen, previous = self._last.get(slot, (0, NOTHING))
        if seen >= commit.version:
            seen, previous = 0, NOTHING
        if seen < commit.version - 1:
            between = await self._store.read_stream(tenant, stream, seen, commit.version - 1 - seen)
            for place, _ in await self._said_in(tenant, incarnation, between):
                previous = place
        return previous

    def _pass_over(self, slot: _Slot, version: int) -> None:
        """A commit that gives nothing: what is remembered of its stream, if it stood right before, goes on to it."""
        known = self._last.get(slot)
        if known is not None and known[0] == version - 1:
            self._last[slot] = (version, known[1])

    async def _said_in(self, tenant: str, incarnation: str, commits: Sequence[Commit]) -> list[tuple[Place, Message]]:
        """What these commits of a stream give, told as if the stream began with them. Raises UnknownEventType."""
        leaving = [commit for commit in commits if self._may_leave(commit)]
        events: list[RecordedEvent] = []
        for opened in await self._opener.open(tenant, leaving, None):
            if isinstance(opened, Unreadable):
                raise opened.error
            events.append(opened)
        return self._said(incarnation, events, NOTHING)

    def _said(self, incarnation: str, events: Sequence[RecordedEvent], previous: Place) -> list[tuple[Place, Message]]:
        """The messages of a stream's next events, each with its place."""
        made: list[tuple[Place, Message]] = []
        for event in events:
            said = self._translate(event)
            if said is None:
                continue
            place = (event.version, event.ordinal)
            envelope = Envelope(
                id=event.id,
                service=self.service,
                type=said.type,
                time=event.recorded_at,
                subject=said.subject,
                tenant=event.tenant,
                stream=event.stream,
                place=place,
                previous=previous,
                incarnation=incarnation,
                correlation_id=event.correlation_id,
                causation_ids=event.causation_ids,
                trace=event.trace,
                payload=said.message.SerializeToString(deterministic=True),
            )
            made.append((place, encode(envelope, said.together)))
            previous = place
        return made

    def _remember(self, slot: _Slot, version: int, last: Place) -> None:
        self._last[slot] = (version, last)
        self._last.move_to_end(slot)
        if len(self._last) > self._remembered:
            self._last.popitem(last=False)


class Publisher:
    """Sends a log's contract events, in order, at least once, under a lease's epoch.

    The cursor moves over a commit only when every message of it and of all commits before it is acknowledged; after a failure
    sending begins again at the cursor. What is sent twice carries the same identity twice.
    """

    def __init__(
        self,
        service: str,
        store: EventStore,
        documents: Documents,
        registry: EventRegistry,
        bus: Bus,
        translate: Translate,
        types: frozenset[str] | None = None,
        *,
        batch: int = 500,
        watch: LogWatch | None = None,
    ) -> None:
        self.contracts = ContractLog(service, store, registry, translate, types)
        self._bus = bus
        self.follower = Follower(
            "publisher", store, documents, self._send, batch=batch, wants=self.contracts.wants, watch=watch
        )

    async def run(self, epoch: int) -> None:
        """Publish until cancelled or, with LeadershipLost, until a newer epoch has claimed the cursor."""
        await self.follower.run(epoch)

    async def _send(self, tenant: str, commits: Sequence[Commit]) -> Handled:
        outgoing = await self.contracts.outgoing(tenant, commits)
        if outgoing.unreadable is not None and outgoing.position < commits[0].position:
            raise outgoing.unreadable
        topics = outgoing.messages
        if not topics:
            return Handled(outgoing.position)
        traces = [commit.trace for commit in commits]
        with tracing.batch_span(names.SPAN_PUBLISH, traces, {names.COMMIT_COUNT: len(commits)}):
            outcomes = await asyncio.gather(
                *(self._publish(topic, messages) for topic, messages in topics.items()), return_exceptions=True
            )
        failures = [
            (outgoing.first[topic], outcome)
            for topic, outcome in zip(topics, outcomes, strict=True)
            if isinstance(outcome, BaseException)
        ]
        if not failures:
            return Handled(outgoing.position)
        first, failure = min(failures, key=lambda failed: failed[0])
        if first == commits[0].position or not isinstance(failure, Exception):
            raise failure
        return Handled(first - 1)

    async def _publish(self, topic: str, messages: Sequence[Message]) -> None:
        await self._bus.publish(topic, messages)
        _PUBLISHED.add(len(messages), {names.TOPIC: topic})
