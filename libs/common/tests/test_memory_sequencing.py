"""The sequencer on documents in memory meets the suite of all document databases."""

from atelier_common.conformance.appending import AppendingSuite
from atelier_common.conformance.sequencing import SequencingSuite
from atelier_common.documents.memory import MemoryDocuments
from atelier_common.documents.port import Documents


class TestAppendingOnMemory(AppendingSuite):
    async def make_documents(self) -> Documents:
        return MemoryDocuments()


class TestSequencingOnMemory(SequencingSuite):
    async def make_documents(self) -> Documents:
        return MemoryDocuments()
