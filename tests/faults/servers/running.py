"""Many runs one after the other, whatever each of them breaks."""

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.faults.servers.catalogue import ALONE, Needs, stage_for
from tests.faults.servers.scene import Fault, Outcome, Stage, live_through
from tests.faults.servers.table import broken

Run = tuple[Fault, int]
"""A fault and a seed."""


def live_through_all(runs: Sequence[Run], outcomes: list[Outcome], *, long: bool, logs: Path | None) -> None:
    """Add to ``outcomes`` what each run comes to, and say it on standard error. ``logs``: where those of a run go that breaks a promise."""
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
