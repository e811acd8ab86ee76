"""Leases on documents in memory meet the suite; and no clock but the server's has a say."""

from atelier_common.conformance.lease import LeaseSuite
from atelier_common.documents.memory import MemoryDocuments
from atelier_common.documents.port import Documents
from atelier_common.lease import Lease


class TestLeaseOnMemory(LeaseSuite):
    async def make_documents(self) -> Documents:
        return MemoryDocuments()


async def test_only_the_servers_clock_ends_a_lease() -> None:
    server = 5_000_000
    documents = MemoryDocuments(server_clock=lambda: server)
    first, second = Lease(documents, "work", "first", 1_000), Lease(documents, "work", "second", 1_000)
    assert await first.acquire()
    server += 1_000
    assert not await second.acquire()
    server += 1
    assert await second.acquire()
    assert not await first.renew()
