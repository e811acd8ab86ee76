"""Domain time. Leases, retries and deadlines never use it; they run on the machine's monotonic clock or the server's."""

import time
from typing import Protocol


class Clock(Protocol):
    def now(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        ...


class SystemClock:
    """The time of day."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000


class SimulatedClock:
    """A clock that moves only when told: a term passes in seconds, and a test is the same at any hour."""

    def __init__(self, now: int) -> None:
        self._now = now

    def now(self) -> int:
        return self._now

    def advance_to(self, now: int) -> None:
        """Move forward to ``now``; a moment already past changes nothing."""
        self._now = max(self._now, now)

    def advance(self, milliseconds: int) -> None:
        self._now += milliseconds
