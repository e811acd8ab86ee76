"""Services' processes forked from one that has everything imported: whoever starts one waits a moment for it, not for imports.

A forked process serves the same code in a session of its own, with its own environment and log; nothing runs in the parent but the
loop that forks.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from infra.dev.processes import Process

_LOOKS_EVERY = 0.02


class Nursery:
    """The parent process, and how to have it fork another."""

    def __init__(self, log: Path) -> None:
        self._asking = threading.Lock()
        with log.open("ab") as errors:
            self._parent = subprocess.Popen(
                [sys.executable, "-m", "tests.support.nursery"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def launch(self, process: Process, release: str = "") -> "Forked":
        """A service's process; the last word of its command is the service.

        ``release``: ``module:function`` that makes another release of it than the present one, before the service is built.
        """
        assert self._parent.stdin is not None and self._parent.stdout is not None
        told = {"service": process.command[-1], "release": release, "environment": process.env, "log": str(process.log)}
        with self._asking:
            self._parent.stdin.write(json.dumps(told) + "\n")
            self._parent.stdin.flush()
            return Forked(int(self._parent.stdout.readline()))

    def stop(self) -> None:
        self._parent.kill()
        self._parent.wait()
        for pipe in (self._parent.stdin, self._parent.stdout):
            if pipe is not None:
                pipe.close()


class Forked:
    """A process that is not our child: it is alive as long as its id is, its exit code nobody's to know."""

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def poll(self) -> int | None:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return -1
        return None

    def wait(self, timeout: float | None = None) -> int:
        until = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            if until is not None and time.monotonic() > until:
                raise subprocess.TimeoutExpired(["a service"], timeout or 0)
            time.sleep(_LOOKS_EVERY)
        return -1

    def terminate(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)


def main() -> None:
    from atelier_hosting.process import SERVICES, run_service

    for service in SERVICES:
        importlib.import_module(f"atelier_{service}.main")
    importlib.import_module("pymongo.asynchronous.mongo_client")
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # so that the dead leave at once
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            told = json.loads(line)
            os.setsid()
            log = os.open(told["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.environ.clear()
            os.environ.update(told["environment"])
            if told["release"]:
                module, _, function = told["release"].partition(":")
                getattr(importlib.import_module(module), function)()
            run_service(told["service"])
            os._exit(0)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
