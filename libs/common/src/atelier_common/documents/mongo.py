"""The document port on a server of the MongoDB protocol: the one module that imports a driver.

Either PyMongo's own asyncio client or motor carries it (``ATELIER_MONGO_DRIVER``); both are used through what they share. How a
document is stored stands in ``mongo_form.py``, how many are written together in ``writing_together.py``.

Reads are the primary's and majority's, writes majority's and in the journal, retried by nobody but the kernel, which looks up
what became of them; all of a client's calls run in one causally consistent session, so that its reads never go back in time.
No transaction, no change stream, no unique index but ``_id``, no findAndModify.
"""

import asyncio
import inspect
import itertools
import os
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from pymongo.errors import BulkWriteError, DuplicateKeyError, PyMongoError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from atelier_common.documents.mongo_form import (
    BEHIND_SEPARATOR,
    ID,
    SEPARATOR,
    TENANT,
    WROTE,
    apart,
    asks_the_time,
    body_of,
    filter_of,
    id_of,
    key_of,
    stored,
    timed,
)
from atelier_common.documents.port import Body, Delete, Documents, Insert, Replace, Write
from atelier_common.documents.replacing import Replacing
from atelier_common.documents.writing_together import WritingTogether
from atelier_common.errors import Unavailable

DRIVERS = ("pymongo", "motor")
_DUPLICATE_KEY = 11000
_ALONE_AT_ONCE = 16
_IDS_AT_ONCE = 1000
_ANSWERS_AT_ONCE = 1000
_CLOSES_SECONDS = 2.0


def connect(address: str, database: str, driver: str | None = None, **options: Any) -> "MongoDocuments":
    """Documents in ``database`` at a ``mongodb://`` address. ``driver``: ``pymongo`` (default) or ``motor``.

    ``options`` go to the driver's client (time-outs, event listeners). Nothing is sent before the first call. Raises ValueError
    on another driver.
    """
    driver = driver or os.environ.get("ATELIER_MONGO_DRIVER", "") or DRIVERS[0]
    settings: dict[str, Any] = {
        "retryWrites": False,
        "serverSelectionTimeoutMS": 5_000,
        "timeoutMS": 20_000,
        **options,
    }
    client: Any
    if driver == "motor":
        from motor.motor_asyncio import AsyncIOMotorClient

        client = AsyncIOMotorClient(address, **settings)
    elif driver == "pymongo":
        from pymongo import AsyncMongoClient

        client = AsyncMongoClient(address, **settings)
    else:
        raise ValueError(f"ATELIER_MONGO_DRIVER is {driver!r}; it may be {' or '.join(DRIVERS)}")
    return MongoDocuments(client, database)


