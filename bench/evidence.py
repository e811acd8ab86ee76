"""Evidence by HTTP, until all four services have caught up.

work        made-up xAPI statements posted to a standalone server in a process of its own (imported district, 240 learners, no week
            planned), in batches of 50 by four lanes and one by one by sixteen; the clock stops when every follower of every log is
            at its end
reference   bare FastAPI in a process of its own (bench/bare.py) that is sent the same requests by the same client, and in each
            inserts as many rows in as many transactions by sqlite3 as Atelier wrote per request in its four databases, as counted
            by the databases in the same round; each row as long as the rows in those databases are on average
durability  both: SQLite, WAL, synchronous FULL, acknowledged after COMMIT
ratio       statements a second of ours over those of the reference, round by round, the two taking turns; median and spread
"""

import asyncio
import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from atelier_standalone.client import Client

from bench.district import NOW, bring_in, made_up_statements
from bench.measuring import Line, rates, ratios
from bench.posting import Poster, poster
from bench.standalone import Standalone, standalone
from bench.streaming import stream


@dataclass(frozen=True)
class Shape:
    """``batch`` statements in a request, ``lanes`` requests under way, ``count`` statements a round."""

    name: str
    batch: int
    lanes: int
    count: int
    at_least: float


SHAPES = (Shape("batches of 50", 50, 4, 2_000, 1_000), Shape("one by one", 1, 16, 600, 250))
ROUNDS = 3


@dataclass(frozen=True)
class Round:
    ours: float
    reference: float
    processor: float
    rows: float
    transactions: float


def measure() -> list[Line]:
    """All figures."""
    with tempfile.TemporaryDirectory() as folder, standalone(Path(folder) / "ours", NOW) as server:
        return asyncio.run(_measure(server, Path(folder)))


async def _measure(server: Standalone, folder: Path) -> list[Line]:
    lines: list[Line] = []
    async with server.client() as client, server.poster() as posting:
        sample = await bring_in(client, sites=False)
        await stream(posting, made_up_statements(sample, 1_000, 0), 50, 4)
        await client.settle()
        for shape in SHAPES:
            found: list[Round] = []
            for number in range(1, ROUNDS + 1):
                seed = number + 100 * shape.batch
                statements = made_up_statements(sample, shape.count, seed)
                found.append(await _round(server, client, posting, folder, shape, statements))
            lines += _told(shape, found)
    return lines


def _told(shape: Shape, found: list[Round]) -> list[Line]:
    ours, reference = [one.ours for one in found], [one.reference for one in found]
    last = found[-1]
    return [
        ratios(f"{shape.name}: ours over the reference", ours, reference, 0.5),
        rates(f"{shape.name}: ours", ours, "statements/s", shape.at_least),
        rates(f"{shape.name}: reference", reference, "statements/s"),
        rates(f"{shape.name}: by our processor time alone", [one.processor for one in found], "statements/s"),
        Line(f"{shape.name}: rows written per statement", last.rows / shape.batch, "rows"),
        Line(f"{shape.name}: transactions per statement", last.transactions / shape.batch, "transactions"),
    ]


async def _round(
    server: Standalone, client: Client, posting: Poster, folder: Path, shape: Shape, statements: list[bytes]
) -> Round:
    before, began = server.ask("figures"), time.perf_counter()
    await stream(posting, statements, shape.batch, shape.lanes)
    await client.settle()
    took, after = time.perf_counter() - began, server.ask("figures")
    requests = -(-len(statements) // shape.batch)
    rows = (sum(after["rows"].values()) - sum(before["rows"].values())) / requests
    transactions = (sum(after["transactions"].values()) - sum(before["transactions"].values())) / requests
    size = _mean_row(server.folder)
    with _bare(folder / f"bare-{time.monotonic_ns()}.sqlite", rows, transactions, size) as url:
        async with poster(url) as reference:
            began = time.perf_counter()
            await _post_all(reference, statements, shape)
            of_reference = time.perf_counter() - began
    count = len(statements)
    processor = after["processor"] - before["processor"]
    return Round(count / took, count / of_reference, count / processor, rows, transactions)


async def _post_all(reference: Poster, statements: list[bytes], shape: Shape) -> None:
    following = iter(range(0, len(statements), shape.batch))

    async def lane() -> None:
        for start in following:
            some = statements[start : start + shape.batch]
            body = b"[" + b",".join(some) + b"]" if shape.batch > 1 else some[0]
            await reference.post("/rows", body)

    async with asyncio.TaskGroup() as group:
        for _ in range(shape.lanes):
            group.create_task(lane())


def _mean_row(folder: Path) -> int:
    """Bytes of a row in the logs and documents that stand in the folder's databases, keys and all."""
    rows = size = 0
    for path in folder.glob("*.sqlite"):
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            for columns, table in (("tenant, stream, body", "commits"), ("collection, tenant, id, body", "documents")):
                each = " + ".join(f"length({column.strip()})" for column in columns.split(","))
                count, length = database.execute(f"SELECT COUNT(*), COALESCE(SUM({each}), 0) FROM {table}").fetchone()
                rows, size = rows + count, size + length
    return round(size / rows)


@contextmanager
def _bare(path: Path, rows: float, transactions: float, size: int) -> Iterator[str]:
    command = [sys.executable, "-m", "bench.bare", str(path), str(rows), str(transactions), str(size)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
        process.stdin.close()
