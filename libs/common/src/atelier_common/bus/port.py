"""The bus port: how contract events travel from one service's log to its neighbours'.

Topics are split into partitions that keep order; a message's key picks its partition, so one key is always in order. Groups
follow a topic independently of each other; within a group each partition is read by one member. Delivery is at least once.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from atelier_common.errors import Unavailable


class PartitionLost(Unavailable):
    """The partition was given to another member of the group; what was fetched from it is that member's business now."""

    code = "partition-lost"
    title = "Another consumer has taken over"


@dataclass(frozen=True, slots=True)
class Message:
    """What travels. Header names may come once each; ``key`` decides the partition."""

    key: str
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as one group met it: ``offset`` counts within (topic, partition)."""

    topic: str
    partition: int
    offset: int
    message: Message


class BusSubscription(Protocol):
    """One member of a group."""

    async def fetch(self, max_messages: int, timeout: float) -> list[Delivery]:
        """The next messages of the partitions this member holds, in order per partition; waits up to ``timeout`` seconds
        for the first. Fetching is not committing: what is not committed comes again to whoever holds the partition next.
        """
        ...

    async def commit(self, deliveries: Iterable[Delivery]) -> None:
        """Say that these, and everything before them in their partitions, are done. That is durable within moments, and before this
        member gives a partition up in order; a crash may make the next member do the last of it again.

        Raises :class:`PartitionLost` if it is known that a partition moved to another member meanwhile; those still held are
        committed.
        """
        ...

    def pause(self, topic: str, partition: int) -> None:
        """Fetch nothing from this partition until :meth:`resume`; membership is kept. A rebalance resumes everything."""
        ...

    def resume(self, topic: str, partition: int) -> None: ...

    async def seek(self, topic: str, partition: int, offset: int) -> None:
        """Fetch from ``offset`` on; what is committed does not change. A partition not held is left alone."""
        ...

    async def close(self) -> None:
        """Leave the group; its other members take over from the committed offsets."""
        ...


class Bus(Protocol):
    """A message bus. Publishing to a topic needs no reader; reading a topic needs no publisher yet."""

    async def publish(self, topic: str, messages: Sequence[Message]) -> None:
        """Returns when all are durable, in this order per key; raises on any failure, and then any of them may or may not be
        there. Publish again from the first that is not known to be there: doubles are harmless to consumers.
        """
        ...

    def expect(self, group: str, topics: Sequence[str], *, keeps_account: bool = False) -> None:
        """Make a group known before its first member comes, so that nothing published from now on passes it by.

        One that ``keeps_account`` finds again by itself what it was told and has not done: nobody's publishing waits for it.
        """
        ...

    def subscribe(self, group: str, topics: Sequence[str]) -> BusSubscription:
        """Join ``group`` as a member. A new group begins at the oldest message."""
        ...

    async def close(self) -> None: ...
