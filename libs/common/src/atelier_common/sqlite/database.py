"""One SQLite file whose writers share transactions.

Statements run on the event loop's thread, inside one open transaction, because each takes microseconds; COMMIT, which waits for
the disk, runs on a thread of its own wherever somebody else has something to do meanwhile. New work gathers while it runs, and for
as long after it as those just answered are busy making their next: group commit. Once nobody in the process has anything to do,
all that could share a transaction is there; on a quick disk it is then committed on the spot, and spared the way to the thread
and back, which takes about as long as the COMMIT.

A piece of work that fails leaves the others alone: what the group has done so far is undone and done again, each piece in a
savepoint of its own. A COMMIT that fails fails every piece in it.

Nothing is acknowledged, cached or rung before COMMIT has returned. WAL mode, ``synchronous=FULL``, both asserted at start.
"""

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Generic, TypeVar

from atelier_common.errors import Unavailable

Result = TypeVar("Result")

_LONGEST_GROUP_SECONDS = 0.004
"""A transaction takes in waiting work for this long before it commits, so that the event loop stays responsive."""

_LONGEST_GATHERING_SECONDS = 0.005
"""Work that has waited this long is kept for nobody else who might join it, however busy the event loop is."""

_IDLE_TURN_SECONDS = 0.000_1
"""A turn of the event loop that takes less had nothing in it: a callback that does any work here takes longer."""

_QUICK_COMMIT_SECONDS = 0.002
"""A COMMIT that usually takes less may run on the event loop's thread where nobody has anything else to do."""


class _Work(Generic[Result]):
    __slots__ = ("after_commit", "done", "error", "result", "run")

    def __init__(
        self,
        run: Callable[[sqlite3.Connection], Result],
        after_commit: Callable[[Result], None] | None,
        done: asyncio.Future[Result],
    ) -> None:
        self.run = run
        self.after_commit = after_commit
        self.done = done
        self.result: Any = None
        self.error: BaseException | None = None


