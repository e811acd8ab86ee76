"""Documents in memory: the reference of the port, and the ground that the seeded simulation stands on.

Bodies are kept as JSON bytes, so nothing that a caller holds is shared with the store. Time is the store's own clock,
which a test may set apart from everybody else's. Every client may carry *faults*: a hook called around every single
effect, which may delay it, refuse it, lose its reply, or make a scan see the past.
"""

import asyncio
import time
from bisect import bisect_left, bisect_right, insort
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from atelier_common.documents.port import Below, Body, Delete, Guard, Insert, Past, Replace, ServerTime, Write

Key = tuple[int, Any]
_REMEMBERED_WRITES = 512


@dataclass(frozen=True, slots=True)
class Effect:
    """One thing that a client asks of the database: what a fault is decided on."""

    operation: str
    """``insert``, ``replace``, ``delete``, ``find``, ``find_many`` or ``scan``."""
    tenant: str
    collection: str
    subject: str
    """The document's id; the field of a scan."""


class Faults(Protocol):
    """What may happen to a client between any two of its awaits."""

    async def before(self, effect: Effect, /) -> None:
        """May wait, or raise: then the effect never happens."""
        ...

    async def after(self, effect: Effect, /) -> None:
        """May wait, or raise: then the effect has happened and its reply is lost."""
        ...

    def staleness(self, effect: Effect, /) -> int:
        """How many of the database's last writes this scan does not see yet (never less than the client has seen
        before).
        """
        ...


class NoFaults:
    """Gives way to other tasks around every effect, and nothing else."""

    async def before(self, _effect: Effect) -> None:
        await asyncio.sleep(0)

    async def after(self, _effect: Effect) -> None:
        return None

    def staleness(self, _effect: Effect) -> int:
        return 0


def system_milliseconds() -> int:
    return time.time_ns() // 1_000_000


def _key(value: Any) -> Key | None:
    """Numbers come before strings, as in other databases; None stands for an absent field."""
    if isinstance(value, int | float):
        return (0, value)
    if isinstance(value, str):
        return (1, value)
    return None


class _Collection:
    """The documents of one tenant and collection with their sorted indexes."""

    def __init__(self) -> None:
        self.bodies: dict[str, bytes] = {}
        self._sorted: dict[str, list[tuple[Key, str]]] = {"_id": []}
        self._keys: dict[str, dict[str, Key]] = {"_id": {}}

    def copy(self) -> "_Collection":
        other = _Collection()
        for id, body in self.bodies.items():
            other.put(id, body)
        return other

    def index(self, name: str) -> None:
        if name in self._sorted:
            return
        found = ((id, _key(orjson.loads(body).get(name))) for id, body in self.bodies.items())
        self._keys[name] = {id: key for id, key in found if key is not None}
        self._sorted[name] = sorted((key, id) for id, key in self._keys[name].items())

    def put(self, id: str, encoded: bytes | None) -> None:
        """Set or, with None, remove a document."""
        body: Body = {} if encoded is None else orjson.loads(encoded)
        for name, entries in self._sorted.items():
            key = _key(id if name == "_id" else body.get(name)) if encoded is not None else None
            keys = self._keys[name]
            old = keys.get(id)
            if old == key:
                continue
            if old is not None:
                del entries[bisect_left(entries, (old, id))]
                del keys[id]
            if key is not None:
                insort(entries, (key, id))
                keys[id] = key
        if encoded is None:
            self.bodies.pop(id, None)
        else:
            self.bodies[id] = encoded

    def scan(self, name: str, low: Any, high: Any, limit: int, descending: bool) -> list[tuple[str, Body]]:
        self.index(name)
        entries = self._sorted[name]
        start = 0 if low is None else bisect_left(entries, _key(low), key=lambda entry: entry[0])
        end = len(entries) if high is None else bisect_right(entries, _key(high), key=lambda entry: entry[0])
        chosen = (
            entries[max(start, end - limit) : end][::-1] if descending else entries[start : min(end, start + limit)]
        )
        return [(id, orjson.loads(self.bodies[id])) for _, id in chosen]


@dataclass(slots=True)
class _Written:
    sequence: int
    tenant: str
    collection: str
    id: str
    before: bytes | None


@dataclass(slots=True)
class _Database:
    """What all clients of one database share."""

    server_clock: Callable[[], int]
    collections: dict[tuple[str, str], _Collection] = field(default_factory=dict)
    journal: deque[_Written] = field(default_factory=lambda: deque(maxlen=_REMEMBERED_WRITES))
    sequence: int = 0

    def collection(self, tenant: str, name: str) -> _Collection:
        return self.collections.setdefault((tenant, name), _Collection())

    def put(self, tenant: str, name: str, id: str, encoded: bytes | None) -> None:
        collection = self.collection(tenant, name)
        self.sequence += 1
        self.journal.append(_Written(self.sequence, tenant, name, id, collection.bodies.get(id)))
        collection.put(id, encoded)

    def as_of(self, sequence: int, tenant: str, name: str) -> _Collection:
        """The collection as it was after write number ``sequence``."""
        collection = self.collection(tenant, name)
        undone = [w for w in self.journal if w.sequence > sequence and (w.tenant, w.collection) == (tenant, name)]
        if not undone:
            return collection
        past = collection.copy()
        for written in reversed(undone):
            past.put(written.id, written.before)
        return past


