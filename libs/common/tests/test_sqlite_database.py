"""Group commit on SQLite: pieces of work share a transaction, and none of them pays for another's failure."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from atelier_common.commit import Commit
from atelier_common.events import StoredEvent
from atelier_common.eventstore.port import Appended, VersionTaken
from atelier_common.eventstore.sqlite import SqliteEventStore
from atelier_common.sqlite.database import SqliteDatabase

SCHEMA = "CREATE TABLE IF NOT EXISTS notes (text TEXT PRIMARY KEY)"


@pytest.fixture(autouse=True)
def no_transaction_is_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("atelier_common.sqlite.database._LONGEST_GROUP_SECONDS", 60)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    database = SqliteDatabase(tmp_path / "notes.sqlite", SCHEMA)
    await database.start()
    yield database
    await database.close()


def note(text: str) -> Callable[[sqlite3.Connection], str]:
    def write(connection: sqlite3.Connection) -> str:
        connection.execute("INSERT INTO notes VALUES (?)", (text,))
        return text

    return write


def note_and_fail(text: str) -> Callable[[sqlite3.Connection], str]:
    def write(connection: sqlite3.Connection) -> str:
        connection.execute("INSERT INTO notes VALUES (?)", (text,))
        raise ValueError(text)

    return write


def kept(database: SqliteDatabase) -> list[str]:
    return [text for (text,) in database.reader.execute("SELECT text FROM notes ORDER BY text")]


async def together(database: SqliteDatabase, *pieces: Callable[[sqlite3.Connection], str]) -> list[str | BaseException]:
    """Handed in at the same moment, so that they share a transaction."""
    before = database.transactions
    outcomes = await asyncio.gather(*(database.submit(piece) for piece in pieces), return_exceptions=True)
    assert database.transactions == before + 1, "they did not share a transaction"
    return outcomes


async def test_pieces_that_fail_are_undone_and_leave_those_around_them_alone(database: SqliteDatabase) -> None:
    outcomes = await together(
        database,
        note("a"),
        note("b"),
        note_and_fail("lost"),
        note("c"),
        note_and_fail("lost too"),
        note("b"),
        note("d"),
    )
    assert [outcome if isinstance(outcome, str) else type(outcome) for outcome in outcomes] == [
        "a",
        "b",
        ValueError,
        "c",
        ValueError,
        sqlite3.IntegrityError,
        "d",
    ]
    assert kept(database) == ["a", "b", "c", "d"]


async def test_what_a_piece_returned_last_is_its_result(database: SqliteDatabase) -> None:
    runs: list[int] = []
    tenures: list[int] = []

    def count(connection: sqlite3.Connection) -> str:
        note("counted")(connection)
        runs.append(len(runs))
        tenures.append(database.tenure)
        return str(len(runs))

    outcomes = await together(database, count, note_and_fail("lost"))
    assert outcomes[0] == str(len(runs)) == "2"
    assert tenures[0] < tenures[1]
    assert kept(database) == ["counted"]


async def test_callers_who_come_again_as_soon_as_they_are_answered_share_every_transaction(
    database: SqliteDatabase,
) -> None:
    async def caller(name: int) -> None:
        for number in range(10):
            await database.submit(note(f"{name} {number}"))

    before = database.transactions
    await asyncio.gather(*(caller(name) for name in range(16)))
    assert database.transactions == before + 10
    assert len(kept(database)) == 160


@pytest.fixture
async def where_committed(tmp_path: Path) -> AsyncIterator[tuple[SqliteDatabase, list[threading.Thread]]]:
    """A database, and the threads of its COMMITs."""
    threads: list[threading.Thread] = []

    def commit(connection: sqlite3.Connection) -> None:
        connection.commit()
        threads.append(threading.current_thread())

    database = SqliteDatabase(tmp_path / "notes.sqlite", SCHEMA, commit=commit)
    await database.start()
    yield database, threads
    await database.close()


async def test_where_nobody_has_anything_else_to_do_a_quick_commit_is_made_on_the_spot(
    where_committed: tuple[SqliteDatabase, list[threading.Thread]], monkeypatch: pytest.MonkeyPatch
) -> None:
    database, threads = where_committed
    monkeypatch.setattr("atelier_common.sqlite.database._LONGEST_GATHERING_SECONDS", 60)
    monkeypatch.setattr("atelier_common.sqlite.database._QUICK_COMMIT_SECONDS", 60)
    await database.submit(note("alone"))
    assert threads == [threading.main_thread()]
    monkeypatch.setattr("atelier_common.sqlite.database._QUICK_COMMIT_SECONDS", 0)
    await database.submit(note("on a slow disk"))
    assert threads[1] is not threading.main_thread()


async def test_a_busy_process_waits_for_no_disk_and_keeps_nobody_waiting(
    where_committed: tuple[SqliteDatabase, list[threading.Thread]], monkeypatch: pytest.MonkeyPatch
) -> None:
    database, threads = where_committed
    monkeypatch.setattr("atelier_common.sqlite.database._QUICK_COMMIT_SECONDS", 60)

    async def work() -> None:
        while True:
            until = time.perf_counter() + 0.001
            while time.perf_counter() < until:
                pass
            await asyncio.sleep(0)

    busy = asyncio.create_task(work())
    await database.submit(note("among others"))
    busy.cancel()
    assert threads != []
    assert threading.main_thread() not in threads


def a_commit(stream: str, version: int, command_id: str = "") -> Commit:
    event = StoredEvent("noted", 1, {"of": stream})
    return Commit(
        "fictional", stream, version, (event,), command_id or f"{stream} {version}", "", None, "tester", 1, "", ()
    )


async def test_appends_keep_dense_positions_when_work_beside_them_fails(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "log.sqlite", SCHEMA)
    store = SqliteEventStore(database)
    await store.start()
    await store.append([a_commit("jar/a", 1)])
    outcomes = await asyncio.gather(
        store.append([a_commit("jar/b", 1), a_commit("jar/a", 2)]),
        database.submit(note_and_fail("lost")),
        store.append([a_commit("jar/b", 2), a_commit("jar/c", 2), a_commit("jar/a", 2, "late"), a_commit("jar/a", 3)]),
        database.submit(note_and_fail("lost")),
        store.append([a_commit("jar/b", 3)]),
        return_exceptions=True,
    )
    placed = [
        [one.commit.position if isinstance(one, Appended) else one for one in outcome]
        for outcome in outcomes
        if isinstance(outcome, list)
    ]
    # jar/c has no version 1; what follows a refusal in one call was decided on it.
    assert placed == [[2, 3], [4, VersionTaken(), VersionTaken(), VersionTaken()], [5]]
    assert [commit.position for commit in await store.read_log("fictional", 0)] == [1, 2, 3, 4, 5]
    await store.close()

    again = SqliteEventStore(SqliteDatabase(tmp_path / "log.sqlite", SCHEMA))
    await again.start()
    found = [(commit.stream, commit.version, commit.position) for commit in await again.read_log("fictional", 0)]
    assert found == [("jar/a", 1, 1), ("jar/b", 1, 2), ("jar/a", 2, 3), ("jar/b", 2, 4), ("jar/b", 3, 5)]
    await again.close()


async def test_versions_of_a_commit_that_failed_are_not_taken_for_written(tmp_path: Path) -> None:
    failing = False

    def commit(connection: sqlite3.Connection) -> None:
        if failing:
            raise OSError("no space left on the disk")
        connection.commit()

    store = SqliteEventStore(SqliteDatabase(tmp_path / "log.sqlite", commit=commit))
    await store.start()
    await store.append([a_commit("jar/a", 1)])
    failing = True
    with pytest.raises(Exception, match="nothing was written"):
        await store.append([a_commit("jar/a", 2)])
    failing = False
    assert await store.append([a_commit("jar/a", 3)]) == [VersionTaken()]
    (outcome,) = await store.append([a_commit("jar/a", 2)])
    assert isinstance(outcome, Appended)
    assert outcome.commit.position == 2
    await store.close()


async def test_two_processes_that_append_to_one_file_give_dense_positions_and_one_winner(tmp_path: Path) -> None:
    stores = [SqliteEventStore(SqliteDatabase(tmp_path / "log.sqlite")) for _ in range(2)]
    for store in stores:
        await store.start()
    one, other = stores
    for version in range(1, 4):
        assert await one.append([a_commit("jar/a", version)]) != [VersionTaken()]
    assert await other.append([a_commit("jar/a", 3, "late"), a_commit("jar/b", 1), a_commit("jar/a", 4)]) == [
        VersionTaken(),
        Appended(a_commit("jar/b", 1)),
        VersionTaken(),
    ]
    for version in range(4, 9):
        assert await one.append([a_commit("jar/a", version), a_commit("jar/b", version - 2)]) == [
            Appended(a_commit("jar/a", version)),
            Appended(a_commit("jar/b", version - 2)),
        ]
        assert await other.append([a_commit("jar/c", version - 3), a_commit("jar/b", version - 2, "late")]) == [
            Appended(a_commit("jar/c", version - 3)),
            VersionTaken(),
        ]
    for store in stores:
        await store.close()
    again = SqliteEventStore(SqliteDatabase(tmp_path / "log.sqlite"))
    await again.start()
    log = await again.read_log("fictional", 0)
    await again.close()
    assert [commit.position for commit in log] == list(range(1, 20))
    for stream, last in (("jar/a", 8), ("jar/b", 6), ("jar/c", 5)):
        assert [commit.version for commit in log if commit.stream == stream] == list(range(1, last + 1))
