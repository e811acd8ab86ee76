"""``python -m bench NAME|all``: run benchmarks by name and say whether what is asked of them is met."""

import importlib
import sys
import time

from bench.measuring import Line, machine

NAMES = ("append", "fold", "evidence", "delta")
"""Memory after a real school is measured by ``python -m bench.acceptance``, which needs the school's files."""


def main(asked: list[str]) -> int:
    names = NAMES if not asked or asked == ["all"] else tuple(asked)
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"there is no benchmark {unknown[0]}; there are {', '.join(NAMES)} and all")
        return 2
    missed = 0
    for name in names:
        benchmark = importlib.import_module(f"bench.{name}")
        print(f"{name}: {benchmark.__doc__.splitlines()[0]}  [{machine()}]", flush=True)
        began = time.perf_counter()
        lines: list[Line] = benchmark.measure()
        for line in lines:
            print(line)
            missed += line.met is False
        print(f"  took {time.perf_counter() - began:.0f} s  [{machine()}]", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