class SqliteDatabase:
    """A file, one writing connection with group commit, one reading connection.

    ``commit`` is how a transaction is committed; a test injects one that fails.
    """

    def __init__(
        self,
        path: Path,
        schema: str = "",
        *,
        commit: Callable[[sqlite3.Connection], None] = sqlite3.Connection.commit,
    ) -> None:
        self.path = path
        self._schema = [schema] if schema else []
        self._commit = commit
        self._waiting: deque[_Work[Any]] = deque()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._closing = False
        self._commit_takes = 1.0
        self.tenure = 0
        """Rises with each transaction and each undoing. What ``run`` read under one value stays true under it, but for what was
        written by ``run`` itself: this connection alone holds the right to write meanwhile."""
        self.transactions = 0
        self.rows_written = 0

    def add_schema(self, schema: str) -> None:
        """Statements (idempotent) to run at start, before any work."""
        self._schema.append(schema)

    @property
    def reader(self) -> sqlite3.Connection:
        """Sees everything committed, nothing else. Use from the event loop's thread only."""
        if self._reader is None:
            raise Unavailable(f"the database {self.path.name} is not open")
        return self._reader

    async def start(self) -> None:
        """Open the file and its connections; a second call does nothing."""
        if self._task is not None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._closing = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"commit-{self.path.stem}")
        self._writer = self._open()
        for schema in self._schema:
            self._writer.executescript(schema)
        self._reader = self._open()
        self._reader.execute("PRAGMA query_only=ON")
        self._task = asyncio.create_task(self._run(), name=f"sqlite:{self.path.name}")

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, isolation_level=None, check_same_thread=False, cached_statements=512, timeout=10
        )
        mode = connection.execute("PRAGMA journal_mode=WAL").fetchone()[0]
        connection.execute("PRAGMA synchronous=FULL")
        durability = connection.execute("PRAGMA synchronous").fetchone()[0]
        if mode != "wal" or durability != 2:
            raise Unavailable(f"{self.path.name} cannot be opened durably (journal {mode}, synchronous {durability})")
        connection.execute("PRAGMA cache_size=-16000")
        connection.execute("PRAGMA busy_timeout=10000")
        # An erased key must not linger in free space; some builds of SQLite do this unasked, others do not.
        connection.execute("PRAGMA secure_delete=ON")
        return connection

    async def close(self) -> None:
        """Finish the work already handed in, then close. Later work is refused."""
        if self._task is None:
            return
        self._closing = True
        self._wake.set()
        await self._task
        self._task = None
        assert self._thread is not None and self._writer is not None and self._reader is not None
        self._thread.shutdown()
        self._reader.close()
        self._writer.close()
        self._reader = self._writer = None

    async def submit(
        self, run: Callable[[sqlite3.Connection], Result], after_commit: Callable[[Result], None] | None = None
    ) -> Result:
        """Run ``run`` inside the next transaction and return its result once that is on disk.

        ``after_commit`` is called with the result in the order of the transactions, before anyone waiting is woken. Whatever
        ``run`` raises is raised here and undone alone; a COMMIT that fails raises Unavailable here with nothing written.
        ``run`` may be called again after its writes were undone because another's failed; what it returns last counts.
        """
        if self._closing or self._task is None:
            raise Unavailable(f"the database {self.path.name} is closed")
        done: asyncio.Future[Result] = self._task.get_loop().create_future()
        self._waiting.append(_Work(run, after_commit, done))
        self._wake.set()
        return await done

    async def _run(self) -> None:
        while True:
            if not self._waiting:
                if self._closing:
                    return
                self._wake.clear()
                await self._wake.wait()
                continue
            undisturbed = await self._gather()
            group: list[_Work[Any]] = []
            try:
                rows = self._fill(group)
                # Where every piece was refused there is nothing to wait for.
                if rows == 0 or (undisturbed and self._commit_takes < _QUICK_COMMIT_SECONDS):
                    self._make_durable(rows)
                else:
                    await asyncio.get_running_loop().run_in_executor(self._thread, self._make_durable, rows)
            except BaseException as error:
                self._give_up(group, error)
                if not isinstance(error, Exception):
                    raise
                await asyncio.sleep(0.01)
                continue
            self.transactions += 1
            self.rows_written += rows
            for work in group:
                if work.error is None and work.after_commit is not None:
                    work.after_commit(work.result)
            self._answer(group)

    async def _gather(self) -> bool:
        """Let those who are about to hand in work do so. True where in the end nobody in this process had anything to do."""
        turn_began = time.perf_counter()
        until = turn_began + _LONGEST_GATHERING_SECONDS
        while turn_began < until:
            already = len(self._waiting)
            await asyncio.sleep(0)
            turn_ended = time.perf_counter()
            if len(self._waiting) == already and turn_ended - turn_began < _IDLE_TURN_SECONDS:
                return True
            turn_began = turn_ended
        return False

    def _make_durable(self, rows: int) -> None:
        """COMMIT, on whichever thread; how long it takes where there is something to write is remembered as a running mean."""
        assert self._writer is not None
        began = time.perf_counter()
        self._commit(self._writer)
        if rows:
            self._commit_takes += (time.perf_counter() - began - self._commit_takes) / 8

    def _fill(self, group: list[_Work[Any]]) -> int:
        """Run waiting work inside a new transaction; returns how many rows it changed."""
        writer = self._writer
        assert writer is not None
        self._begin(writer)
        before = writer.total_changes
        apart = False
        until = time.perf_counter() + _LONGEST_GROUP_SECONDS
        while self._waiting:
            work = self._waiting.popleft()
            group.append(work)
            if apart:
                self._run_apart(writer, work)
            else:
                try:
                    work.result = work.run(writer)
                except Exception:
                    apart = True
                    if writer.in_transaction:
                        writer.execute("ROLLBACK")
                    self._begin(writer)
                    before = writer.total_changes
                    for each in group:
                        self._run_apart(writer, each)
            if time.perf_counter() > until:
                break
        return writer.total_changes - before

    def _begin(self, writer: sqlite3.Connection) -> None:
        writer.execute("BEGIN IMMEDIATE")
        self.tenure += 1

    def _run_apart(self, writer: sqlite3.Connection, work: _Work[Any]) -> None:
        writer.execute("SAVEPOINT work")
        try:
            work.result = work.run(writer)
        except Exception as error:
            writer.execute("ROLLBACK TO work")
            self.tenure += 1
            work.error = error
        writer.execute("RELEASE work")

    def _give_up(self, group: list[_Work[Any]], error: BaseException) -> None:
        assert self._writer is not None
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")
        for work in group:
            if not work.done.done():
                failure = Unavailable(f"nothing was written: {error}")
                failure.__cause__ = error
                work.done.set_exception(failure)

    def _answer(self, works: list[_Work[Any]]) -> None:
        """Wake those who wait for work that is durable."""
        for work in works:
            if work.done.done():
                continue
            if work.error is not None:
                work.done.set_exception(work.error)
            else:
                work.done.set_result(work.result)
