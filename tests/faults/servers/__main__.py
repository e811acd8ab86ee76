"""``python -m tests.faults.servers --seeds N``: every fault over many seeds, as a table. Ends with 1 where a promise was broken.

Each run says on standard error what it came to; the table comes on standard output at the end, also where that is brought about by
Ctrl-C or SIGTERM. A run that breaks a promise, or cannot be brought to its end, is a row's violation, and the next run has a
new house.
"""

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.faults.servers.catalogue import ALL, seeds_of
from tests.faults.servers.running import Run, live_through_all
from tests.faults.servers.scene import Outcome
from tests.faults.servers.table import table


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.servers", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--seeds", type=int, default=10, help="seeds of the commonest fault; with --only: of each (10)")
    parser.add_argument("--first", type=int, default=1, help="the first seed (1)")
    parser.add_argument("--seed", type=int, help="this seed alone")
    parser.add_argument("--only", nargs="*", default=[], help="names of faults; none: all")
    parser.add_argument("--short", action="store_true", help="shorten what takes minutes")
    parser.add_argument("--logs", type=Path, help="a folder for the logs of runs that broke a promise")
    options = parser.parse_args(arguments)
    if unknown := set(options.only) - set(ALL):
        parser.error(f"there is no fault {', '.join(sorted(unknown))}; there are {', '.join(ALL)}")
    runs: list[Run] = []
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
        live_through_all(runs, outcomes, long=not options.short, logs=options.logs)
    except KeyboardInterrupt:
        print(f"ended after {len(outcomes)} of {len(runs)} runs", file=sys.stderr)
        return 130
    finally:
        if outcomes:
            print(table(outcomes), flush=True)
    return int(any(one.wrong for one in outcomes))


if __name__ == "__main__":
    raise SystemExit(main())
