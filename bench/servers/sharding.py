"""What a second log with a sequencer of its own buys.

work        6,000 commands (``--count``) of 16 writers over 200 streams until sequenced, as ``appending`` does them, in two processes at
            once, half of them each, each process with a log, a database and a sequencer of its own on the same server
reference   all of them in one process on one log with one sequencer
durability  both: write concern majority with journal
ratio       commits a second of the two together over those of the one, the two taking turns for three rounds; told for information.
            A log belongs to a service and a tenant; the kernel gives a tenant one log, so what is measured is two tenants' logs that
            lie in two databases
"""

import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from atelier_common import process
from atelier_common.commands import Commands
from atelier_common.eventstore.documents import DocumentEventStore

from bench.measuring import Line, rates, ratios
from bench.servers.appending import WRITERS, append
from bench.servers.real import TENANT, Servers, documents, real_servers, until_sequenced

COUNT = 6_000
ROUNDS = 3


def measure(count: int = COUNT) -> list[Line]:
    """All figures."""
    one: list[float] = []
    two: list[float] = []
    spawning = get_context("spawn")
    with real_servers() as found, ProcessPoolExecutor(2, mp_context=spawning) as pool:
        for number in range(ROUNDS):
            one.append(_rate(pool, found, [f"one_{number}"], count))
            two.append(_rate(pool, found, [f"two_{number}_a", f"two_{number}_b"], count))
    return [
        ratios("two logs with two sequencers over one", two, one),
        rates("two", two, "commits/s"),
        rates("one", one, "commits/s"),
        Line("appended a round", count, "commits"),
    ]


def _rate(pool: ProcessPoolExecutor, found: Servers, names: list[str], count: int) -> float:
    """Commits a second of all logs together, from the first command to the last position."""
    each = count // len(names)
    spans = list(pool.map(_appended, [found] * len(names), names, [each] * len(names)))
    began, ended = min(began for began, _ in spans), max(ended for _, ended in spans)
    return each * len(names) / (ended - began)


def _appended(found: Servers, name: str, count: int) -> tuple[float, float]:
    """When the first command was given and the last commit had its position, on the machine's monotonic clock."""
    return process.run(_append(found, name, count))


async def _append(found: Servers, name: str, count: int) -> tuple[float, float]:
    async with documents(found, f"shard_{name}") as own:
        store = DocumentEventStore(own)
        await store.start()
        commands = Commands(store)
        await append(commands, range(WRITERS))
        await until_sequenced(store, TENANT, WRITERS)
        began = time.monotonic()
        await append(commands, range(WRITERS, WRITERS + count))
        await until_sequenced(store, TENANT, WRITERS + count)
        ended = time.monotonic()
        await store.close()
        return began, ended
