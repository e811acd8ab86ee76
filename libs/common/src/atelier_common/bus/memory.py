"""A broker inside the process: partitions, offsets, groups and rebalancing as the port describes them.

It keeps every message as long as it lives, so it serves tests and simulations; :class:`~atelier_common.bus.direct.DirectBus`
builds the standalone's bus on the same groups.
"""

import asyncio
import zlib
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from atelier_common.bus.port import Delivery, Message, PartitionLost
from atelier_common.doorbell import Doorbell
from atelier_common.errors import Unavailable

Place = tuple[str, int]
"""(topic, partition)."""


@dataclass(slots=True)
class _Partition:
    """``messages[0]`` has the offset ``first``."""

    first: int = 0
    messages: deque[Message] = field(default_factory=deque)

    @property
    def end(self) -> int:
        return self.first + len(self.messages)


@dataclass(slots=True)
class _Group:
    topics: set[str] = field(default_factory=set)
    keeps_account: bool = False
    members: list["MemorySubscription"] = field(default_factory=list)
    committed: dict[Place, int] = field(default_factory=dict)
    arrived: Doorbell = field(default_factory=Doorbell)


class MemoryBus:
    """A broker whose publishing is acknowledged as soon as the message is in its (volatile) log."""

    def __init__(self, partitions: int = 4) -> None:
        self._count = partitions
        self._partitions: dict[str, list[_Partition]] = {}
        self._groups: dict[str, _Group] = {}
        self._committed = Doorbell()
        self._closed = False

    async def publish(self, topic: str, messages: Sequence[Message]) -> None:
        self._append(topic, messages)

    def subscribe(self, group: str, topics: Sequence[str]) -> "MemorySubscription":
        self.expect(group, topics)
        member = MemorySubscription(self, group)
        self._groups[group].members.append(member)
        self._rebalance(group)
        return member

    def expect(self, group: str, topics: Sequence[str], *, keeps_account: bool = False) -> None:
        """Make a group known before its first member comes."""
        expected = self._groups.setdefault(group, _Group())
        expected.topics.update(topics)
        expected.keeps_account = expected.keeps_account or keeps_account

    async def close(self) -> None:
        """Refuse everything from now on; who waits is woken."""
        self._closed = True
        self._committed.ring()
        for group in self._groups.values():
            group.arrived.ring()

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable("the bus is closed")

    def _topic(self, topic: str) -> list[_Partition]:
        if topic not in self._partitions:
            self._partitions[topic] = [_Partition() for _ in range(self._count)]
            for name, group in self._groups.items():
                if topic in group.topics:
                    self._rebalance(name)
        return self._partitions[topic]

    def _append(self, topic: str, messages: Sequence[Message]) -> dict[int, int]:
        """Add messages; the end offset of each partition that got any."""
        self._check_open()
        partitions = self._topic(topic)
        touched: set[int] = set()
        if self._count == 1:
            partitions[0].messages.extend(messages)
            touched.update([0] if messages else [])
        else:
            for message in messages:
                number = zlib.crc32(message.key.encode()) % self._count
                partitions[number].messages.append(message)
                touched.add(number)
        for group in self._groups.values():
            if topic in group.topics:
                group.arrived.ring()
        return {number: partitions[number].end for number in touched}

    def _rebalance(self, name: str) -> None:
        """Deal the group's partitions out to its members again; everyone goes on from what is committed."""
        group = self._groups[name]
        places = [
            (topic, number) for topic in sorted(group.topics & self._partitions.keys()) for number in range(self._count)
        ]
        for place, member in enumerate(group.members):
            member.assign({held: group.committed.get(held, 0) for held in places[place :: len(group.members)]})
        group.arrived.ring()

    def _leave(self, name: str, member: "MemorySubscription") -> None:
        group = self._groups[name]
        if member in group.members:
            group.members.remove(member)
            member.assign({})
            self._rebalance(name)

    def _commit(self, name: str, ends: dict[Place, int]) -> None:
        committed = self._groups[name].committed
        for place, end in ends.items():
            committed[place] = max(committed.get(place, 0), end)
        self._committed.ring()


class MemorySubscription:
    """One member of a group on a :class:`MemoryBus`."""

    def __init__(self, bus: MemoryBus, group: str) -> None:
        self._bus = bus
        self._name = group
        self._next: dict[Place, int] = {}
        self._paused: set[Place] = set()

    def assign(self, places: dict[Place, int]) -> None:
        """Called by the broker: the partitions this member holds now, each with the offset to go on from.

        A partition kept over a rebalance goes on from what was committed, too: a member may see messages twice.
        """
        self._next = places
        self._paused.clear()

    @property
    def assigned(self) -> frozenset[Place]:
        return frozenset(self._next)

    async def fetch(self, max_messages: int, timeout: float) -> list[Delivery]:
        until = asyncio.get_running_loop().time() + timeout
        while True:
            self._bus._check_open()
            rung = self._bus._groups[self._name].arrived.listen()
            found = self._take(max_messages)
            left = until - asyncio.get_running_loop().time()
            if found or left <= 0:
                return found
            await Doorbell.wait(rung, left)

    def _take(self, max_messages: int) -> list[Delivery]:
        found: list[Delivery] = []
        # The partition that has waited longest (was served least recently) comes first: dictionaries keep insertion order.
        for place in [held for held in self._next if held not in self._paused]:
            topic, number = place
            partition = self._bus._partitions[topic][number]
            offset = max(self._next[place], partition.first)
            start = offset - partition.first
            taken = list(islice(partition.messages, start, start + max_messages - len(found)))
            if taken:
                del self._next[place]
                self._next[place] = offset + len(taken)
                found += [Delivery(topic, number, offset + place_in, message) for place_in, message in enumerate(taken)]
            if len(found) == max_messages:
                break
        return found

    async def commit(self, deliveries: Iterable[Delivery]) -> None:
        self._bus._check_open()
        ends: dict[Place, int] = {}
        for delivery in deliveries:
            place = (delivery.topic, delivery.partition)
            ends[place] = max(ends.get(place, 0), delivery.offset + 1)
        lost = ends.keys() - self._next.keys()
        self._bus._commit(self._name, {place: end for place, end in ends.items() if place not in lost})
        if lost:
            raise PartitionLost(
                f"{self._name} holds {', '.join(f'{topic}/{number}' for topic, number in sorted(lost))} no more"
            )

    def pause(self, topic: str, partition: int) -> None:
        self._paused.add((topic, partition))

    def resume(self, topic: str, partition: int) -> None:
        self._paused.discard((topic, partition))
        self._bus._groups[self._name].arrived.ring()

    async def seek(self, topic: str, partition: int, offset: int) -> None:
        if (topic, partition) in self._next:
            self._next[(topic, partition)] = offset
            self._bus._groups[self._name].arrived.ring()

    async def close(self) -> None:
        self._bus._leave(self._name, self)
