"""The publisher: what leaves a service, made from its log alone and sent in the log's order."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Sequence
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

_PUBLISHED = metrics.counter(names.METRIC_PUBLISHED)


@dataclass(frozen=True, slots=True)
class ContractEvent:
    """What a neighbour is told: a CloudEvents type, its protobuf message and, if it helps a filter, a subject."""

    type: str
    message: ProtobufMessage
    subject: str = ""


Translate = Callable[[RecordedEvent], ContractEvent | None]
"""A service's one place that decides what leaves it; a pure function of the event. None keeps the event inside."""


@dataclass(slots=True)
class _Outgoing:
    """The messages of one batch for one topic, and the positions of the commits that they come from."""

    messages: list[Message] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)


class ContractLog:
    """The contract events of a service's log: every call makes the same messages from the same commits.

    ``previous`` of an event is found in the stream's earlier commits; memory only spares reading them again.
    """

    def __init__(
        self,
        service: str,
        store: EventStore,
        registry: EventRegistry,
        translate: Translate,
        *,
        remembered: int = 50_000,
    ) -> None:
        self.service = service
        self._store = store
        self._opener = Opener(store, registry)
        self._translate = translate
        self._remembered = remembered
        self._last: OrderedDict[tuple[str, str, str], tuple[int, Place]] = OrderedDict()

    def topic(self, stream: str) -> str:
        """One stream travels in one topic: that of its category."""
        return f"{self.service}.{stream.partition('/')[0]}"

    async def messages(self, tenant: str, commit: Commit) -> list[Message]:
        """The messages that a commit gives; fastest when asked in log order.

        Raises UnknownEventType where a newer release wrote the commit: what cannot be read cannot be left out either.
        """
        if ingested.identity(commit) is not None:
            return []
        incarnation = await self._store.incarnation(tenant)
        previous = await self._place_before(tenant, incarnation, commit)
        envelopes = await self._envelopes(incarnation, commit, previous)
        self._remember((tenant, incarnation, commit.stream), commit.version, envelopes, previous)
        return [encode(envelope) for envelope in envelopes]

    async def contract_events(self, tenant: str, stream: str, after: Place = NOTHING) -> list[Message]:
        """The messages of one stream after ``after``, each exactly as it was or will be published."""
        incarnation = await self._store.incarnation(tenant)
        previous, made = NOTHING, []
        for commit in await self._store.read_stream(tenant, stream):
            if ingested.identity(commit) is not None:
                continue
            for envelope in await self._envelopes(incarnation, commit, previous):
                previous = envelope.place
                if envelope.place > after:
                    made.append(encode(envelope))
        return made

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

    async def _place_before(self, tenant: str, incarnation: str, commit: Commit) -> Place:
        """The place of the stream's last contract event before ``commit``."""
        slot = (tenant, incarnation, commit.stream)
        known = self._last.get(slot)
        if known is not None and known[0] == commit.version - 1:
            return known[1]
        previous = NOTHING
        if commit.version > 1:
            for earlier in await self._store.read_stream(tenant, commit.stream, 0, commit.version - 1):
                for envelope in await self._envelopes(incarnation, earlier, previous):
                    previous = envelope.place
        return previous

    def _remember(
        self, slot: tuple[str, str, str], version: int, envelopes: Sequence[Envelope], previous: Place
    ) -> None:
        self._last[slot] = (version, envelopes[-1].place if envelopes else previous)
        self._last.move_to_end(slot)
        while len(self._last) > self._remembered:
            self._last.popitem(last=False)

    async def _envelopes(self, incarnation: str, commit: Commit, previous: Place) -> list[Envelope]:
        made: list[Envelope] = []
        for opened in await self._opener.open(commit.tenant, [commit], None):
            if isinstance(opened, Unreadable):
                raise opened.error
            said = self._translate(opened)
            if said is None:
                continue
            place = (opened.version, opened.ordinal)
            made.append(
                Envelope(
                    id=opened.id,
                    service=self.service,
                    type=said.type,
                    time=opened.recorded_at,
                    subject=said.subject,
                    tenant=opened.tenant,
                    stream=opened.stream,
                    place=place,
                    previous=previous,
                    incarnation=incarnation,
                    correlation_id=opened.correlation_id,
                    causation_ids=opened.causation_ids,
                    trace=opened.trace,
                    payload=said.message.SerializeToString(deterministic=True),
                )
            )
            previous = place
        return made


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
        *,
        batch: int = 500,
        watch: LogWatch | None = None,
    ) -> None:
        self.contracts = ContractLog(service, store, registry, translate)
        self._bus = bus
        self.follower = Follower("publisher", store, documents, self._send, batch=batch, watch=watch)

    async def run(self, epoch: int) -> None:
        """Publish until cancelled or, with LeadershipLost, until a newer epoch has claimed the cursor."""
        await self.follower.run(epoch)

    async def _send(self, tenant: str, commits: Sequence[Commit]) -> Handled:
        readable, by_topic = await self._sort(tenant, commits)
        traces = [commit.trace for commit in commits]
        with tracing.batch_span(names.SPAN_PUBLISH, traces, {names.COMMIT_COUNT: len(commits)}):
            outcomes = await asyncio.gather(
                *(self._bus.publish(topic, outgoing.messages) for topic, outgoing in by_topic.items()),
                return_exceptions=True,
            )
        failures = [
            (outgoing.positions[0], outcome)
            for outgoing, outcome in zip(by_topic.values(), outcomes, strict=True)
            if isinstance(outcome, BaseException)
        ]
        if not failures:
            return Handled(readable)
        first, failure = min(failures, key=lambda failed: failed[0])
        if first == commits[0].position or not isinstance(failure, Exception):
            raise failure
        return Handled(first - 1)

    async def _publish(self, topic: str, messages: Sequence[Message]) -> None:
        await self._bus.publish(topic, messages)
        _PUBLISHED.add(len(messages), {names.TOPIC: topic})

    async def _sort(self, tenant: str, commits: Sequence[Commit]) -> tuple[int, dict[str, _Outgoing]]:
        """What goes to which topic, up to the position that this release can read; raises where that is none."""
        by_topic: dict[str, _Outgoing] = {}
        for commit in commits:
            try:
                messages = await self.contracts.messages(tenant, commit)
            except UnknownEventType:
                if commit is commits[0]:
                    raise
                return commit.position - 1, by_topic
            if messages:
                outgoing = by_topic.setdefault(self.contracts.topic(commit.stream), _Outgoing())
                outgoing.messages += messages
                outgoing.positions.append(commit.position)
        return commits[-1].position, by_topic
