"""Timers on documents in memory meet the suite of all document databases, and do not spin where there is none."""

import asyncio

from atelier_common.clock import SimulatedClock
from atelier_common.conformance.interruption import InterruptedDocuments
from atelier_common.conformance.material import TENANT
from atelier_common.conformance.timers import TimersSuite
from atelier_common.documents.memory import MemoryDocuments
from atelier_common.documents.port import Documents
from atelier_common.timers import Timer, Timers


class TestTimersOnMemory(TimersSuite):
    async def make_documents(self) -> Documents:
        return MemoryDocuments()


class Away(InterruptedDocuments):
    """Fails at once, whatever is asked, once it is ``away``."""

    away = False

    async def _begin(self) -> int:
        self.calls += 1
        if self.away:
            raise ConnectionError("nobody there")
        return self.calls


async def test_while_the_database_fails_at_once_a_due_timer_is_not_asked_for_without_pause() -> None:
    clock, documents = SimulatedClock(1_000), Away(MemoryDocuments())
    timers = Timers(documents, clock)

    async def refuse(_timer: Timer) -> None:
        raise ConnectionError("not accepted")

    timers.handle("ring", refuse)
    await timers.schedule(TENANT, "one", 2_000, "ring")
    running = asyncio.create_task(timers.run(1))
    await asyncio.sleep(0.01)
    documents.away = True
    clock.advance_to(3_000)
    timers.wake()
    before = documents.calls
    await asyncio.sleep(0.6)
    assert 1 <= documents.calls - before <= 4
    running.cancel()
