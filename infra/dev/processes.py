"""Starting a server as a process of ours, waiting until it answers, stopping it by its recorded id."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


def free_port() -> int:
    """A port of the loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    """Whether something accepts connections on this port of the loopback."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Running(Protocol):
    """What is asked of a process that was started; what ``subprocess`` gives does it."""

    pid: int

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def terminate(self) -> None: ...


def launch(process: "Process") -> Running:
    """As a program of its own, at the head of its own session."""
    with process.log.open("ab") as log:
        return subprocess.Popen(
            process.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=process.env, start_new_session=True
        )


@dataclass
class Process:
    """A server's process. ``command`` is kept so that a test may start it again after having killed it."""

    name: str
    command: Sequence[str]
    log: Path
    ready: Callable[[], bool]
    env: dict[str, str] | None = None
    seconds: float = 180.0
    launch: Callable[["Process"], Running] = launch
    running: Running | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        assert self.running is not None
        return self.running.pid

    @property
    def alive(self) -> bool:
        """Whether it runs; one that is paused does."""
        return self.running is not None and self.running.poll() is None

    def start(self, *, wait: bool = True) -> None:
        """Start, and wait until it is ready. Raises RuntimeError with the end of its log where it is not in time."""
        self.running = self.launch(self)
        if wait:
            self.wait()

    def wait(self) -> None:
        """Wait until it is ready. Raises RuntimeError with the end of its log where it ends before or takes too long."""
        assert self.running is not None
        until = time.monotonic() + self.seconds
        while not self.ready():
            if self.running.poll() is not None or time.monotonic() > until:
                code = self.running.poll()
                self.kill()
                last = self.log.read_text(errors="replace").splitlines()[-5:]
                raise RuntimeError(f"{self.name} did not start (exit {code}): {' / '.join(last)}")
            time.sleep(0.05)

    def ask_to_end(self) -> None:
        """As SIGTERM, without waiting."""
        if self.running is not None and self.alive:
            self.running.terminate()

    def pause(self) -> None:
        """As SIGSTOP of the process and of those it started: it does nothing until :meth:`resume`, and does not know."""
        os.killpg(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """As SIGCONT."""
        os.killpg(self.pid, signal.SIGCONT)

    def stop(self, patience: float = 20.0) -> None:
        """Ask it to end; where it does not within ``patience`` seconds, kill it."""
        if self.running is None:
            return
        if self.alive:
            self.running.terminate()
            try:
                self.running.wait(patience)
            except subprocess.TimeoutExpired:
                self.kill()
        self.running = None

    def kill(self) -> None:
        """As ``kill -9`` of the process and of those it started."""
        if self.running is not None and self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.running.pid, signal.SIGKILL)
            self.running.wait()
