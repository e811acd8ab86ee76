"""Append through the kernel on SQLite, one acknowledgement each.

work        commands to as many aggregates as there are writers, each appending one event of some 100 bytes through
            atelier_common.commands.Commands on SqliteEventStore; a writer waits for its acknowledgement before its next command;
            writers are asyncio tasks of one process, which runs as a server's does (atelier_common.process)
reference   the `eventsourcing` package 9.5 with its SQLite module: an aggregate per writer, one event and one `save` each; writers
            are threads of one process, which is how that package is used
durability  both: a file, WAL, synchronous FULL, acknowledged after COMMIT. What the package sets unasked is printed first; it keeps
            SQLite's default of FULL and sets WAL itself
ratio       appends a second of ours over those of the reference, round by round, the two taking turns; median and spread. Processor
            time stands beside it
"""

import asyncio
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from atelier_common import process
from atelier_common.clock import SystemClock
from atelier_common.commands import Commands, Request
from atelier_common.commit import Context
from atelier_common.eventstore.sqlite import SqliteEventStore
from atelier_common.sqlite.database import SqliteDatabase

from bench.counting import COUNTING, NOTE, Add, Recorder, Tally, durability, reference_application
from bench.measuring import Line, Stopwatch, Took, rates, ratios

ROUNDS = 5
APPENDS = {1: 400, 16: 3_200}
ASKED = {1: 1.0, 16: 4.0}


@dataclass(frozen=True)
class Round:
    ours: Took
    reference: Took


def measure() -> list[Line]:
    """All figures."""
    lines: list[Line] = []
    with tempfile.TemporaryDirectory() as folder:
        print(
            f"  the reference's connections, as it opens them: {durability(Path(folder) / 'asked.sqlite')}", flush=True
        )
        for writers, appends in APPENDS.items():
            found = [
                Round(
                    process.run(_ours(Path(folder) / f"ours-{writers}-{number}.sqlite", writers, appends)),
                    _reference(Path(folder) / f"reference-{writers}-{number}.sqlite", writers, appends),
                )
                for number in range(ROUNDS)
            ]
            lines += _told(writers, appends, found)
    return lines


def _told(writers: int, appends: int, found: list[Round]) -> list[Line]:
    who = "1 writer" if writers == 1 else f"{writers} writers"
    ours, reference = ([appends / took.wall for took in side] for side in zip(*_sides(found), strict=True))
    own_time, reference_time = (
        [appends / took.processor for took in side] for side in zip(*_sides(found), strict=True)
    )
    return [
        ratios(f"{who}: ours over the reference", ours, reference, ASKED[writers]),
        rates(f"{who}: ours", ours, "appends/s"),
        rates(f"{who}: reference", reference, "appends/s"),
        ratios(f"{who}: by processor time alone", own_time, reference_time),
    ]


def _sides(found: list[Round]) -> list[tuple[Took, Took]]:
    return [(one.ours, one.reference) for one in found]


async def _ours(path: Path, writers: int, appends: int) -> Took:
    store = SqliteEventStore(SqliteDatabase(path))
    await store.start()
    commands, clock = Commands(store), SystemClock()

    async def write(writer: int) -> None:
        for number in range(appends // writers):
            context = Context("measured", "bench", f"{writer}-{number}", clock.now())
            await commands.execute(Request(COUNTING, str(writer), Add(NOTE, context.now), context))

    await write(writers)  # opens what is opened once
    with Stopwatch() as watch:
        await asyncio.gather(*(write(writer) for writer in range(writers)))
    await store.close()
    return watch.took


def _reference(path: Path, writers: int, appends: int) -> Took:
    application: Recorder = reference_application(path)
    tallies = [Tally() for _ in range(writers + 1)]
    for tally in tallies:
        application.save(tally)

    def write(tally: Tally) -> None:
        for _ in range(appends // writers):
            tally.add(NOTE)
            application.save(tally)

    write(tallies[-1])
    threads = [threading.Thread(target=write, args=(tally,)) for tally in tallies[:writers]]
    with Stopwatch() as watch:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    application.close()
    return watch.took
