"""The tests on real servers beside all others: those wait for servers and processes, these for nothing but their own processor."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

_LOOKS_EVERY = 0.2
_FEW = 4
"""So many failures may be the machine's; more of them are not, and looking again would only take time."""
_FAILED = 1
"""What pytest ends with where tests failed, and with nothing worse."""


def side_by_side(common: Sequence[str], on_servers: Sequence[str]) -> int:
    """Two runs of pytest at once, the output of one whole after that of the other; what the worse of them ended with.

    ``common`` is what both are told, ``on_servers`` what only the run on real servers is. Where that one fails in a few tests
    they are run once more when nothing else is: such a test asks seven processes and three servers something within a time, and
    a machine that had too much to do at that moment must not fail it. What only then passed is named at the end.
    """
    with tempfile.TemporaryDirectory(prefix="atelier-tests-") as folder:
        cache = Path(folder) / "cache"
        servers = [*common, *on_servers, "-m", "servers and not long", "-o", f"cache_dir={cache}"]
        with (Path(folder) / "output").open("w+b") as output, _pytest(servers, output) as beside:
            plain = alone([*common, "-m", "not servers and not long"])
            print("\nOn real servers:", flush=True)
            _pass_on(output, beside)
        again = _failed(cache)
        if beside.returncode != _FAILED or len(again) > _FEW:
            return max(plain, beside.returncode, key=abs)
        print("\nOnce more, with nothing beside them:", flush=True)
        repeated = alone([*common, *on_servers, *again])
        told = "failed alone too" if repeated else "failed beside the other tests and passed alone"
        print(f"Tests that {told}: {', '.join(again)}", flush=True)
        return max(plain, repeated, key=abs)


def alone(arguments: Sequence[str]) -> int:
    """One run of pytest; what it ended with."""
    with _pytest(arguments) as running:
        return running.wait()


@contextmanager
def _pytest(arguments: Sequence[str], output: BinaryIO | None = None) -> Iterator["subprocess.Popen[bytes]"]:
    """A run that is waited for; where it is left before its end it is interrupted, so that it stops its servers."""
    colour = ["--color=yes"] if sys.stdout.isatty() else []
    command = [sys.executable, "-m", "pytest", *arguments, *colour]
    running = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT if output else None)
    try:
        yield running
    except KeyboardInterrupt:
        raise  # who typed it has told every run
    except BaseException:
        running.send_signal(signal.SIGINT)
        raise
    finally:
        running.wait()


def _pass_on(output: BinaryIO, running: "subprocess.Popen[bytes]") -> None:
    """What has been written and what still comes, until the run ends."""
    at, ended = 0, False
    while not ended:
        ended = running.poll() is not None
        some = os.pread(output.fileno(), 65_536, at)
        while some:
            at += len(some)
            sys.stdout.buffer.write(some)
            some = os.pread(output.fileno(), 65_536, at)
        sys.stdout.buffer.flush()
        if not ended:
            time.sleep(_LOOKS_EVERY)


def _failed(cache: Path) -> list[str]:
    """The tests that a run noted down as failed."""
    noted = cache / "v" / "cache" / "lastfailed"
    return sorted(json.loads(noted.read_text())) if noted.exists() else []
