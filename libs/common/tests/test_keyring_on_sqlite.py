"""The keyring over documents in SQLite meets its suite."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from atelier_common.conformance.keyring import KeyringSuite
from atelier_common.documents.port import Documents
from atelier_common.documents.sqlite import SqliteDocuments
from atelier_common.sqlite.database import SqliteDatabase


class TestKeyringOnSqlite(KeyringSuite):
    @pytest.fixture(autouse=True)
    async def database(self, tmp_path: Path) -> AsyncIterator[None]:
        self._database = SqliteDatabase(tmp_path / "profile.db")
        yield
        await self._database.close()

    async def make_documents(self) -> Documents:
        documents = SqliteDocuments(self._database)
        await self._database.start()
        return documents
