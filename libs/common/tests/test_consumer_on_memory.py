"""The consumer on documents in memory meets the suite of all logs."""

from atelier_common.conformance.consuming import ConsumingSuite
from atelier_common.conformance.notes import Log
from atelier_common.documents.memory import MemoryDocuments
from atelier_common.eventstore.documents import DocumentEventStore


class TestConsumingOnMemory(ConsumingSuite):
    async def make_log(self) -> Log:
        documents = MemoryDocuments()
        return Log(DocumentEventStore(documents), documents)
