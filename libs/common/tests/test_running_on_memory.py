"""Projections and reactions on documents in memory meet the suites of all logs."""

from atelier_common.conformance.notes import Log
from atelier_common.conformance.reacting import ReactingSuite
from atelier_common.conformance.rebuilding import RebuildingSuite
from atelier_common.conformance.running import RunningSuite
from atelier_common.conformance.working import WorkingSuite
from atelier_common.documents.memory import MemoryDocuments
from atelier_common.eventstore.documents import DocumentEventStore


class _OnMemory:
    async def make_log(self) -> Log:
        documents = MemoryDocuments()
        return Log(DocumentEventStore(documents), documents)


class TestRunningOnMemory(_OnMemory, RunningSuite):
    pass


class TestReactingOnMemory(_OnMemory, ReactingSuite):
    pass


class TestRebuildingOnMemory(_OnMemory, RebuildingSuite):
    pass


class TestWorkingOnMemory(_OnMemory, WorkingSuite):
    pass
