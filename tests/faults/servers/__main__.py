"""``python -m tests.faults.servers --seeds N``: every fault over many seeds, as a table. Ends with 1 where a promise was broken."""

import argparse
import asyncio
import inspect
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.faults.servers import faults
from tests.faults.servers.scene import Outcome, house, live_through, servers

_HEAD = f"{'fault':44}{'seeds':>6}{'acknowledged':>14}{'refused':>9}{'unreadable s':>14}{'recovery s':>12}{'violations':>12}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.servers", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10, help="seeds of each fault (default 10)")
    parser.add_argument("--first", type=int, default=1, help="the first seed (default 1)")
    parser.add_argument("--only", nargs="*", default=[], help="names of faults; none: all")
    options = parser.parse_args()
    known = {
        name: one for name, one in inspect.getmembers(faults, inspect.iscoroutinefunction) if not name.startswith("_")
    }
    wanted = options.only or list(known)
    if unknown := set(wanted) - set(known):
        parser.error(f"there is no fault {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    broken = False
    with tempfile.TemporaryDirectory(prefix="atelier-faults-") as folder, servers(Path(folder)) as running:
        print(_HEAD, flush=True)
        with house(Path(folder) / "house", running) as stage:
            for name in wanted:
                outcomes = [
                    asyncio.run(live_through(known[name], stage, seed, long=True))
                    for seed in range(options.first, options.first + options.seeds)
                ]
                broken = _tell(name, outcomes) or broken
    return int(broken)


def _tell(name: str, outcomes: Iterable[Outcome]) -> bool:
    """One row, and every violation below it; whether there are any."""
    outcomes = list(outcomes)
    wrong = [f"  seed {one.seed}: {line}" for one in outcomes for line in one.wrong]
    print(
        f"{name:44}{len(outcomes):6}{sum(one.acknowledged for one in outcomes):14}{sum(one.refused for one in outcomes):9}"
        f"{max(one.unreadable for one in outcomes):14.1f}{max(one.recovery for one in outcomes):12.1f}{len(wrong):12}"
    )
    print("\n".join(wrong), end="\n" if wrong else "", flush=True)
    return bool(wrong)


if __name__ == "__main__":
    raise SystemExit(main())
