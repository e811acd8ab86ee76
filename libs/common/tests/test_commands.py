"""Commands on the stores that need no server meet the suite of commands."""

from pathlib import Path

import pytest
from atelier_common.conformance.commands import CommandsSuite
from atelier_common.documents.memory import MemoryDocuments
from atelier_common.eventstore.documents import DocumentEventStore
from atelier_common.eventstore.port import EventStore
from atelier_common.eventstore.sqlite import SqliteEventStore
from atelier_common.sqlite.database import SqliteDatabase


class TestCommandsOnMemory(CommandsSuite):
    async def make_store(self) -> EventStore:
        return DocumentEventStore(MemoryDocuments())


class TestCommandsOnSqlite(CommandsSuite):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    async def make_store(self) -> EventStore:
        return SqliteEventStore(SqliteDatabase(self.folder / "log.sqlite"))
