"""What every benchmark shares: wall and processor time, medians with their spread, memory of a process, the way a figure is told."""

import os
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

WORD = {True: "met", False: "NOT MET", None: "for information"}


@dataclass(frozen=True, slots=True)
class Took:
    """How long a piece of work took: on the clock, and of this process's processors."""

    wall: float
    processor: float


class Stopwatch:
    """``with Stopwatch() as watch: ...``; then ``watch.took``."""

    took: Took

    def __enter__(self) -> "Stopwatch":
        self._wall, self._processor = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.took = Took(time.perf_counter() - self._wall, time.process_time() - self._processor)


@dataclass(frozen=True, slots=True)
class Line:
    """One measured figure. ``at_least`` or ``at_most`` is what is asked of it; neither: it is told for information."""

    what: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def met(self) -> bool | None:
        if self.at_least is not None:
            return self.value >= self.at_least
        if self.at_most is not None:
            return self.value <= self.at_most
        return None

    def __str__(self) -> str:
        spread = f" ({self.low:,.2f} to {self.high:,.2f})" if self.low is not None and self.high is not None else ""
        asked = ""
        if self.at_least is not None:
            asked = f"  at least {self.at_least:,g}: {WORD[self.met]}"
        elif self.at_most is not None:
            asked = f"  at most {self.at_most:,g}: {WORD[self.met]}"
        return f"  {self.what}: {self.value:,.2f} {self.unit}{spread}{asked}"


def ratios(what: str, ours: Sequence[float], reference: Sequence[float], at_least: float | None = None) -> Line:
    """Our rate over the reference's, round by round: median, lowest and highest."""
    by_round = [one / other for one, other in zip(ours, reference, strict=True)]
    return Line(what, statistics.median(by_round), "x", at_least, low=min(by_round), high=max(by_round))


def rates(what: str, found: Sequence[float], unit: str, at_least: float | None = None) -> Line:
    """A rate over several rounds: median, lowest and highest."""
    return Line(what, statistics.median(found), unit, at_least, low=min(found), high=max(found))


@dataclass
class Rounds:
    """Work done ``count`` times in all, our side and a reference taking turns: rates a second, round by round."""

    count: int
    rounds: int
    ours: list[float] = field(default_factory=list)
    reference: list[float] = field(default_factory=list)

    @property
    def each(self) -> int:
        """How much of it one round does."""
        return self.count // self.rounds

    def lines(self, what: str, unit: str, at_least: float) -> list[Line]:
        """The ratio that is asked for, and what it is made of."""
        return [
            ratios(what, self.ours, self.reference, at_least),
            rates("ours", self.ours, f"{unit}/s"),
            rates("bare", self.reference, f"{unit}/s"),
            Line("a round", self.each, unit),
        ]


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, min(len(ordered) - 1, -(-int(len(ordered) * share * 1000) // 1000) - 1))]


def memory_of(pid: int) -> tuple[float, float]:
    """Resident memory of a process in MB: now, and at its highest."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = {line.split(":")[0]: int(line.split()[1]) / 1000 for line in status.splitlines() if line.startswith("Vm")}
    return found["VmRSS"], found["VmHWM"]


def children_of(pid: int) -> list[int]:
    """Direct children of a process that do work (multiprocessing's resource tracker does none)."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            command = (entry / "cmdline").read_text()
        except OSError:
            continue
        if parent == pid and "resource_tracker" not in command:
            found.append(int(entry.name))
    return found


def machine() -> str:
    """What else the machine was doing: read figures of a busy machine as ratios only."""
    load, _, _ = os.getloadavg()
    return f"{os.cpu_count()} processors, load {load:.1f}"
