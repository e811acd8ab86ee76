"""SQLite meets the suites of all event stores and document databases; so do the leased parts of the kernel on its
documents.
"""

from atelier_common.conformance.appending import AppendingSuite
from atelier_common.conformance.documents import DocumentsSuite
from atelier_common.conformance.eventstore import DurableEventStoreSuite
from atelier_common.conformance.lease import LeaseSuite
from atelier_common.conformance.sequencing import SequencingSuite
from atelier_common.conformance.timers import TimersSuite
from atelier_common.documents.port import Documents
from atelier_common.documents.sqlite import SqliteDocuments
from atelier_common.eventstore.documents import DocumentEventStore
from atelier_common.eventstore.port import EventStore
from atelier_common.eventstore.sqlite import SqliteEventStore
from atelier_common.sqlite.database import SqliteDatabase


class TestSqliteDocuments(DocumentsSuite):
    async def make_documents(self) -> Documents:
        self.database = SqliteDatabase(self.folder / "documents.sqlite")
        documents = SqliteDocuments(self.database)
        await self.database.start()
        return documents

    async def dispose(self) -> None:
        await self.database.close()


class TestLeaseOnSqlite(LeaseSuite):
    make_documents = TestSqliteDocuments.make_documents
    dispose = TestSqliteDocuments.dispose


class TestTimersOnSqlite(TimersSuite):
    make_documents = TestSqliteDocuments.make_documents
    dispose = TestSqliteDocuments.dispose


class TestAppendingOnSqlite(AppendingSuite):
    make_documents = TestSqliteDocuments.make_documents
    dispose = TestSqliteDocuments.dispose


class TestSequencingOnSqlite(SequencingSuite):
    make_documents = TestSqliteDocuments.make_documents
    dispose = TestSqliteDocuments.dispose


class TestSqliteEventStore(DurableEventStoreSuite):
    async def make_store(self) -> EventStore:
        return SqliteEventStore(SqliteDatabase(self.folder / "log.sqlite"))

    async def reopen(self) -> EventStore:
        return await self.make_store()


class _Log(DocumentEventStore):
    """Opens and closes the file of its documents with itself."""

    def __init__(self, database: SqliteDatabase) -> None:
        super().__init__(SqliteDocuments(database))
        self._database = database

    async def start(self) -> None:
        await self._database.start()
        await super().start()

    async def close(self) -> None:
        await super().close()
        await self._database.close()


class TestDocumentEventStoreOnSqlite(DurableEventStoreSuite):
    async def make_store(self) -> EventStore:
        return _Log(SqliteDatabase(self.folder / "documents.sqlite"))

    async def reopen(self) -> EventStore:
        return await self.make_store()
