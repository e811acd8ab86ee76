"""What a member of a group was handed and has not done yet: how far its partitions may be committed."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from atelier_common.bus.port import Delivery

Place = tuple[str, int]
"""(topic, partition)."""


@dataclass(slots=True)
class _Handed:
    """Of one partition, by offset and in order; ``done`` are offsets behind one that is not."""

    deliveries: dict[int, Delivery] = field(default_factory=dict)
    done: set[int] = field(default_factory=set)


class Undone:
    """Deliveries that are done in any order; a partition is committed up to the first that is not."""

    def __init__(self) -> None:
        self._handed: dict[Place, _Handed] = {}

    def begin(self, delivery: Delivery) -> bool:
        """False where it is under way, or done and not committed: it was handed over twice."""
        handed = self._handed.setdefault((delivery.topic, delivery.partition), _Handed())
        if delivery.offset in handed.deliveries:
            return False
        handed.deliveries[delivery.offset] = delivery
        return True

    def done(self, deliveries: Iterable[Delivery]) -> None:
        for delivery in deliveries:
            handed = self._handed.get((delivery.topic, delivery.partition))
            if handed is not None and delivery.offset in handed.deliveries:
                handed.done.add(delivery.offset)

    def committable(self) -> list[Delivery]:
        """Of each partition the last before which everything is done."""
        found: list[Delivery] = []
        for handed in self._handed.values():
            last: Delivery | None = None
            for offset, delivery in sorted(handed.deliveries.items()):
                if offset not in handed.done:
                    break
                last = delivery
            if last is not None:
                found.append(last)
        return found

    def committed(self, last: Delivery) -> None:
        """Everything of its partition up to this one is committed."""
        handed = self._handed[last.topic, last.partition]
        for offset in [offset for offset in handed.deliveries if offset <= last.offset]:
            del handed.deliveries[offset]
            handed.done.discard(offset)

    def forget(self, topic: str, partition: int) -> None:
        """The partition is another member's business now."""
        self._handed.pop((topic, partition), None)

    def crowded(self, most: int) -> list[Place]:
        """Partitions of which at least so many are under way."""
        return [place for place, handed in self._handed.items() if len(handed.deliveries) >= most]
