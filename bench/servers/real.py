"""What the benchmarks on real servers share: the servers, a database of one's own, bare drivers, and a follower that times a log."""

import asyncio
import os
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from atelier_common import process
from atelier_common.documents.mongo import DRIVERS, MongoDocuments, connect
from atelier_common.eventstore.documents import DocumentEventStore
from motor.motor_asyncio import AsyncIOMotorClient
from pymongo import AsyncMongoClient
from pymongo.write_concern import WriteConcern

from bench.measuring import Line
from infra.dev.__main__ import servers

T = TypeVar("T")
TENANT = "measured"


@dataclass(frozen=True)
class Servers:
    """Addresses, and a prefix under which one measurement keeps what it makes."""

    kafka: str
    mongo: str
    prefix: str = field(default_factory=lambda: f"bench_{uuid.uuid4().hex[:10]}")


@contextmanager
def real_servers() -> Iterator[Servers]:
    """Those that ATELIER_KAFKA and ATELIER_MONGO name, or new ones for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="atelier-bench-") as folder, servers(Path(folder)) as (kafka, mongo):
        yield Servers(kafka, mongo)


def on_servers(measuring: Callable[[Servers, T], Coroutine[Any, Any, list[Line]]], how_much: T) -> list[Line]:
    """Measure on real servers, on the event loop that a serving process has."""
    with real_servers() as found:
        return process.run(measuring(found, how_much))


@asynccontextmanager
async def documents(found: Servers, name: str) -> AsyncIterator[MongoDocuments]:
    """The kernel's documents in an empty database, which is deleted afterwards."""
    opened = connect(found.mongo, f"{found.prefix}_{name}")
    try:
        yield opened
    finally:
        await opened.drop()
        await opened.close()


@asynccontextmanager
async def bare_database(found: Servers, name: str) -> AsyncIterator[Any]:
    """A database of the bare driver that the kernel would use, with the kernel's write concern."""
    client: Any
    if os.environ.get("ATELIER_MONGO_DRIVER", DRIVERS[0]) == "motor":
        client = AsyncIOMotorClient(found.mongo, retryWrites=False)
    else:
        client = AsyncMongoClient(found.mongo, retryWrites=False)
    try:
        yield client.get_database(f"{found.prefix}_{name}", write_concern=WriteConcern(w="majority", j=True))
    finally:
        closing = client.close()
        if asyncio.iscoroutine(closing):
            await closing


async def until_sequenced(store: DocumentEventStore, tenant: str, head: int) -> None:
    """Wait until the log of a tenant has its position ``head``."""
    while True:
        rung = store.changed.listen()
        if await store.head(tenant) >= head:
            return
        await store.changed.wait(rung, 0.05)


class Sequenced:
    """Follows a log as its doorbell rings and notes when each commit could be read in its order."""

    def __init__(self, store: DocumentEventStore, tenant: str) -> None:
        self._store = store
        self._tenant = tenant
        self.at: dict[tuple[str, int], float] = {}
        """By stream and version, ``time.perf_counter``."""

    async def follow(self, count: int) -> None:
        """Until so many commits were seen."""
        position = await self._store.head(self._tenant)
        while len(self.at) < count:
            rung = self._store.changed.listen()
            while commits := await self._store.read_log(self._tenant, position):
                now = time.perf_counter()
                self.at.update(((commit.stream, commit.version), now) for commit in commits)
                position = commits[-1].position
            await self._store.changed.wait(rung, 0.05)
