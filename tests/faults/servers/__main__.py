"""``python -m tests.faults.servers --seeds N``: every fault over many seeds, as a table. Ends with 1 where a promise was broken.

Each run says on standard error what it came to; the table comes on standard output at the end, also where that is brought about by
Ctrl-C or SIGTERM. A run that breaks a promise, or cannot be brought to its end, is a row's violation, and the next run has a
new house.
"""

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.faults.servers.catalogue import ALL, ALONE, Needs, seeds_of, stage_for
from tests.faults.servers.scene import Fault, Outcome, Stage, live_through
from tests.faults.servers.table import broken, table


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.servers", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--seeds", type=int, default=10, help="seeds of the commonest fault; with --only: of each (10)")
    parser.add_argument("--first", type=int, default=1, help="the first seed (1)")
    parser.add_argument("--seed", type=int, help="this seed alone")
    parser.add_argument("--only", nargs="*", default=[], help="names of faults; none: all")
    parser.add_argument("--short", action="store_true", help="shorten what takes minutes")
    parser.add_argument("--logs", type=Path, help="a folder for the logs of runs that broke a promise")
    options = parser.parse_args()
    if unknown := set(options.only) - set(ALL):
        parser.error(f"there is no fault {', '.join(sorted(unknown))}; there are {', '.join(ALL)}")
    runs: list[tuple[Fault, int]] = []
    for name, fault in ALL.items():
        if options.seed is not None:
            seeds = range(options.seed, options.seed + 1)
        else:
            seeds = range(
                options.first, options.first + (options.seeds if options.only else seeds_of(fault, options.seeds))
            )
        if not options.only or name in options.only:
            runs += [(fault, seed) for seed in seeds]
    outcomes: list[Outcome] = []
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _live_through(runs, outcomes, long=not options.short, logs=options.logs)
    except KeyboardInterrupt:
        print(f"ended after {len(outcomes)} of {len(runs)} runs", file=sys.stderr)
        return 130
    finally:
        if outcomes:
            print(table(outcomes), flush=True)
    return int(any(one.wrong for one in outcomes))


def _live_through(runs: list[tuple[Fault, int]], outcomes: list[Outcome], *, long: bool, logs: Path | None) -> None:
    began = time.monotonic()
    with _House(logs) as house:
        for done, (fault, seed) in enumerate(runs, 1):
            at = time.monotonic()
            outcome = house.lived_through(fault, seed, long=long)
            outcomes.append(outcome)
            now = time.monotonic()
            left = (now - began) / done * (len(runs) - done) / 60
            print(
                f"{done}/{len(runs)} {outcome.fault} seed {seed}: {outcome.acknowledged} acknowledged, "
                f"{outcome.refused} refused, recovery {outcome.recovery:.1f} s, {len(outcome.wrong)} violations; "
                f"{now - at:.0f} s, about {left:.0f} min left",
                *broken(outcome),
                sep="\n",
                file=sys.stderr,
                flush=True,
            )


class _House:
    """The house that runs share for as long as they can: none with a fault that needs another kind, or after one that broke it."""

    def __init__(self, logs: Path | None) -> None:
        self._logs = logs
        self._open = ExitStack()
        self._stage: tuple[Stage, Path] | None = None

    def __enter__(self) -> "_House":
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def lived_through(self, fault: Fault, seed: int, *, long: bool) -> Outcome:
        """A run that cannot be brought to its end is one too."""
        try:
            if fault in ALONE:
                self._leave()
            stage, folder = self._stage or self._enter(ALONE.get(fault, Needs()))
            outcome = asyncio.run(live_through(fault, stage, seed, long=long))
            if outcome.wrong:
                self._keep(folder, outcome)
            if fault in ALONE or outcome.wrong:
                self._leave()
        except Exception as error:
            outcome = Outcome(fault.__name__, seed, wrong=[f"it did not come to its end: {error!r}"])
            if self._stage is not None:
                self._keep(self._stage[1], outcome)
            self._leave()
        return outcome

    def _enter(self, needs: Needs) -> tuple[Stage, Path]:
        with ExitStack() as opening:
            folder = Path(opening.enter_context(tempfile.TemporaryDirectory(prefix="atelier-faults-")))
            self._stage = opening.enter_context(stage_for(needs, folder)), folder
            self._open = opening.pop_all()
        return self._stage

    def _leave(self) -> None:
        self._stage = None
        try:
            self._open.close()
        except Exception as error:
            print(f"the house could not be left in order: {error!r}", file=sys.stderr)

    def _keep(self, folder: Path, outcome: Outcome) -> None:
        if self._logs is None:
            return
        for log in [*folder.rglob("log"), *folder.rglob("*.log")]:
            if log.is_file():
                kept = self._logs / f"{outcome.fault}-{outcome.seed}" / log.relative_to(folder)
                kept.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(log, kept)


if __name__ == "__main__":
    raise SystemExit(main())
