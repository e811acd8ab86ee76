"""``make test``: every test. Where there are real servers, the tests on them run beside the others; of a choice, one after another."""

import argparse
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.dev.__main__ import servers
from infra.dev.availability import KAFKA, MONGO, available
from infra.dev.cache import NotHere
from tests.support.side_by_side import Environment, alone, side_by_side


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests", description=__doc__, allow_abbrev=False)
    parser.add_argument("--servers", choices=("none", "present", "fetch"), default="present")
    options, chosen = parser.parse_known_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    # Begun in the background of a shell it was told to ignore this, and so would be the runs, which are ended by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    on_servers = [f"--servers={options.servers}"]
    try:
        there = available(needed=options.servers == "fetch", if_present=options.servers == "present")
    except NotHere as missing:
        print(f"real servers are asked for and cannot be had here: {missing}", file=sys.stderr)
        return 1
    if there and not chosen:
        return side_by_side([], on_servers, _started())
    return alone([*on_servers, *chosen])


@contextmanager
def _started() -> Iterator[Environment]:
    with tempfile.TemporaryDirectory(prefix="atelier-servers-") as folder, servers(Path(folder)) as (kafka, mongo):
        yield {KAFKA: kafka, MONGO: mongo}


if __name__ == "__main__":
    raise SystemExit(main())
