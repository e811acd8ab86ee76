"""The standalone's bus: hands encoded contract events over and stores nothing.

What makes a message durable is the consumers' own logs: publishing is acknowledged when every group of the topic has committed
the message, which a consumer does after it has appended or parked it. A crash before that leaves the publisher's cursor where
it was; the message is published again and those who had it drop it. A group that keeps account of its own is not waited for.
"""

from collections.abc import Mapping, Sequence

from atelier_common.bus.memory import MemoryBus
from atelier_common.bus.port import Message
from atelier_common.doorbell import Doorbell


class DirectBus(MemoryBus):
    """One partition per topic; bounded; a group without a running member makes publishing wait.

    ``groups`` names every group that will read, with its topics: a topic's first message waits for all of them, whoever starts
    first. ``capacity`` messages of a topic may wait uncommitted before the next publisher has to.
    """

    def __init__(self, groups: Mapping[str, Sequence[str]] | None = None, *, capacity: int = 2_000) -> None:
        super().__init__(partitions=1)
        self._capacity = capacity
        for group, topics in (groups or {}).items():
            self.expect(group, topics)

    async def publish(self, topic: str, messages: Sequence[Message]) -> None:
        """Returns when every group that is waited for has committed them. Raises Unavailable when the bus closes meanwhile."""
        for start in range(0, len(messages), self._capacity):
            await self._hand_over(topic, messages[start : start + self._capacity])

    async def _hand_over(self, topic: str, messages: Sequence[Message]) -> None:
        partition = self._topic(topic)[0]
        while True:
            rung = self._committed.listen()
            self._forget_committed(topic)
            if not partition.messages or len(partition.messages) + len(messages) <= self._capacity:
                break
            await Doorbell.wait(rung, 1.0)
            self._check_open()
        end = self._append(topic, messages)[0] if messages else partition.first
        while True:
            rung = self._committed.listen()
            self._forget_committed(topic)
            if self._committed_by(topic, waited_for=True) >= end:
                return
            await Doorbell.wait(rung, 1.0)
            self._check_open()

    def _forget_committed(self, topic: str) -> None:
        """Drop what every group has committed."""
        partition, done = self._topic(topic)[0], self._committed_by(topic, waited_for=False)
        while partition.messages and partition.first < done:
            partition.messages.popleft()
            partition.first += 1

    def _committed_by(self, topic: str, *, waited_for: bool) -> int:
        """The offset before which every group has committed everything, or every group that is ``waited_for``."""
        reading = [
            group
            for group in self._groups.values()
            if topic in group.topics and not (waited_for and group.keeps_account)
        ]
        end = self._topic(topic)[0].end
        return min((group.committed.get((topic, 0), 0) for group in reading), default=end)
