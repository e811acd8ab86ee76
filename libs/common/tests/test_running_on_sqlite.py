"""Projections and reactions on SQLite meet the suites of all logs."""

from pathlib import Path

import pytest
from atelier_common.conformance.notes import Log
from atelier_common.conformance.reacting import ReactingSuite
from atelier_common.conformance.rebuilding import RebuildingSuite
from atelier_common.conformance.running import RunningSuite
from atelier_common.conformance.working import WorkingSuite
from atelier_common.documents.sqlite import SqliteDocuments
from atelier_common.eventstore.sqlite import SqliteEventStore
from atelier_common.sqlite.database import SqliteDatabase


class _OnSqlite:
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self._path = tmp_path

    async def make_log(self) -> Log:
        database = SqliteDatabase(self._path / "notes.sqlite")
        return Log(SqliteEventStore(database), SqliteDocuments(database))


class TestRunningOnSqlite(_OnSqlite, RunningSuite):
    pass


class TestReactingOnSqlite(_OnSqlite, ReactingSuite):
    pass


class TestRebuildingOnSqlite(_OnSqlite, RebuildingSuite):
    pass


class TestWorkingOnSqlite(_OnSqlite, WorkingSuite):
    pass
