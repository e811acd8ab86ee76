"""``python -m bench NAME ... [--count N]``: run benchmarks by name and say whether what is asked of them is met."""

import argparse
import importlib
import signal
import sys
import time

from bench.measuring import Line, machine

ALONE = ("append", "fold", "evidence", "delta")
"""On SQLite. Memory after a real school is measured by ``python -m bench.acceptance``, which needs the school's files."""
SERVERS = tuple(
    f"servers.{name}"
    for name in ("appending", "latency", "publishing", "consuming", "deltas", "rebuilding", "sharding")
)
"""On a Kafka broker and a server of the MongoDB protocol: those of ATELIER_KAFKA and ATELIER_MONGO, or new ones of infra.dev."""
GROUPS = {"all": (*ALONE, *SERVERS), "alone": ALONE, "servers": SERVERS}


def main(asked: list[str], count: int | None) -> int:
    names = tuple(name for one in asked or ["all"] for name in GROUPS.get(one, (one,)))
    unknown = [name for name in names if name not in GROUPS["all"]]
    if unknown:
        print(f"there is no benchmark {unknown[0]}; there are {', '.join((*GROUPS, *GROUPS['all']))}")
        return 2
    missed = 0
    for name in names:
        benchmark = importlib.import_module(f"bench.{name}")
        print(f"{name}: {benchmark.__doc__.splitlines()[0]}  [{machine()}]", flush=True)
        began = time.perf_counter()
        lines: list[Line] = benchmark.measure() if count is None else benchmark.measure(count)
        for line in lines:
            print(line)
            missed += line.met is False
        print(f"  took {time.perf_counter() - began:.0f} s  [{machine()}]", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("names", nargs="*", help=f"{', '.join((*GROUPS, *GROUPS['all']))}; default all")
    parser.add_argument("--count", type=int, help="of a benchmark on real servers: how much it does")
    options = parser.parse_args()
    # What was started for a measurement ends with it, also when it is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    sys.exit(main(options.names, options.count))
