"""Room for work that may outgrow memory: a mapping of which only so much is held in memory, the rest in a temporary file."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import orjson

_CACHE_KIB = 8_000


class Scratch:
    """Text to plain JSON data. At most ``in_memory`` entries are in memory; the file is nobody else's and goes with :meth:`close`.

    Nothing here is durable. What is got is the entry itself as long as it is in memory: put it again after changing it.
    """

    def __init__(self, in_memory: int) -> None:
        self._in_memory = in_memory
        self._near: dict[str, Any] = {}
        self._far: sqlite3.Connection | None = None

    def get(self, key: str) -> Any | None:
        """The entry, None where there is none."""
        found = self._near.get(key)
        if found is None and self._far is not None:
            row = self._far.execute("SELECT entry FROM scratch WHERE key = ?", (key,)).fetchone()
            found = None if row is None else orjson.loads(row[0])
        return found

    def put(self, key: str, entry: Any) -> None:
        """Set an entry; None is not one."""
        self._near[key] = entry
        if len(self._near) > self._in_memory:
            self._move_out()

    def pop(self, key: str) -> Any | None:
        """The entry, which is no more afterwards; None where there is none."""
        found = self.get(key)
        self._near.pop(key, None)
        if found is not None and self._far is not None:
            self._far.execute("DELETE FROM scratch WHERE key = ?", (key,))
        return found

    def items(self) -> Iterator[tuple[str, Any]]:
        """Every entry. Only what was got may be changed meanwhile."""
        if self._far is None:
            yield from self._near.items()
            return
        self._move_out()
        low = ""
        while page := self._far.execute(
            "SELECT key, entry FROM scratch WHERE key >= ? ORDER BY key LIMIT 1000", (low,)
        ).fetchall():
            yield from ((key, orjson.loads(entry)) for key, entry in page)
            low = page[-1][0] + "\x00"

    def _move_out(self) -> None:
        if self._far is None:
            # An empty name is a file of SQLite's own that is deleted when it is closed, or with the process.
            self._far = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            self._far.execute("PRAGMA journal_mode=OFF")
            self._far.execute("PRAGMA synchronous=OFF")
            self._far.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
            self._far.execute("CREATE TABLE scratch (key TEXT PRIMARY KEY, entry BLOB NOT NULL) WITHOUT ROWID")
        self._far.execute("BEGIN")
        self._far.executemany(
            "INSERT OR REPLACE INTO scratch (key, entry) VALUES (?, ?)",
            ((key, orjson.dumps(self._near[key])) for key in sorted(self._near)),
        )
        self._far.execute("COMMIT")
        self._near.clear()

    def close(self) -> None:
        self._near.clear()
        if self._far is not None:
            self._far.close()
            self._far = None
