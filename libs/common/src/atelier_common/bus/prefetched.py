"""What a member of a group has read and not handed out yet."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from atelier_common.bus.port import Delivery

Place = tuple[str, int]
"""(topic, partition)."""


@dataclass(slots=True)
class _Partition:
    waiting: deque[Delivery] = field(default_factory=deque)
    size: int = 0
    held_back: bool = False

    def take(self, most: int) -> list[Delivery]:
        taken = [self.waiting.popleft() for _ in range(min(most, len(self.waiting)))]
        self.size -= sum(len(delivery.message.value) for delivery in taken)
        return taken


class Prefetched:
    """In order per partition; the partitions take turns, so that none keeps the others waiting."""

    def __init__(self) -> None:
        self._partitions: dict[Place, _Partition] = {}

    def put(self, deliveries: Iterable[Delivery]) -> None:
        for delivery in deliveries:
            partition = self._of((delivery.topic, delivery.partition))
            partition.waiting.append(delivery)
            partition.size += len(delivery.message.value)

    def take(self, most: int) -> list[Delivery]:
        """So many at most, none of a partition that is held back."""
        taken: list[Delivery] = []
        for place, partition in list(self._partitions.items()):
            if len(taken) == most:
                break
            if partition.waiting and not partition.held_back:
                taken += partition.take(most - len(taken))
                self._partitions[place] = self._partitions.pop(place)
        return taken

    def size(self, place: Place) -> int:
        """Bytes of the values that wait."""
        partition = self._partitions.get(place)
        return partition.size if partition is not None else 0

    def hold_back(self, place: Place) -> None:
        self._of(place).held_back = True

    def release(self, place: Place) -> None:
        self._of(place).held_back = False

    def drop(self, place: Place) -> None:
        """Forget what waits of a partition, which stays held back if it was."""
        partition = self._of(place)
        partition.waiting.clear()
        partition.size = 0

    def clear(self) -> None:
        """Forget everything; nothing is held back any more."""
        self._partitions.clear()

    def _of(self, place: Place) -> _Partition:
        return self._partitions.setdefault(place, _Partition())
