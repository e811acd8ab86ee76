"""``python -m tests.faults.servers --seeds N``: every fault over many seeds, as a table. Ends with 1 where a promise was broken."""

import argparse
import asyncio
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.faults.servers.catalogue import ALONE, SHARED, Needs, stage_for
from tests.faults.servers.scene import Fault, Outcome, Stage, live_through

_HEAD = f"{'fault':40}{'seeds':>6}{'acknowledged':>14}{'refused':>9}{'unreadable s':>14}{'recovery s':>12}{'violations':>12}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.servers", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10, help="seeds of each fault (default 10)")
    parser.add_argument("--first", type=int, default=1, help="the first seed (default 1)")
    parser.add_argument("--only", nargs="*", default=[], help="names of faults; none: all")
    parser.add_argument("--short", action="store_true", help="shorten what takes minutes")
    options = parser.parse_args()
    known = {fault.__name__: fault for fault in (*SHARED, *ALONE)}
    if unknown := set(options.only) - set(known):
        parser.error(f"there is no fault {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    wanted = [fault for name, fault in known.items() if not options.only or name in options.only]
    seeds = range(options.first, options.first + options.seeds)
    broken = False
    print(_HEAD, flush=True)
    if shared := [fault for fault in wanted if fault in SHARED]:
        with _folder() as folder, stage_for(Needs(), Path(folder)) as stage:
            for fault in shared:
                outcomes = [_lived_through(fault, stage, seed, long=not options.short) for seed in seeds]
                broken = _tell(fault, outcomes) or broken
    for fault in [fault for fault in wanted if fault in ALONE]:
        outcomes = []
        for seed in seeds:
            with _folder() as folder, stage_for(ALONE[fault], Path(folder)) as stage:
                outcomes.append(_lived_through(fault, stage, seed, long=not options.short))
        broken = _tell(fault, outcomes) or broken
    return int(broken)


def _lived_through(fault: Fault, stage: Stage, seed: int, *, long: bool) -> Outcome:
    """A run that cannot be brought to its end is a row too."""
    try:
        return asyncio.run(live_through(fault, stage, seed, long=long))
    except Exception as error:
        return Outcome(fault.__name__, seed, 0, 0, 0.0, 0.0, [f"it did not come to its end: {error!r}"])


def _folder() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="atelier-faults-")


def _tell(fault: Fault, outcomes: Iterable[Outcome]) -> bool:
    """One row, and every violation below it; whether there are any."""
    outcomes = list(outcomes)
    wrong = [f"  seed {one.seed}: {line}" for one in outcomes for line in one.wrong]
    print(
        f"{fault.__name__:40}{len(outcomes):6}{sum(one.acknowledged for one in outcomes):14}"
        f"{sum(one.refused for one in outcomes):9}{max(one.unreadable for one in outcomes):14.1f}"
        f"{max(one.recovery for one in outcomes):12.1f}{len(wrong):12}"
    )
    print("\n".join(wrong), end="\n" if wrong else "", flush=True)
    return bool(wrong)


if __name__ == "__main__":
    raise SystemExit(main())