class MongoDocuments:
    """See the module. ``client`` is a motor or PyMongo asyncio client of this event loop, closed by :meth:`close`."""

    def __init__(self, client: Any, database: str) -> None:
        self._client = client
        self._database = client.get_database(
            database,
            read_preference=ReadPreference.PRIMARY,
            read_concern=ReadConcern("majority"),
            write_concern=WriteConcern(w="majority", j=True),
        )
        self._session: Any = None
        self._starting = asyncio.Lock()
        self._name = uuid.uuid4().hex[:12]
        self._numbers = itertools.count(1)
        self._collections: dict[str, Any] = {}
        self._together = WritingTogether(self, self._write_one)

    def _collection(self, name: str) -> Any:
        """The driver makes one anew for each question, which costs a sixtieth of a busy process."""
        if name not in self._collections:
            self._collections[name] = self._database[name]
        return self._collections[name]

    async def close(self) -> None:
        """End the session and close the connections. A server that does not answer is told so no longer than two seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSES_SECONDS):
                if self._session is not None:
                    session, self._session = self._session, None
                    await session.end_session()
                if inspect.iscoroutinefunction(self._client.close):
                    await self._client.close()
                else:
                    await _in_a_thread(self._client.close)

    async def drop(self) -> None:
        """Delete the whole database: for tests and benchmarks."""
        await self._client.drop_database(self._database.name)

    async def ensure_index(self, collection: str, fields: Sequence[str]) -> None:
        for field in fields:
            if field == "_id":
                continue
            with _asking():
                await self._collection(collection).create_index(
                    [(field, 1), (TENANT, 1), ("_id", 1)],
                    name=f"by_{field}",
                    partialFilterExpression={field: {"$exists": True}},
                    session=await self._in_session(),
                )

    async def write(self, writes: Sequence[Write]) -> list[bool]:
        outcomes: list[bool] = []
        with _asking():
            for together in apart(writes):
                outcomes += await self._write_together(together)
        return outcomes

    async def insert_in_order(self, inserts: Sequence[Insert]) -> int:
        if not inserts:
            return 0
        collection = self._collection(inserts[0].collection)
        with _asking():
            session = await self._in_session()
            try:
                await collection.insert_many([self._stored(one) for one in inserts], ordered=True, session=session)
            except BulkWriteError as error:
                return min(_taken(error))
        return len(inserts)

    async def _write_together(self, writes: Sequence[Write]) -> list[bool]:
        """Writes to one collection, no two of one document: their order does not matter."""
        plain = [write for write in writes if not isinstance(write, Delete) and not asks_the_time(write)]
        if len(writes) > 1 and len(plain) == len(writes):
            return await self._write_bulk(plain)
        outcomes: list[bool] = []
        for start in range(0, len(writes), _ALONE_AT_ONCE):
            outcomes += await asyncio.gather(*map(self._write_one, writes[start : start + _ALONE_AT_ONCE]))
        return outcomes

    async def _write_one(self, write: Write) -> bool:
        collection, session = self._collection(write.collection), await self._in_session()
        id = key_of(write.tenant, write.id)
        match write:
            case Insert() if asks_the_time(write):
                absent = {"$eq": [{"$type": f"${WROTE}"}, "missing"]}
                made = {"$replaceWith": {"$cond": [absent, timed(write, self._stored(write)), "$$ROOT"]}}
                try:
                    done = await collection.update_one({"_id": id}, [made], upsert=True, session=session)
                except DuplicateKeyError:
                    return False
                return done.upserted_id is not None
            case Insert():
                try:
                    await collection.insert_one(self._stored(write), session=session)
                except DuplicateKeyError:
                    return False
                return True
            case Replace():
                try:
                    return await self._replace(collection, session, write, upsert=write.upsert)
                except DuplicateKeyError:
                    # It was there and did not meet the guard, or came into being meanwhile and may meet it.
                    return await self._replace(collection, session, write, upsert=False)
            case Delete():
                done = await collection.delete_one(filter_of(id, write.guard), session=session)
                return bool(done.deleted_count == 1)

    async def _replace(self, collection: Any, session: Any, write: Replace, *, upsert: bool) -> bool:
        wanted = filter_of(key_of(write.tenant, write.id), write.guard)
        if asks_the_time(write):
            done = await collection.update_one(
                wanted, [{"$replaceWith": timed(write, self._stored(write))}], upsert=upsert, session=session
            )
        else:
            done = await collection.replace_one(wanted, self._stored(write), upsert=upsert, session=session)
        return done.matched_count == 1 or done.upserted_id is not None

    async def _write_bulk(self, writes: Sequence[Insert | Replace]) -> list[bool]:
        return await self._together.write(writes, [self._stored(write) for write in writes])

    async def insert_all(self, collection: str, documents: Sequence[Body]) -> set[int]:
        """Insert each by itself; the places of those whose ids exist. For :class:`WritingTogether`, as what follows."""
        try:
            await self._collection(collection).insert_many(documents, ordered=False, session=await self._in_session())
        except BulkWriteError as error:
            return _taken(error)
        return set()

    async def replace_all(self, collection: str, replacing: Replacing) -> int:
        """How many of them were there and met their guards."""
        session = await self._in_session()
        done = await self._collection(collection).update_many(replacing.filter, replacing.pipeline, session=session)
        return int(done.matched_count)

    async def who_wrote(self, collection: str, keys: Sequence[str]) -> dict[str, str]:
        """Of these documents those that exist, each with the write that made it."""
        found = await self._all(collection, {ID: {"$in": list(keys)}}, (WROTE,))
        return {document[ID]: document[WROTE] for document in found}

    async def find(self, tenant: str, collection: str, id: str) -> Body | None:
        found = await self._find_raw(collection, [key_of(tenant, id)])
        return body_of(found[0]) if found else None

    async def find_many(self, tenant: str, collection: str, ids: Iterable[str]) -> dict[str, Body]:
        wanted = {key_of(tenant, id): id for id in ids}
        keys = list(wanted)
        found: dict[str, Body] = {}
        for start in range(0, len(keys), _IDS_AT_ONCE):
            for document in await self._find_raw(collection, keys[start : start + _IDS_AT_ONCE]):
                id = wanted[document[ID]]
                found[id] = body_of(document)
        return found

    async def _find_raw(self, collection: str, keys: Sequence[str]) -> list[Body]:
        if len(keys) == 1:
            return await self._all(collection, {"_id": keys[0]}, limit=1)
        return await self._all(collection, {"_id": {"$in": list(keys)}})

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
        if limit <= 0:
            return []
        direction = -1 if descending else 1
        wanted: dict[str, Any]
        if field == "_id":
            first, behind = f"{tenant}{SEPARATOR}{low or ''}", f"{tenant}{BEHIND_SEPARATOR}"
            last = {"$lt": behind} if high is None else {"$lte": key_of(tenant, high)}
            wanted, order = {"_id": {"$gte": first, **last}}, [("_id", direction)]
        else:
            bounds = {"$exists": True, "$ne": None}
            bounds |= {} if low is None else {"$gte": low}
            bounds |= {} if high is None else {"$lte": high}
            wanted = {field: low if low is not None and low == high else bounds, TENANT: tenant}
            order = [(field, direction), ("_id", direction)]
        found = await self._all(collection, wanted, order=order, limit=limit)
        return [(id_of(document["_id"]), body_of(document)) for document in found]

    async def _all(
        self,
        collection: str,
        wanted: Mapping[str, Any],
        fields: Sequence[str] = (),
        order: Sequence[tuple[str, int]] = (),
        limit: int = 0,
    ) -> list[Body]:
        """``fields``: those that are asked for, ``_id`` with them; all where none is named."""
        with _asking():
            session = await self._in_session()
            if limit == 1:
                # Motor takes a third less processor time for this than for a cursor that finds one.
                one = await self._collection(collection).find_one(
                    wanted, list(fields) or None, sort=list(order) or None, session=session
                )
                return [] if one is None else [one]
            cursor = self._collection(collection).find(wanted, list(fields) or None, session=session)
            if order:
                cursor = cursor.sort(list(order)).limit(limit)
            # Servers send a hundred at first unless told: most answers here are longer, and would take two questions.
            cursor = cursor.batch_size(min(limit, _ANSWERS_AT_ONCE) or _ANSWERS_AT_ONCE)
            found: list[Body] = await cursor.to_list(None)
        return found

    async def _in_session(self) -> Any:
        if self._session is None:
            async with self._starting:
                if self._session is None:
                    started = self._client.start_session(causal_consistency=True)
                    session = await started if inspect.isawaitable(started) else started
                    # A session gets its id with its first command: two at once, from two of motor's threads, gave it two.
                    await self._client.admin.command("ping", session=session)
                    self._session = session
        return self._session

    def _stored(self, write: Insert | Replace) -> Body:
        return stored(write, f"{self._name}{next(self._numbers)}")


def _taken(error: BulkWriteError) -> set[int]:
    """The places of those that were not inserted since their ids exist. Raises the error where it is about anything else."""
    failures = error.details["writeErrors"]
    if error.details.get("writeConcernErrors") or any(one["code"] != _DUPLICATE_KEY for one in failures):
        raise error
    return {one["index"] for one in failures}


async def _in_a_thread(work: Callable[[], None]) -> None:
    """Do what blocks, in a thread that holds up neither the loop nor the end of the process."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()

    def run() -> None:
        try:
            work()
        finally:
            with suppress(RuntimeError):  # nobody waited so long
                loop.call_soon_threadsafe(done.set)

    threading.Thread(target=run, name="closing the database's client", daemon=True).start()
    await done.wait()


@contextmanager
def _asking() -> Iterator[None]:
    """Around what the driver is asked. Raises Unavailable where it fails: then it is not known what came of it.

    A task that was cancelled meanwhile ends here at the latest: PyMongo sends by asyncio.wait_for, which loses a cancellation
    that comes in the same moment as its result (before Python 3.12), and then the task would go on for ever.
    """
    task = asyncio.current_task()
    assert task is not None
    before = task.cancelling()
    try:
        yield
    except PyMongoError as error:
        code = getattr(error, "code", None)
        said = f"the database did not answer as it should: {type(error).__name__} {code or ''}"
        raise Unavailable(said.rstrip()) from error
    finally:
        if task.cancelling() > before:
            raise asyncio.CancelledError


_PORT: type[Documents] = MongoDocuments
