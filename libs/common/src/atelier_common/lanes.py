"""What keeps a command of a call from being decided now: a refusal before it in its lane, or a state that has grown old."""

from collections.abc import Sequence
from typing import Any

from atelier_common.errors import AtelierError, CommandIdReused
from atelier_common.folded import Slot

Lane = tuple[str, int]
"""What a command belongs to, and how far along it stands there: commands of one lane have to keep their order."""


def stopped_lanes(lanes: Sequence[Lane], outcomes: Sequence[Any]) -> dict[str, tuple[int, AtelierError]]:
    """Where each lane was stopped first, and by what. A command id that is known says that the work is done, not refused."""
    stopped: dict[str, tuple[int, AtelierError]] = {}
    for (lane, step), outcome in zip(lanes, outcomes, strict=False):
        if isinstance(outcome, AtelierError) and not isinstance(outcome, CommandIdReused):
            stopped.setdefault(lane, (step, outcome))
    return stopped


class Stale:
    """Streams of which others wrote more than was remembered: what else is asked of them, and of their lanes, waits for a reload."""

    def __init__(self) -> None:
        self.places: list[int] = []
        """Of the commands that wait."""
        self._slots: set[Slot] = set()
        self._lanes: dict[str, int] = {}

    def note(self, slot: Slot, lane: Lane | None) -> None:
        self._slots.add(slot)
        if lane is not None:
            self._lanes.setdefault(*lane)

    def holds_back(self, slot: Slot, lane: Lane | None) -> bool:
        return slot in self._slots or (lane is not None and lane[1] > self._lanes.get(*lane))
