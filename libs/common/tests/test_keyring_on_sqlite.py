"""The keyring over documents in SQLite meets its suite, and an erased key is gone from the file's free space too."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from atelier_common.conformance.keyring import MASTER_KEY, TENANT, KeyringSuite
from atelier_common.documents.port import Documents
from atelier_common.documents.sqlite import SqliteDocuments
from atelier_common.privacy.keyring import COLLECTION, Keyring
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


async def test_an_erased_key_is_gone_from_the_files_once_the_database_is_closed(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "profile.db")
    documents = SqliteDocuments(database)
    await database.start()
    keyring = Keyring(documents, MASTER_KEY)
    await keyring.create_many(TENANT, [f"lrn_{n}" for n in range(100)])
    bodies = [await documents.find(TENANT, COLLECTION, f"subject:lrn_{n}") for n in (7, 8)]
    erased, kept = (str(body and body["wrapped"]).encode() for body in bodies)
    await keyring.erase(TENANT, "lrn_7", "request of the family", "req-1")
    await database.close()

    assert found_in(tmp_path, kept)
    assert not found_in(tmp_path, erased)


def found_in(directory: Path, content: bytes) -> bool:
    return any(content in path.read_bytes() for path in directory.iterdir())
