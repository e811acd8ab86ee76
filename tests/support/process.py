"""`atelier serve` as a process of its own, which a test may kill without asking."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
from atelier_common.security.tokens import TokenIssuer
from atelier_standalone.folder import DataFolder

from tests.support import school

ATELIER = Path(sys.executable).with_name("atelier")
_PATIENCE = 90.0


class Served:
    """A server process on a data folder: started when entered, killed (-9) when left or told."""

    def __init__(self, data: Path) -> None:
        self.folder = DataFolder(data)
        self._log = data.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None
        self.pid = 0

    def __enter__(self) -> "Served":
        self.pid = self._launch()
        deadline = time.monotonic() + _PATIENCE
        while self._announced().get("pid") != self.pid:
            assert alive(self.pid), self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.02)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self.kill()

    def _launch(self) -> int:
        with self._log.open("ab") as log:
            command = [str(ATELIER), "serve", "--data", str(self.folder.path), "--port", "0"]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        return self._process.pid

    def _announced(self) -> dict[str, Any]:
        with suppress(OSError, ValueError):
            found: dict[str, Any] = json.loads((self.folder.path / "running.json").read_text())
            return found
        return {}

    def kill(self) -> None:
        """kill -9 of this process, and of no other."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def solver(self) -> int:
        """The process id of its solver: the child that runs what was spawned."""
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                    return int(child)
        raise AssertionError("the server has no solver")

    @contextmanager
    def client(self, *roles: str) -> Iterator[httpx.Client]:
        """An HTTP client that acts in these roles, on the server that runs now."""
        token = TokenIssuer(self.folder.keys).issue(school.TENANT, "somebody", roles, 60)
        headers = {"Authorization": f"Bearer {token}"}
        url = self._announced()["url"]
        with httpx.Client(base_url=url, headers=headers, timeout=_PATIENCE, trust_env=False) as client:
            yield client


class Forked(Served):
    """The same, by a parent process that has everything imported: many restarts in little time."""

    def __init__(self, data: Path, parent: "subprocess.Popen[str]") -> None:
        super().__init__(data)
        self._parent = parent

    def _launch(self) -> int:
        assert self._parent.stdin is not None
        self._parent.stdin.write(f"{self.folder.path}\n")
        self._parent.stdin.flush()
        return int(self._said())

    def _said(self) -> str:
        assert self._parent.stdout is not None
        return self._parent.stdout.readline().strip()

    def kill(self) -> None:
        if self.pid:
            end(self.pid)
            assert self._said() == "ended"
            self.pid = 0


@contextmanager
def forking(log: Path) -> Iterator["subprocess.Popen[str]"]:
    """The parent of forked servers."""
    with log.open("ab") as errors:
        parent = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forked_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        yield parent
    finally:
        parent.kill()
        parent.wait()
        for pipe in (parent.stdin, parent.stdout):
            if pipe is not None:
                pipe.close()


def alive(pid: int) -> bool:
    """Whether the process runs; one that has ended and waits for its parent does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def end(pid: int) -> None:
    """kill -9 of one process that this test's server started."""
    os.kill(pid, signal.SIGKILL)
