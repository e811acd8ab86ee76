"""The bus on Kafka: the one module that imports its client.

Producing is idempotent with acks=all; any failed send closes the producer, so that nothing later overtakes what failed. Groups
commit by hand. A rebalance takes all partitions from all members and deals them out again: what a member had fetched before may
be another's business then, which it learns when it commits; what it wrote meanwhile is harmless to logs that know each event.
"""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
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
from atelier_common.errors import Unavailable

_LARGEST_MESSAGE = 2_000_000
_REQUEST_MS = 10_000
_SESSION_MS = 10_000
_HEARTBEAT_MS = 3_000
_LEAVES_SECONDS = 3.0


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


class _Held(ConsumerRebalanceListener):  # type: ignore[misc]  # the client gives no types
    """What a member has of the partitions it was dealt last: from where it has read them, how far it has committed."""

    def __init__(self) -> None:
        self.since: dict[TopicPartition, int] = {}
        self.committed: dict[TopicPartition, int] = {}
        self.oldest: dict[TopicPartition, tuple[int, int]] = {}
        """(offset, when it was sent) of the first message that was fetched and is not committed."""

    def covers(self, place: TopicPartition, end: int) -> bool:
        """Whether what ends at ``end`` was read since the partition was dealt to this member."""
        since = self.since.get(place)
        return since is not None and end > since

    def on_partitions_revoked(self, _revoked: Iterable[TopicPartition]) -> None:
        self.since.clear()
        self.committed.clear()
        self.oldest.clear()

    def on_partitions_assigned(self, _assigned: Iterable[TopicPartition]) -> None:
        self.since.clear()
        self.committed.clear()
        self.oldest.clear()


class KafkaSubscription:
    """One member of a group; it joins with its first :meth:`fetch`."""

    def __init__(self, address: str, prefix: str, client_id: str, group: str, topics: Sequence[str]) -> None:
        self._address = address
        self._prefix = prefix
        self._client_id = client_id
        self._group = prefix + group
        self._topics = [prefix + topic for topic in topics]
        self._consumer: AIOKafkaConsumer | None = None
        self._starting = asyncio.Lock()
        self._held = _Held()
        self._closed = False

    async def fetch(self, max_messages: int, timeout: float) -> list[Delivery]:
        consumer = await self._joined()
        try:
            found = await consumer.getmany(timeout_ms=int(timeout * 1000), max_records=max_messages)
        except KafkaError as error:
            raise Unavailable(f"Kafka gives nothing to {self._group}: {type(error).__name__}") from error
        for place, records in found.items():
            self._held.since.setdefault(place, records[0].offset)
            self._held.oldest.setdefault(place, (records[0].offset, records[0].timestamp))
        return [
            Delivery(
                place.topic.removeprefix(self._prefix),
                place.partition,
                record.offset,
                Message((record.key or b"").decode(), record.value or b"", tuple(record.headers)),
            )
            for place, records in found.items()
            for record in records
        ]

    async def commit(self, deliveries: Iterable[Delivery]) -> None:
        ends: dict[TopicPartition, int] = {}
        for delivery in deliveries:
            place = self._place(delivery.topic, delivery.partition)
            ends[place] = max(ends.get(place, 0), delivery.offset + 1)
        lost = {place for place, end in ends.items() if self._closed or not self._held.covers(place, end)}
        onward = {
            place: end for place, end in ends.items() if place not in lost and end > self._held.committed.get(place, 0)
        }
        if onward and self._consumer is not None:
            try:
                await self._consumer.commit(onward)
            except (CommitFailedError, IllegalStateError, ConsumerStoppedError) as error:
                raise PartitionLost(f"{self._group} was dealt out anew before it committed") from error
            except KafkaError as error:
                raise Unavailable(f"Kafka did not take {self._group}'s commit: {type(error).__name__}") from error
            self._held.committed.update(onward)
            for place, end in onward.items():
                if place in self._held.oldest and self._held.oldest[place][0] < end:
                    del self._held.oldest[place]
        if lost:
            places = ", ".join(f"{place.topic}/{place.partition}" for place in sorted(lost))
            raise PartitionLost(f"{self._group} holds {places} no more")

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
            done = self._held.committed.get(place, self._held.since.get(place))
            if done is None:
                done = await consumer.position(place)
            _, since = self._held.oldest.get(place, (0, None))
            topic = place.topic.removeprefix(self._prefix)
            group = self._group.removeprefix(self._prefix)
            found.append(Waiting(group, topic, place.partition, max(0, end - done), since))
        return found

    def pause(self, topic: str, partition: int) -> None:
        self._where_held(topic, partition, AIOKafkaConsumer.pause)

    def resume(self, topic: str, partition: int) -> None:
        self._where_held(topic, partition, AIOKafkaConsumer.resume)

    async def seek(self, topic: str, partition: int, offset: int) -> None:
        place = self._place(topic, partition)
        if self._consumer is not None and place in self._consumer.assignment():
            with contextlib.suppress(IllegalStateError):
                self._consumer.seek(place, offset)

    def _place(self, topic: str, partition: int) -> TopicPartition:
        return TopicPartition(self._prefix + topic, partition)

    async def close(self) -> None:
        self._closed = True
        async with self._starting:
            consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await _leave(consumer, _LEAVES_SECONDS)

    def _where_held(self, topic: str, partition: int, act: Any) -> None:
        place = self._place(topic, partition)
        if self._consumer is not None and place in self._consumer.assignment():
            with contextlib.suppress(IllegalStateError):
                act(self._consumer, place)

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
            return self._consumer


async def _leave(client: AIOKafkaProducer | AIOKafkaConsumer, seconds: float | None) -> None:
    """Stop a client, in order if the broker answers within ``seconds`` (None: however long it takes)."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(seconds):
            await client.stop()


_PORT: type[Bus] = KafkaBus
