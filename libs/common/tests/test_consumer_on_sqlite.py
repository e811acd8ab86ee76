"""The consumer on SQLite meets the suites of all logs."""

from pathlib import Path

import pytest
from atelier_common.conformance.consuming import ConsumingSuite
from atelier_common.conformance.notes import Log
from atelier_common.conformance.parked_keys import ParkedKeysSuite
from atelier_common.conformance.restoring import RestoringSuite
from atelier_common.documents.sqlite import SqliteDocuments
from atelier_common.eventstore.sqlite import SqliteEventStore
from atelier_common.sqlite.database import SqliteDatabase


class _OnSqlite:
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self._path = tmp_path
        self._made = 0

    async def make_log(self) -> Log:
        self._made += 1
        database = SqliteDatabase(self._path / f"log-{self._made}.sqlite")
        return Log(SqliteEventStore(database), SqliteDocuments(database))


class TestConsumingOnSqlite(_OnSqlite, ConsumingSuite):
    pass


class TestParkedKeysOnSqlite(_OnSqlite, ParkedKeysSuite):
    pass


class TestRestoringOnSqlite(_OnSqlite, RestoringSuite):
    pass
