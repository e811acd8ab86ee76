"""Documents in memory meet the suite of all document databases, and do what the simulation asks of them besides."""

from atelier_common.conformance.documents import DocumentsSuite
from atelier_common.documents.memory import Effect, MemoryDocuments, NoFaults
from atelier_common.documents.port import Documents, Insert, Past, Replace, ServerTime


class TestMemoryDocuments(DocumentsSuite):
    async def make_documents(self) -> Documents:
        return MemoryDocuments()


class Lagging(NoFaults):
    """Scans miss the last ``lag`` writes."""

    def __init__(self, lag: int) -> None:
        self.lag = lag

    def staleness(self, _effect: Effect) -> int:
        return self.lag


async def test_a_stale_scan_shows_an_earlier_moment_but_never_one_before_what_the_client_saw() -> None:
    documents = MemoryDocuments()
    reader = documents.client(Lagging(3))
    for n in range(5):
        await documents.write([Insert("t", "things", str(n), {"n": n})])
    await documents.write([Replace("t", "things", "0", {"n": 9})])

    assert [body["n"] for _, body in await reader.scan("t", "things")] == [0, 1, 2]
    assert await reader.find("t", "things", "0") == {"n": 9}
    assert [body["n"] for _, body in await reader.scan("t", "things")] == [9, 1, 2, 3, 4]


async def test_the_store_judges_time_by_its_own_clock() -> None:
    now = 1_000
    documents = MemoryDocuments(server_clock=lambda: now)
    await documents.write([Insert("t", "things", "1", {"until": ServerTime(50)})])
    assert await documents.find("t", "things", "1") == {"until": 1_050}
    now = 1_050
    assert await documents.write([Replace("t", "things", "1", {}, {"until": Past()})]) == [False]
    now = 1_051
    assert await documents.write([Replace("t", "things", "1", {}, {"until": Past()})]) == [True]


async def test_a_backup_holds_one_moment_and_goes_its_own_way() -> None:
    documents = MemoryDocuments()
    await documents.ensure_index("things", ["n"])
    await documents.write([Insert("t", "things", "1", {"n": 1})])
    backup = documents.copied()
    await documents.write([Replace("t", "things", "1", {"n": 2})])
    await backup.write([Insert("t", "things", "2", {"n": 3})])
    assert await documents.scan("t", "things", "n") == [("1", {"n": 2})]
    assert await backup.scan("t", "things", "n") == [("1", {"n": 1}), ("2", {"n": 3})]
