"""A standalone Atelier in a process of its own, for measuring: it serves, and answers questions about itself on its input.

``python -m bench.server FOLDER [--clock MS]`` prints ``{"url", "pid"}``; then, for each line it reads, one line of JSON:
``figures`` (rows and transactions written, processor seconds), ``watch`` (begin to watch scheduling's log), ``proposed`` (when each
plan proposed since was durable, and what caused it), ``profile`` (begin to profile), ``profiled FILE`` (write what was profiled).
It ends when its input ends.
"""

import argparse
import asyncio
import cProfile
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from atelier_common import process
from atelier_common.clock import Clock, SimulatedClock, SystemClock
from atelier_standalone.folder import DataFolder
from atelier_standalone.serving import served
from atelier_standalone.system import Atelier

from bench.proposals import Proposals


class Answers:
    """What the process knows of itself."""

    def __init__(self, atelier: Atelier) -> None:
        self._atelier = atelier
        self._proposals = Proposals(atelier.stores["scheduling"])
        self._watching: asyncio.Task[None] | None = None
        self._profile = cProfile.Profile()

    def to(self, asked: str) -> Any:
        """One answer, plain JSON data."""
        question, _, argument = asked.partition(" ")
        if question == "figures":
            databases = self._atelier.databases
            return {
                "rows": {name: one.rows_written for name, one in databases.items()},
                "transactions": {name: one.transactions for name, one in databases.items()},
                "processor": time.process_time(),
            }
        if question == "watch":
            self._watching = asyncio.create_task(self._proposals.watch())
            return {}
        if question == "proposed":
            return self._proposals.taken()
        if question == "profile":
            self._profile.enable()
            return {}
        if question == "profiled":
            self._profile.disable()
            self._profile.dump_stats(argument)
            return {}
        raise ValueError(f"unknown question: {question}")


async def run(folder: Path, clock: Clock) -> None:
    atelier = Atelier(DataFolder(folder), clock)
    await atelier.start()
    answers = Answers(atelier)
    try:
        async with served(atelier) as (url, _):
            process.started()
            print(json.dumps({"url": url, "pid": os.getpid()}), flush=True)
            loop = asyncio.get_running_loop()
            while line := await loop.run_in_executor(None, sys.stdin.readline):
                print(json.dumps(answers.to(line.strip())), flush=True)
    finally:
        await atelier.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--clock", type=int, help="a moment in milliseconds UTC at which domain time stands still")
    options = parser.parse_args()
    process.run(run(options.folder, SystemClock() if options.clock is None else SimulatedClock(options.clock)))
