"""The consumer on documents in memory meets the suites of all logs."""

from atelier_common.conformance.consuming import ConsumingSuite
from atelier_common.conformance.notes import Log
from atelier_common.conformance.parked_keys import ParkedKeysSuite
from atelier_common.conformance.restoring import RestoringSuite
from atelier_common.documents.memory import MemoryDocuments
from atelier_common.eventstore.documents import DocumentEventStore


class _OnMemory:
    async def make_log(self) -> Log:
        documents = MemoryDocuments()
        return Log(DocumentEventStore(documents), documents)


class TestConsumingOnMemory(_OnMemory, ConsumingSuite):
    pass


class TestParkedKeysOnMemory(_OnMemory, ParkedKeysSuite):
    pass


class TestRestoringOnMemory(_OnMemory, RestoringSuite):
    pass
