"""The event store on SQLite: positions are given inside the transaction that appends, so no sequencer is needed."""

import hashlib
import sqlite3
import uuid
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import orjson

from atelier_common.commit import Commit
from atelier_common.doorbell import Doorbell
from atelier_common.errors import NotFound
from atelier_common.eventstore.known import KnownVersions, Slot
from atelier_common.eventstore.port import Appended, AppendOutcome, VersionTaken
from atelier_common.sqlite.database import SqliteDatabase

# With rowids: bodies of this size would fill the inner pages of a tree that is kept by its key.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS commits (
    tenant TEXT NOT NULL, position INTEGER NOT NULL, stream TEXT NOT NULL, version INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (tenant, position)
);
CREATE UNIQUE INDEX IF NOT EXISTS commits_stream ON commits (tenant, stream, version);
CREATE TABLE IF NOT EXISTS logs (tenant TEXT PRIMARY KEY, incarnation TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS parts (tenant TEXT NOT NULL, digest TEXT NOT NULL, content BLOB NOT NULL, PRIMARY KEY (tenant, digest));
"""
_TAIL = 4_000
"""Commits per tenant kept decoded for the readers that follow the log closely."""


@dataclass(slots=True)
class _Written:
    """What the appends of one tenure of the database have met and written; not yet durable, so nobody else may see it."""

    tenure: int = 0
    heads: dict[str, int] = field(default_factory=dict)
    versions: dict[Slot, int] = field(default_factory=dict)


class SqliteEventStore:
    """Logs of one service in one SQLite file. See the port for the guarantees.

    Readers that keep up are served from memory; what is there was committed first.
    """

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self.changed = Doorbell()
        self._tails: dict[str, deque[Commit]] = {}
        self._incarnations: dict[str, str] = {}
        self._tenants: list[str] | None = None
        self._known = KnownVersions()
        self._written = _Written()
        database.add_schema(_SCHEMA)

    async def start(self) -> None:
        await self._database.start()

    async def close(self) -> None:
        await self._database.close()

    async def incarnation(self, tenant: str) -> str:
        if tenant not in self._incarnations:
            fresh = str(uuid.uuid4())

            def claim(connection: sqlite3.Connection) -> str:
                connection.execute("INSERT OR IGNORE INTO logs (tenant, incarnation) VALUES (?, ?)", (tenant, fresh))
                found = connection.execute("SELECT incarnation FROM logs WHERE tenant = ?", (tenant,)).fetchone()
                return str(found[0])

            self._incarnations[tenant] = await self._database.submit(claim)
            self._tenants = None
        return self._incarnations[tenant]

    async def renew_incarnation(self, tenant: str) -> str:
        """Say that this log was restored: neighbours will notice and resynchronise. Part of every restore."""
        fresh = str(uuid.uuid4())
        await self._database.submit(
            lambda connection: connection.execute(
                "INSERT INTO logs (tenant, incarnation) VALUES (?, ?) "
                "ON CONFLICT (tenant) DO UPDATE SET incarnation = excluded.incarnation",
                (tenant, fresh),
            )
        )
        self._incarnations[tenant] = fresh
        return fresh

    async def tenants(self) -> list[str]:
        # Every follower asks at every ring; only this process adds tenants, and then it forgets the list.
        if self._tenants is None:
            self._tenants = [row[0] for row in self._database.reader.execute("SELECT tenant FROM logs ORDER BY tenant")]
        return list(self._tenants)

    async def append(self, commits: Sequence[Commit]) -> list[AppendOutcome]:
        for tenant in {commit.tenant for commit in commits}:
            if tenant not in self._incarnations:
                await self.incarnation(tenant)
        bodies = [commit.body() for commit in commits]

        def insert(connection: sqlite3.Connection) -> list[AppendOutcome]:
            if self._written.tenure != self._database.tenure:
                self._written = _Written(self._database.tenure)
            refused: set[Slot] = set()
            outcomes: list[AppendOutcome] = []
            for commit, body in zip(commits, bodies, strict=True):
                # What was decided on a commit that is refused here must not follow another writer's in its place.
                slot = (commit.tenant, commit.stream)
                if slot not in refused and self._insert(connection, slot, commit, body):
                    outcomes.append(Appended(commit))
                else:
                    refused.add(slot)
                    outcomes.append(VersionTaken())
            return outcomes

        return await self._database.submit(insert, self._committed)

    def _insert(self, connection: sqlite3.Connection, slot: Slot, commit: Commit, body: bytes) -> bool:
        (tenant, stream), version, written = slot, commit.version, self._written
        if (
            version > 1
            and written.versions.get(slot, 0) < version - 1
            and not self._known.reaches(slot, version - 1)
            and connection.execute(
                "SELECT 1 FROM commits WHERE tenant = ? AND stream = ? AND version = ?", (tenant, stream, version - 1)
            ).fetchone()
            is None
        ):
            return False
        head = written.heads.get(tenant)
        if head is None:
            tail = self._tails.get(tenant)
            head = tail[-1].position if tail else _last_position(connection, tenant)
        try:
            connection.execute(
                "INSERT INTO commits (tenant, position, stream, version, body) VALUES (?, ?, ?, ?, ?)",
                (tenant, head + 1, stream, version, body),
            )
        except sqlite3.IntegrityError:
            # The version is taken; or the position is, by another process that wrote to this file since we did.
            written.heads[tenant] = _last_position(connection, tenant)
            return head != written.heads[tenant] and self._insert(connection, slot, commit, body)
        written.heads[tenant] = commit.position = head + 1
        written.versions[slot] = version
        return True

    def _committed(self, outcomes: list[AppendOutcome]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, Appended):
                commit = outcome.commit
                self._known.remember((commit.tenant, commit.stream), commit.version)
                tail = self._tails.get(commit.tenant)
                if tail is None:
                    tail = self._tails[commit.tenant] = deque(maxlen=_TAIL)
                elif tail and tail[-1].position + 1 != commit.position:
                    tail.clear()
                tail.append(commit)
        self.changed.ring()

    async def read_stream(self, tenant: str, stream: str, after: int = 0, limit: int | None = None) -> list[Commit]:
        rows = self._database.reader.execute(
            "SELECT version, position, body FROM commits WHERE tenant = ? AND stream = ? AND version > ? ORDER BY version LIMIT ?",
            (tenant, stream, after, -1 if limit is None else limit),
        )
        return [Commit.from_body(tenant, stream, version, position, body) for version, position, body in rows]

    async def read_streams(self, tenant: str, streams: Iterable[str]) -> dict[str, list[Commit]]:
        found: dict[str, list[Commit]] = {stream: [] for stream in streams}
        rows = self._database.reader.execute(
            "SELECT stream, version, position, body FROM commits "
            "WHERE tenant = ? AND stream IN (SELECT value FROM json_each(?)) ORDER BY stream, version",
            (tenant, orjson.dumps(list(found)).decode()),
        )
        for stream, version, position, body in rows:
            found[stream].append(Commit.from_body(tenant, stream, version, position, body))
        return found

    async def find_command(self, tenant: str, stream: str, command_id: str) -> Commit | None:
        for commit in await self.read_stream(tenant, stream):
            if commit.command_id == command_id:
                return commit
        return None

    async def read_log(self, tenant: str, after: int, limit: int = 500) -> list[Commit]:
        tail = self._tails.get(tenant)
        if tail and tail[0].position <= after + 1:
            start = after + 1 - tail[0].position
            return [tail[place] for place in range(start, min(start + limit, len(tail)))]
        rows = self._database.reader.execute(
            "SELECT stream, version, position, body FROM commits WHERE tenant = ? AND position > ? ORDER BY position LIMIT ?",
            (tenant, after, limit),
        )
        return [Commit.from_body(tenant, stream, version, position, body) for stream, version, position, body in rows]

    async def head(self, tenant: str) -> int:
        return self.known_head(tenant)

    def known_head(self, tenant: str) -> int:
        tail = self._tails.get(tenant)
        if tail:
            return tail[-1].position
        return _last_position(self._database.reader, tenant)

    async def pending_since(self, tenant: str) -> int | None:  # noqa: ARG002 - a commit and its position are one write here
        return None

    async def position_of(self, tenant: str, stream: str, version: int) -> int | None:
        row = self._database.reader.execute(
            "SELECT position FROM commits WHERE tenant = ? AND stream = ? AND version = ?", (tenant, stream, version)
        ).fetchone()
        return None if row is None else int(row[0])

    async def list_streams(self, tenant: str, prefix: str, after: str = "", limit: int = 1000) -> list[str]:
        rows = self._database.reader.execute(
            "SELECT DISTINCT stream FROM commits WHERE tenant = ? AND stream > ? AND stream >= ? AND stream < ? "
            "ORDER BY stream LIMIT ?",
            (tenant, after, prefix, prefix + "\U0010ffff", limit),
        )
        return [row[0] for row in rows]

    async def put_part(self, tenant: str, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        await self._database.submit(
            lambda connection: connection.execute(
                "INSERT OR IGNORE INTO parts (tenant, digest, content) VALUES (?, ?, ?)", (tenant, digest, content)
            )
        )
        return digest

    async def get_part(self, tenant: str, digest: str) -> bytes:
        row = self._database.reader.execute(
            "SELECT content FROM parts WHERE tenant = ? AND digest = ?", (tenant, digest)
        ).fetchone()
        if row is None:
            raise NotFound(f"no part {digest} is stored")
        return bytes(row[0])


def _last_position(connection: sqlite3.Connection, tenant: str) -> int:
    found = connection.execute("SELECT COALESCE(MAX(position), 0) FROM commits WHERE tenant = ?", (tenant,)).fetchone()
    return int(found[0])
