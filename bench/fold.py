"""Read and fold streams of 100 events.

work        load aggregates of 100 events each from a file: Commands.load with nothing remembered (a fresh Commands each round), so
            that every stream is read, decoded and folded; in a process that runs as a server's does (atelier_common.process)
reference   the `eventsourcing` package 9.5 with its SQLite module: `repository.get` of aggregates of 100 events, no cache, no snapshots
durability  both read committed files in WAL mode; nothing is written meanwhile
ratio       streams a second of ours over those of the reference, round by round, the two taking turns; median and spread. Processor
            time stands beside it
"""

import tempfile
from pathlib import Path

from atelier_common import process
from atelier_common.commands import Commands, Request
from atelier_common.commit import Context
from atelier_common.eventstore.sqlite import SqliteEventStore
from atelier_common.sqlite.database import SqliteDatabase

from bench.counting import COUNTING, NOTE, Add, Recorder, Tally, reference_application
from bench.measuring import Line, Stopwatch, Took, rates, ratios

ROUNDS = 7
STREAMS = 60
EVENTS = 100


def measure() -> list[Line]:
    """All figures."""
    with tempfile.TemporaryDirectory() as folder:
        return process.run(_measure(Path(folder)))


async def _measure(folder: Path) -> list[Line]:
    await _fill(folder / "ours.sqlite")
    application = reference_application(folder / "reference.sqlite")
    tallies = [_filled(application) for _ in range(STREAMS)]
    ours: list[Took] = []
    reference: list[Took] = []
    for _ in range(ROUNDS):
        # Opened anew, so that no commit is remembered from its being written or read before.
        store = SqliteEventStore(SqliteDatabase(folder / "ours.sqlite"))
        await store.start()
        commands = Commands(store)
        with Stopwatch() as watch:
            for number in range(STREAMS):
                state, version = await commands.load(COUNTING, "measured", str(number))
                assert (state.count, version) == (EVENTS, EVENTS)
        ours.append(watch.took)
        await store.close()
        with Stopwatch() as watch:
            for tally in tallies:
                found: Tally = application.repository.get(tally)
                assert found.count == EVENTS
        reference.append(watch.took)
    application.close()
    return [
        ratios("ours over the reference", [1 / one.wall for one in ours], [1 / one.wall for one in reference], 3.0),
        rates("ours", [STREAMS / one.wall for one in ours], "streams/s"),
        rates("reference", [STREAMS / one.wall for one in reference], "streams/s"),
        ratios(
            "by processor time alone", [1 / one.processor for one in ours], [1 / one.processor for one in reference]
        ),
    ]


async def _fill(path: Path) -> None:
    store = SqliteEventStore(SqliteDatabase(path))
    await store.start()
    commands = Commands(store)
    for number in range(EVENTS):
        requests = [
            Request(
                COUNTING, str(stream), Add(NOTE, number), Context("measured", "bench", f"{stream}-{number}", number)
            )
            for stream in range(STREAMS)
        ]
        await commands.execute_many(requests)
    await store.close()


def _filled(application: Recorder) -> object:
    tally = Tally()
    for _ in range(EVENTS):
        tally.add(NOTE)
    application.save(tally)
    return tally.id
