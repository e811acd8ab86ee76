"""A doorbell: whoever waits is woken; a ring while nobody waits is not lost to someone who took the bell before looking."""

import asyncio
import contextlib


class Doorbell:
    """Rung from the event loop's thread. Never the only way to notice: every waiter also polls."""

    def __init__(self) -> None:
        self._event: asyncio.Event | None = None

    def ring(self) -> None:
        rung, self._event = self._event, None
        if rung is not None:
            rung.set()

    def listen(self) -> asyncio.Event:
        """Take this *before* looking for work, then wait for it."""
        if self._event is None:
            self._event = asyncio.Event()
        return self._event

    @staticmethod
    async def wait(event: asyncio.Event, timeout: float) -> bool:
        """True if rung, False after ``timeout`` seconds."""
        # Not wait_for: before Python 3.12 it loses a cancellation that comes in the same moment as the ring.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await event.wait()
        return event.is_set()
