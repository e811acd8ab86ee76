"""Timers on documents in memory meet the suite of all document databases."""

from atelier_common.conformance.timers import TimersSuite
from atelier_common.documents.memory import MemoryDocuments
from atelier_common.documents.port import Documents


class TestTimersOnMemory(TimersSuite):
    async def make_documents(self) -> Documents:
        return MemoryDocuments()
