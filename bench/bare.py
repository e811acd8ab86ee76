"""The reference of the evidence benchmark: bare FastAPI that inserts rows by sqlite3, WAL and synchronous FULL, nothing else.

``python -m bench.bare FILE ROWS TRANSACTIONS SIZE`` serves on a free port of the loopback and prints ``{"url"}``. Each POST to
/rows parses its JSON, then writes on average ROWS rows of SIZE bytes in TRANSACTIONS transactions, and answers after the last
COMMIT. It ends when its input ends.

ROWS and TRANSACTIONS may be fractions: they are paid as they add up. What is acknowledged must be durable, so a request has at
least one transaction of its own, also where Atelier lets several requests share one. A row is a number and bytes: one of the
statements that came, repeated or cut to SIZE. There is no index beside the row number, no look-up, no update of an earlier row, no
token, no check of what was sent, no second reader: what is measured is HTTP, JSON and SQLite, on one thread.
"""

import asyncio
import itertools
import json
import sqlite3
import sys

import orjson
import uvicorn
from fastapi import FastAPI, Request


def app(path: str, rows: float, transactions: float, size: int) -> FastAPI:
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, body BLOB NOT NULL)")
    owed_rows = owed_transactions = 0.0
    bare = FastAPI()

    @bare.post("/rows")
    async def insert(request: Request) -> dict[str, int]:
        nonlocal owed_rows, owed_transactions
        given = orjson.loads(await request.body())
        statements = given if isinstance(given, list) else [given]
        bodies = itertools.cycle([(_as_long_as(size, orjson.dumps(one)),) for one in statements])
        owed_rows += rows
        owed_transactions += transactions
        in_all, turns = int(owed_rows), max(1, int(owed_transactions))
        owed_rows, owed_transactions = owed_rows - in_all, owed_transactions - turns
        for turn in range(turns):
            now = in_all * (turn + 1) // turns - in_all * turn // turns
            database.execute("BEGIN IMMEDIATE")
            database.executemany("INSERT INTO rows (body) VALUES (?)", itertools.islice(bodies, now))
            database.execute("COMMIT")
        return {"rows": in_all}

    return bare


def _as_long_as(size: int, body: bytes) -> bytes:
    return (body * (size // len(body) + 1))[:size]


async def run(path: str, rows: float, transactions: float, size: int) -> None:
    config = uvicorn.Config(
        app(path, rows, transactions, size), port=0, log_level="warning", access_log=False, lifespan="off"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    print(json.dumps({"url": f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"}), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.should_exit = True
    await serving


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])))
