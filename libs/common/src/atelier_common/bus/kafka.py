"""The bus on Kafka: the one module that imports its client.

Producing is idempotent with acks=all; any failed send closes the producer, so that nothing later overtakes what failed. Groups
commit by hand. A rebalance takes all partitions from all members and deals them out again: what a member had fetched before may
be another's business then, which it learns when it commits; what it wrote meanwhile is harmless to logs that know each event.
"""

import asyncio
import contextlib
import logging
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import (
    CommitFailedError,
    ConsumerStoppedError,
    IllegalStateError,
    KafkaError,
    TopicAlreadyExistsError,
    for_code,
)

from atelier_common.bus.port import Bus, Delivery, Message, PartitionLost
from atelier_common.bus.prefetched import Prefetched
from atelier_common.errors import Unavailable

COMMITTED_WITHIN = 0.25
"""Seconds after which the broker knows what a member has done: what a crash makes the next member do again."""
_LARGEST_MESSAGE = 2_000_000
_REQUEST_MS = 10_000
_SESSION_MS = 10_000
_HEARTBEAT_MS = 3_000
_LEAVES_SECONDS = 3.0
_READS_SECONDS = 1.0
_AHEAD_BYTES = 1_000_000
"""So much of a partition may wait for a member to ask for it; of one that has more nothing is read until half of that is gone."""
_FORGOTTEN_SECONDS = 300.0
"""A member that asks for nothing for so long reads nothing, and the broker gives its partitions to others."""
_log = logging.getLogger("atelier.bus")


@dataclass(frozen=True)
class Topic:
    """A topic as it must be. ``settings`` are Kafka's own (``retention.ms``, ``cleanup.policy``); ``replicas`` 0: the broker's
    default.
    """

    name: str
    partitions: int
    replicas: int = 0
    settings: Mapping[str, str] = field(default_factory=dict)


class WrongTopic(RuntimeError):
    """A topic is there and is not as declared; the message names it and what differs."""


async def settle_topics(address: str, topics: Sequence[Topic], prefix: str = "") -> None:
    """Create what is missing, check what is there. Safe to run by several replicas at once.

    Raises WrongTopic where one has other partitions or settings (its events' order or life would be another), Unavailable
    where no broker answers.
    """
    topics = [replace(topic, name=prefix + topic.name) for topic in topics]
    admin = AIOKafkaAdminClient(bootstrap_servers=address, request_timeout_ms=_REQUEST_MS)
    try:
        await admin.start()
        made = await admin.create_topics([_new(topic) for topic in topics])
        for name, code, *said in made.topic_errors:
            if code and for_code(code) is not TopicAlreadyExistsError:
                raise WrongTopic(
                    f"topic {name} cannot be created: {for_code(code).__name__} {' '.join(map(str, said))}"
                )
        await _until_known(admin, topics)
        await _check_settings(admin, topics)
    except KafkaError as error:
        raise Unavailable(f"Kafka did not settle the topics: {type(error).__name__}") from error
    finally:
        await admin.close()


def _new(topic: Topic) -> NewTopic:
    if topic.replicas:
        return NewTopic(topic.name, topic.partitions, topic.replicas, topic_configs=dict(topic.settings))
    # -1 leaves it to the broker; the client then wants to see an assignment, if an empty one.
    return NewTopic(topic.name, topic.partitions, -1, {}, dict(topic.settings))