class MemoryDocuments:
    """The document port in memory; what it holds ends with the process.

    ``server_clock`` gives the store's own time in milliseconds. :meth:`client` opens the same database once more, with
    faults of its own: a second replica.
    """

    def __init__(self, server_clock: Callable[[], int] = system_milliseconds, faults: Faults | None = None) -> None:
        self._database = _Database(server_clock)
        self._faults: Faults = faults or NoFaults()
        self._faultless = faults is None
        self._seen = 0

    def client(self, faults: Faults | None = None) -> "MemoryDocuments":
        """Another client of the same database."""
        other = MemoryDocuments(faults=faults)
        other._database = self._database
        return other

    def copied(self) -> "MemoryDocuments":
        """Another database that holds what this one holds at this moment: a backup. What is on its way to this one is not in it."""
        other = MemoryDocuments(self._database.server_clock)
        for place, collection in self._database.collections.items():
            other._database.collections[place] = collection.copy()
        return other

    async def ensure_index(self, collection: str, fields: Sequence[str]) -> None:
        for (_, name), held in self._database.collections.items():
            if name == collection:
                for each in fields:
                    held.index(each)

    async def write(self, writes: Sequence[Write]) -> list[bool]:
        return await self._sent(writes, stops=False)

    async def insert_in_order(self, inserts: Sequence[Insert]) -> int:
        return sum(await self._sent(inserts, stops=True))

    async def _sent(self, writes: Sequence[Write], *, stops: bool) -> list[bool]:
        if self._faultless:
            return await self._write(writes, stops)
        # What has been sent is on its way: a caller who is cancelled meanwhile does not call it back.
        sent = asyncio.ensure_future(self._write(writes, stops))
        sent.add_done_callback(_forget_failure)
        return await asyncio.shield(sent)

    async def _write(self, writes: Sequence[Write], stops: bool) -> list[bool]:
        outcomes = []
        for write in writes:
            effect = Effect(type(write).__name__.lower(), write.tenant, write.collection, write.id)
            await self._faults.before(effect)
            outcomes.append(self._apply(write))
            self._seen = self._database.sequence
            await self._faults.after(effect)
            if stops and not outcomes[-1]:
                break
        return outcomes

    def _apply(self, write: Write) -> bool:
        now = self._database.server_clock()
        present = self._database.collection(write.tenant, write.collection).bodies.get(write.id)
        match write:
            case Insert():
                allowed = present is None
            case Replace(guard=guard, upsert=upsert):
                allowed = upsert if present is None else _meets(orjson.loads(present), guard, now)
            case Delete(guard=guard):
                allowed = present is not None and _meets(orjson.loads(present), guard, now)
        if allowed:
            encoded = None if isinstance(write, Delete) else _encode(write.body, now)
            self._database.put(write.tenant, write.collection, write.id, encoded)
        return allowed

    async def find(self, tenant: str, collection: str, id: str) -> Body | None:
        effect = Effect("find", tenant, collection, id)
        await self._faults.before(effect)
        encoded = self._database.collection(tenant, collection).bodies.get(id)
        self._seen = self._database.sequence
        await self._faults.after(effect)
        return None if encoded is None else orjson.loads(encoded)

    async def find_many(self, tenant: str, collection: str, ids: Iterable[str]) -> dict[str, Body]:
        effect = Effect("find_many", tenant, collection, "")
        await self._faults.before(effect)
        bodies = self._database.collection(tenant, collection).bodies
        found = {id: orjson.loads(bodies[id]) for id in dict.fromkeys(ids) if id in bodies}
        self._seen = self._database.sequence
        await self._faults.after(effect)
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
        effect = Effect("scan", tenant, collection, field)
        await self._faults.before(effect)
        # A client's reads never go back in time: this is what one session of a replicated database gives as well.
        self._seen = max(self._seen, self._database.sequence - self._faults.staleness(effect))
        found = self._database.as_of(self._seen, tenant, collection).scan(field, low, high, limit, descending)
        await self._faults.after(effect)
        return found


def _forget_failure(sent: asyncio.Future[list[bool]]) -> None:
    """Where the caller is still there it meets the failure itself."""
    if not sent.cancelled():
        sent.exception()


def _encode(body: Body, now: int) -> bytes:
    return orjson.dumps(
        {name: now + value.plus if isinstance(value, ServerTime) else value for name, value in body.items()}
    )


def _meets(body: Body, guard: Guard, now: int) -> bool:
    for name, wanted in guard.items():
        held = body.get(name)
        match wanted:
            case Below(value=value):
                met = held is None or held < value
            case Past():
                met = held is not None and held < now
            case _:
                met = held == wanted
        if not met:
            return False
    return True
