"""Append through the kernel on a server of the MongoDB protocol, until the commits stand in the log's order.

work        30,000 commands (``--count``) of 16 writers over 200 streams, one event of some 100 bytes each, through
            atelier_common.commands.Commands on DocumentEventStore, whose sequencer runs in the same process; a writer waits for its
            acknowledgement before its next command, and the clock stops when the last commit has its position. In three thirds on
            one growing log, each of four stretches: the median stretch of the last third over that of the first says whether a log
            slows down as it grows, where the bare driver, whose collections are new in each third, does not
reference   after each third the commit documents that it made, read back as they lie, inserted by 16 tasks of the bare driver into
            a collection of a database without indexes, one insert each
durability  both: write concern majority with journal, on the same server
ratio       commits sequenced a second over documents inserted a second, third by third; median and spread
"""

import asyncio
import itertools
import time
from statistics import median
from typing import Any

from atelier_common.clock import SystemClock
from atelier_common.commands import Commands, Request
from atelier_common.commit import Context
from atelier_common.eventstore.documents import DocumentEventStore
from atelier_common.eventstore.layout import LOG

from bench.counting import COUNTING, NOTE, Add
from bench.measuring import Line, rates, ratios
from bench.servers.real import TENANT, Servers, bare_database, documents, on_servers, until_sequenced

COUNT = 30_000
WRITERS = 16
STREAMS = 200
THIRDS = 3
STRETCHES = 4


def measure(count: int = COUNT) -> list[Line]:
    """All figures."""
    return on_servers(_measure, count)


async def _measure(found: Servers, count: int) -> list[Line]:
    stretch = count // THIRDS // STRETCHES
    each = STRETCHES * stretch
    ours: list[float] = []
    thirds: list[list[float]] = []
    reference: list[float] = []
    async with documents(found, "append") as own, bare_database(found, "append") as raw:
        store = DocumentEventStore(own)
        await store.start()
        commands = Commands(store)
        await append(commands, range(WRITERS))
        await until_sequenced(store, TENANT, WRITERS)
        for third in range(THIRDS):
            numbers = range(WRITERS + third * each, WRITERS + (third + 1) * each)
            took: list[float] = []
            for start in numbers[::stretch]:
                began = time.perf_counter()
                await append(commands, range(start, start + stretch))
                await until_sequenced(store, TENANT, start + stretch)
                took.append(time.perf_counter() - began)
            thirds.append([stretch / seconds for seconds in took])
            ours.append(each / sum(took))
            made = await _commits(raw, numbers)
            async with documents(found, f"bare_{third}"), bare_database(found, f"bare_{third}") as bare:
                began = time.perf_counter()
                await _insert(bare["commits"], made)
                reference.append(len(made) / (time.perf_counter() - began))
        await store.close()
    return [
        ratios("appended until sequenced: ours over the bare driver", ours, reference, 0.6),
        rates("ours", ours, "commits/s"),
        rates("bare driver", reference, "documents/s"),
        Line("ours in the last third over the first", median(thirds[-1]) / median(thirds[0]), "x"),
        Line("the bare driver in the last third over the first", reference[-1] / reference[0], "x"),
        Line("appended", THIRDS * each, "commits"),
    ]


async def append(commands: Commands, numbers: range, tenant: str = TENANT) -> None:
    """One command for each number, on the stream that it falls to, ``WRITERS`` under way."""
    clock, following = SystemClock(), iter(numbers)

    async def write() -> None:
        for number in following:
            context = Context(tenant, "bench", f"command-{number}", clock.now())
            await commands.execute(Request(COUNTING, str(number % STREAMS), Add(NOTE, context.now), context))

    await asyncio.gather(*(write() for _ in range(WRITERS)))


async def _commits(raw: Any, numbers: range) -> list[dict[str, Any]]:
    """The documents of the last third, as they lie."""
    cursor = raw[LOG].find({"position": {"$gt": numbers.start, "$lte": numbers.stop}})
    made: list[dict[str, Any]] = await cursor.to_list(None)
    return made


async def _insert(collection: Any, made: list[dict[str, Any]]) -> None:
    following = itertools.chain(made)

    async def write() -> None:
        for document in following:
            await collection.insert_one(document)

    await asyncio.gather(*(write() for _ in range(WRITERS)))
