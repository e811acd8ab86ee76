"""Projections and reactions on documents in memory meet the suite of all logs."""

from atelier_common.conformance.notes import Log
from atelier_common.conformance.running import RunningSuite
from atelier_common.documents.memory import MemoryDocuments
from atelier_common.eventstore.documents import DocumentEventStore


class TestRunningOnMemory(RunningSuite):
    async def make_log(self) -> Log:
        documents = MemoryDocuments()
        return Log(DocumentEventStore(documents), documents)
