"""The document port on SQLite: JSON text in one table, guards as SQL over its fields."""

import re
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any

import orjson

from atelier_common.documents.port import Below, Body, Delete, Guard, Insert, Past, Replace, ServerTime, Write
from atelier_common.sqlite.database import SqliteDatabase

# With rowids: a body of some kilobytes in a tree that is kept by its key is spread over pages of its own at each writing.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    collection TEXT NOT NULL, tenant TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (collection, tenant, id)
);
"""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _server_now() -> int:
    return time.time_ns() // 1_000_000


def _field(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a field name")
    return f"json_extract(body, '$.{name}')"


_INSERT = "INSERT OR IGNORE INTO documents (collection, tenant, id, body) VALUES (?, ?, ?, ?)"
_Shape = tuple[tuple[str, type], ...]
"""The fields of a guard and the kinds of what is asked of them: all that decides a statement's text."""


def _shape(guard: Guard) -> _Shape:
    return tuple((name, kind if (kind := type(wanted)) in (Below, Past) else object) for name, wanted in guard.items())


@lru_cache(maxsize=256)
def _upsert(shape: _Shape) -> str:
    return (
        "INSERT INTO documents (collection, tenant, id, body) VALUES (?, ?, ?, ?) "
        f"ON CONFLICT (collection, tenant, id) DO UPDATE SET body = excluded.body WHERE {_condition(shape, 'documents.body')}"
    )


@lru_cache(maxsize=256)
def _update(shape: _Shape) -> str:
    return (
        f"UPDATE documents SET body = ? WHERE collection = ? AND tenant = ? AND id = ? AND {_condition(shape, 'body')}"
    )


@lru_cache(maxsize=256)
def _delete(shape: _Shape) -> str:
    return f"DELETE FROM documents WHERE collection = ? AND tenant = ? AND id = ? AND {_condition(shape, 'body')}"


def _condition(shape: _Shape, body: str) -> str:
    parts = []
    for name, kind in shape:
        field = _field(name).replace("body", body, 1)
        if kind is Below:
            parts.append(f"COALESCE({field} < ?, TRUE)")
        elif kind is Past:
            parts.append(f"{field} < ?")
        else:
            parts.append(f"{field} IS ?")
    return " AND ".join(parts) or "TRUE"


class SqliteDocuments:
    """Documents in the same file as the log; writes ride in its group commits, so a batch is durable when it returns."""

    def __init__(self, database: SqliteDatabase, server_now: Callable[[], int] = _server_now) -> None:
        self._database = database
        self._server_now = server_now
        database.add_schema(_SCHEMA)

    async def ensure_index(self, collection: str, fields: Sequence[str]) -> None:
        if not re.fullmatch(r"[A-Za-z0-9_.:-]+", collection):
            raise ValueError(f"{collection!r} is not a collection name")

        def create(connection: sqlite3.Connection) -> None:
            for field in fields:
                if field != "_id":
                    name = re.sub(r"[^A-Za-z0-9_]", "_", f"documents_{collection}_{field}")
                    connection.execute(
                        f'CREATE INDEX IF NOT EXISTS "{name}" ON documents (tenant, {_field(field)}, id) '
                        f"WHERE collection = '{collection}'"
                    )

        await self._database.submit(create)

    async def write(self, writes: Sequence[Write]) -> list[bool]:
        if not writes:
            return []
        statements = [self._statement(write) for write in writes]
        return await self._database.submit(
            lambda connection: [connection.execute(*statement).rowcount == 1 for statement in statements]
        )

    async def insert_in_order(self, inserts: Sequence[Insert]) -> int:
        statements = [self._statement(insert) for insert in inserts]

        def insert(connection: sqlite3.Connection) -> int:
            for number, statement in enumerate(statements):
                if connection.execute(*statement).rowcount != 1:
                    return number
            return len(statements)

        return await self._database.submit(insert)

    def _statement(self, write: Write) -> tuple[str, tuple[Any, ...]]:
        match write:
            case Insert():
                return _INSERT, (write.collection, write.tenant, write.id, self._encode(write.body))
            case Replace(guard=guard, upsert=True):
                body = self._encode(write.body)
                return _upsert(_shape(guard)), (write.collection, write.tenant, write.id, body, *self._values(guard))
            case Replace(guard=guard):
                body = self._encode(write.body)
                return _update(_shape(guard)), (body, write.collection, write.tenant, write.id, *self._values(guard))
            case Delete(guard=guard):
                return _delete(_shape(guard)), (write.collection, write.tenant, write.id, *self._values(guard))

    def _values(self, guard: Guard) -> list[Any]:
        return [
            wanted.value if isinstance(wanted, Below) else self._server_now() if isinstance(wanted, Past) else wanted
            for wanted in guard.values()
        ]

    def _encode(self, body: Body) -> str:
        if ServerTime in map(type, body.values()):
            now = self._server_now()
            body = {key: now + value.plus if isinstance(value, ServerTime) else value for key, value in body.items()}
        return orjson.dumps(body).decode()

    async def find(self, tenant: str, collection: str, id: str) -> Body | None:
        row = self._database.reader.execute(
            "SELECT body FROM documents WHERE collection = ? AND tenant = ? AND id = ?", (collection, tenant, id)
        ).fetchone()
        return None if row is None else orjson.loads(row[0])

    async def find_many(self, tenant: str, collection: str, ids: Iterable[str]) -> dict[str, Body]:
        found: dict[str, Body] = {}
        wanted = list(dict.fromkeys(ids))
        for start in range(0, len(wanted), 500):
            some = wanted[start : start + 500]
            marks = ",".join("?" * len(some))
            for id, body in self._database.reader.execute(
                f"SELECT id, body FROM documents WHERE collection = ? AND tenant = ? AND id IN ({marks})",
                (collection, tenant, *some),
            ):
                found[id] = orjson.loads(body)
        return found

    async def scan(
        self,
        tenant: str,
        collection: str,
        field: str = "_id",
        low: Any = None,
        high: Any = None,
        limit: int = 1000,
        descending: bool = False,
    ) -> list[tuple[str, Body]]:
        expression = "id" if field == "_id" else _field(field)
        # The collection is written into the text so that the partial index of this collection can serve.
        quoted = collection.replace("'", "''")
        clauses, values = [f"collection = '{quoted}'", "tenant = ?"], [tenant]
        if field != "_id":
            clauses.append(f"{expression} IS NOT NULL")
        if low is not None:
            clauses.append(f"{expression} >= ?")
            values.append(low)
        if high is not None:
            clauses.append(f"{expression} <= ?")
            values.append(high)
        direction = "DESC" if descending else "ASC"
        rows = self._database.reader.execute(
            f"SELECT id, body FROM documents WHERE {' AND '.join(clauses)} "
            f"ORDER BY {expression} {direction}, id {direction} LIMIT ?",
            (*values, limit),
        )
        return [(id, orjson.loads(body)) for id, body in rows]
