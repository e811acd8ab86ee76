"""The event store over documents in memory meets the suite of all event stores."""

from atelier_common.conformance.eventstore import DurableEventStoreSuite
from atelier_common.documents.memory import MemoryDocuments
from atelier_common.eventstore.documents import DocumentEventStore
from atelier_common.eventstore.port import EventStore


class TestDocumentEventStoreOnMemory(DurableEventStoreSuite):
    async def make_store(self) -> EventStore:
        self.documents = MemoryDocuments()
        return DocumentEventStore(self.documents)

    async def reopen(self) -> EventStore:
        return DocumentEventStore(self.documents)