async def _until_known(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> None:
    """A new topic takes a moment until every broker names it."""
    for _ in range(100):
        described = {one["topic"]: one for one in await admin.describe_topics([topic.name for topic in topics])}
        if all(described.get(topic.name, {}).get("partitions") for topic in topics):
            break
        await asyncio.sleep(0.05)
    for topic in topics:
        there = len(described.get(topic.name, {}).get("partitions", ()))
        if there != topic.partitions:
            raise WrongTopic(
                f"topic {topic.name} has {there} partitions and must have {topic.partitions}: keys would lose their order"
            )


async def _check_settings(admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> None:
    asked = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in topics if topic.settings]
    held: dict[str, dict[str, str]] = {}
    for answer in await admin.describe_configs(asked) if asked else ():
        for _code, _message, _kind, name, entries in answer.resources:
            held[name] = {entry[0]: entry[1] for entry in entries}
    for topic in topics:
        for name, value in topic.settings.items():
            found = held.get(topic.name, {}).get(name)
            if found != value:
                raise WrongTopic(f"topic {topic.name} has {name}={found} and must have {value}")


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a partition has before the member that holds it. ``since_ms`` is when the oldest of it was sent; None: nothing of it
    was fetched yet.
    """

    group: str
    topic: str
    partition: int
    messages: int
    since_ms: int | None


class KafkaBus:
    """A bus at ``address`` (host:port, several with commas). Connections are made when first needed, one producer for all.

    ``prefix`` stands before every topic and group on the broker, so that several systems may share one.
    """

    def __init__(self, address: str, *, prefix: str = "", client_id: str = "atelier") -> None:
        self._address = address
        self._prefix = prefix
        self._client_id = client_id
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._members: set[KafkaSubscription] = set()
        self._closed = False

    async def publish(self, topic: str, messages: Sequence[Message]) -> None:
        if self._closed:
            raise Unavailable("the bus is closed")
        if not messages:
            return
        producer = await self._started()
        try:
            sent = [
                await producer.send(
                    self._prefix + topic, message.value, key=message.key.encode(), headers=list(message.headers)
                )
                for message in messages
            ]
            await asyncio.gather(*sent)
        except BaseException as error:
            # Only who goes on publishing has to know that nothing of it can come later.
            await self._give_up(producer, None if isinstance(error, Exception) else _LEAVES_SECONDS)
            if isinstance(error, KafkaError):
                raise Unavailable(f"Kafka did not take it: {type(error).__name__}") from error
            raise

    def expect(self, _group: str, _topics: Sequence[str], *, keeps_account: bool = False) -> None:
        """Kafka keeps what nobody has read yet; a new group begins at the oldest message."""

    def subscribe(self, group: str, topics: Sequence[str]) -> "KafkaSubscription":
        member = KafkaSubscription(self._address, self._prefix, self._client_id, group, topics)
        self._members.add(member)
        return member

    async def waiting(self) -> list[Waiting]:
        """Of every partition held here, by what the broker said last; asks nobody."""
        return [found for member in self._members for found in await member.waiting()]

    async def close(self) -> None:
        self._closed = True
        for member in list(self._members):
            await member.close()
        if self._producer is not None:
            await self._give_up(self._producer, _LEAVES_SECONDS)

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._address,
                    client_id=self._client_id,
                    acks="all",
                    enable_idempotence=True,
                    max_request_size=_LARGEST_MESSAGE,
                    request_timeout_ms=_REQUEST_MS,
                )
                try:
                    await producer.start()
                except BaseException as error:
                    await _leave(producer, _LEAVES_SECONDS)
                    if isinstance(error, KafkaError):
                        raise Unavailable(f"no Kafka broker answers: {type(error).__name__}") from error
                    raise
                self._producer = producer
            return self._producer

    async def _give_up(self, producer: AIOKafkaProducer, seconds: float | None) -> None:
        if self._producer is producer:
            self._producer = None
        await _leave(producer, seconds)


@dataclass(slots=True)
class _Dealt:
    """A partition that a member was dealt. Offsets are those behind what they speak of."""

    since: int | None = None
    """From where it was handed out; None: nothing of it was yet."""
    done: int = 0
    committed: int = 0
    full: bool = False
    """Nothing more is read of it until what was read ahead is handed out."""
    read: deque[tuple[int, int]] = field(default_factory=deque)
    """What was read together and is not all done: (offset behind it, when the first of it was sent), the oldest first."""

    def covers(self, end: int) -> bool:
        """Whether what ends at ``end`` was handed out since the partition was dealt to this member."""
        return self.since is not None and end > self.since

    def note_done(self, end: int) -> None:
        self.done = max(self.done, end)
        while self.read and self.read[0][0] <= self.done:
            self.read.popleft()


class _Held(ConsumerRebalanceListener):  # type: ignore[misc]  # the client gives no types
    """What a member has of the partitions it was dealt last."""

    def __init__(self, commit: Callable[[], Awaitable[None]]) -> None:
        self._commit = commit
        self.prefetched = Prefetched()
        self.dealt: defaultdict[TopicPartition, _Dealt] = defaultdict(_Dealt)

    def due(self) -> dict[TopicPartition, int]:
        """What is done and not committed."""
        return {place: dealt.done for place, dealt in self.dealt.items() if dealt.done > dealt.committed}

    async def on_partitions_revoked(self, _revoked: Iterable[TopicPartition]) -> None:
        await self._commit()
        self._forget()

    def on_partitions_assigned(self, _assigned: Iterable[TopicPartition]) -> None:
        self._forget()

    def _forget(self) -> None:
        self.dealt.clear()
        self.prefetched.clear()


class KafkaSubscription:
    """One member of a group; it joins with its first :meth:`fetch`.

    What the client has it is always asked for at once, however long a handler takes, and what nobody wants yet waits here. Where it
    keeps something of one partition for a tenth of a second, it asks the broker for the others alone and waits for them up to half a
    second, and what then comes in the first would not be read before that.
    """

    def __init__(self, address: str, prefix: str, client_id: str, group: str, topics: Sequence[str]) -> None:
        self._address = address
        self._prefix = prefix
        self._client_id = client_id
        self._group = prefix + group
        self._topics = [prefix + topic for topic in topics]
        self._consumer: AIOKafkaConsumer | None = None
        self._starting = asyncio.Lock()
        self._held = _Held(self._commit_in_time)
        self._reading: asyncio.Task[None] | None = None
        self._committing: asyncio.Task[None] | None = None
        self._came = asyncio.Event()
        self._asked = 0.0
        self._closed = False

    async def fetch(self, max_messages: int, timeout: float) -> list[Delivery]:
        consumer = await self._joined()
        self._asked = asyncio.get_running_loop().time()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                while not (found := self._taken(consumer, max_messages)):
                    self._came.clear()
                    self._raise_what_ended_it()
                    await self._came.wait()
        return found

    def _taken(self, consumer: AIOKafkaConsumer, most: int) -> list[Delivery]:
        found = self._held.prefetched.take(most)
        for delivery in found:
            dealt = self._held.dealt[self._place(delivery.topic, delivery.partition)]
            dealt.since = delivery.offset if dealt.since is None else dealt.since
        for place, dealt in self._held.dealt.items():
            if dealt.full and 2 * self._held.prefetched.size(self._unplaced(place)) < _AHEAD_BYTES:
                dealt.full = False
                if place in consumer.assignment():
                    consumer.resume(place)
        return found

    def _raise_what_ended_it(self) -> None:
        """Raises Unavailable where reading failed; it goes on with the next fetch."""
        if self._reading is None or not self._reading.done():
            return
        reading, self._reading = self._reading, None
        error = None if reading.cancelled() else reading.exception()
        if error is None or isinstance(error, KafkaError):
            raise Unavailable(f"Kafka gives nothing to {self._group}: {type(error).__name__}") from error
        raise error

    async def _read_on(self, consumer: AIOKafkaConsumer) -> None:
        time = asyncio.get_running_loop().time
        try:
            while True:
                if time() > self._asked + _FORGOTTEN_SECONDS:
                    await asyncio.sleep(_READS_SECONDS)
                    continue
                for place, records in (await consumer.getmany(timeout_ms=int(1000 * _READS_SECONDS))).items():
                    self._keep(consumer, place, records)
        finally:
            self._came.set()

    def _keep(self, consumer: AIOKafkaConsumer, place: TopicPartition, records: Sequence[ConsumerRecord]) -> None:
        topic, partition = self._unplaced(place)
        dealt = self._held.dealt[place]
        dealt.read.append((records[-1].offset + 1, records[0].timestamp))
        self._held.prefetched.put(
            Delivery(
                topic,
                partition,
                record.offset,
                Message((record.key or b"").decode(), record.value or b"", tuple(record.headers)),
            )
            for record in records
        )
        if self._held.prefetched.size((topic, partition)) > _AHEAD_BYTES and place in consumer.assignment():
            dealt.full = True
            consumer.pause(place)
        self._came.set()

    async def commit(self, deliveries: Iterable[Delivery]) -> None:
        ends: dict[TopicPartition, int] = {}
        for delivery in deliveries:
            place = self._place(delivery.topic, delivery.partition)
            ends[place] = max(ends.get(place, 0), delivery.offset + 1)
        lost = {place for place, end in ends.items() if self._closed or not self._held.dealt[place].covers(end)}
        for place, end in ends.items():
            if place not in lost:
                self._held.dealt[place].note_done(end)
        if self._held.due() and (self._committing is None or self._committing.done()):
            self._committing = asyncio.create_task(self._commit_later(), name=f"committing:{self._group}")
        if lost:
            places = ", ".join(f"{place.topic}/{place.partition}" for place in sorted(lost))
            raise PartitionLost(f"{self._group} holds {places} no more")

    async def _commit_later(self) -> None:
        while self._held.due() and not self._closed:
            await asyncio.sleep(COMMITTED_WITHIN)
            try:
                await self._commit_done()
            except (Unavailable, PartitionLost) as error:
                _log.info("%s commits later: %s", self._group, error)

    async def _commit_in_time(self) -> None:
        """The others begin where this member ended, if the broker can be told in time."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_LEAVES_SECONDS):
                await self._commit_done()

    async def _commit_done(self) -> None:
        due = self._held.due()
        if not due or self._consumer is None:
            return
        try:
            await self._consumer.commit(due)
        except (CommitFailedError, IllegalStateError, ConsumerStoppedError) as error:
            raise PartitionLost(f"{self._group} was dealt out anew before it committed") from error
        except KafkaError as error:
            raise Unavailable(f"Kafka did not take {self._group}'s commit: {type(error).__name__}") from error
        for place, end in due.items():
            if place in self._held.dealt:
                self._held.dealt[place].committed = end

    async def waiting(self) -> list[Waiting]:
        """Of every partition that this member holds and that the broker has spoken of."""
        consumer = self._consumer
        if consumer is None:
            return []
        found: list[Waiting] = []
        for place in consumer.assignment():
            end = consumer.highwater(place)
            if end is None:
                continue
            dealt = self._held.dealt[place]
            done = dealt.done or dealt.since
            if done is None:
                done = await consumer.position(place)
            since = dealt.read[0][1] if dealt.read else None
            group = self._group.removeprefix(self._prefix)
            found.append(Waiting(group, *self._unplaced(place), max(0, end - done), since))
        return found

    def pause(self, topic: str, partition: int) -> None:
        if self._holds(topic, partition):
            self._held.prefetched.hold_back((topic, partition))

    def resume(self, topic: str, partition: int) -> None:
        if self._holds(topic, partition):
            self._held.prefetched.release((topic, partition))
            self._came.set()

    async def seek(self, topic: str, partition: int, offset: int) -> None:
        if self._consumer is not None and self._holds(topic, partition):
            with contextlib.suppress(IllegalStateError):
                self._consumer.seek(self._place(topic, partition), offset)
                self._held.prefetched.drop((topic, partition))

    def _holds(self, topic: str, partition: int) -> bool:
        return self._consumer is not None and self._place(topic, partition) in self._consumer.assignment()

    def _place(self, topic: str, partition: int) -> TopicPartition:
        return TopicPartition(self._prefix + topic, partition)

    def _unplaced(self, place: TopicPartition) -> tuple[str, int]:
        return place.topic.removeprefix(self._prefix), place.partition

    async def close(self) -> None:
        self._closed = True
        async with self._starting:
            working = [task for task in (self._reading, self._committing) if task is not None]
            self._reading = self._committing = None
        for task in working:
            task.cancel()
        if working:
            await asyncio.wait(working)
        await self._commit_in_time()
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await _leave(consumer, _LEAVES_SECONDS)

    async def _joined(self) -> AIOKafkaConsumer:
        async with self._starting:
            if self._closed:
                raise Unavailable(f"{self._group} has left")
            if self._consumer is None:
                consumer = AIOKafkaConsumer(
                    bootstrap_servers=self._address,
                    client_id=self._client_id,
                    group_id=self._group,
                    enable_auto_commit=False,
                    auto_offset_reset="earliest",
                    session_timeout_ms=_SESSION_MS,
                    heartbeat_interval_ms=_HEARTBEAT_MS,
                    request_timeout_ms=_REQUEST_MS + 30_000,
                )
                consumer.subscribe(self._topics, listener=self._held)
                try:
                    await consumer.start()
                except BaseException as error:
                    await _leave(consumer, _LEAVES_SECONDS)
                    if isinstance(error, KafkaError):
                        raise Unavailable(f"no Kafka broker answers {self._group}: {type(error).__name__}") from error
                    raise
                self._consumer = consumer
            if self._reading is None:
                self._reading = asyncio.create_task(self._read_on(self._consumer), name=f"reading:{self._group}")
            return self._consumer


async def _leave(client: AIOKafkaProducer | AIOKafkaConsumer, seconds: float | None) -> None:
    """Stop a client, in order if the broker answers within ``seconds`` (None: however long it takes)."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(seconds):
            await client.stop()


_PORT: type[Bus] = KafkaBus
