"""The keyring over documents in memory meets its suite."""

from atelier_common.conformance.keyring import KeyringSuite
from atelier_common.documents.memory import MemoryDocuments
from atelier_common.documents.port import Documents


class TestKeyringOnMemory(KeyringSuite):
    async def make_documents(self) -> Documents:
        return MemoryDocuments()
