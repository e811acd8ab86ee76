"""The tests on real servers beside all others: those wait for servers and processes, these for nothing but their own processor.

Three runs at once, dealt so that they end about together: as long as all of them go on, no processor stands still.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

HOUSES = "tests"
"""The folder of the tests on whole systems, all of which are marked so. On real servers these are houses of processes, which wait for
one another, for leases and for what they were told to break; the others have something to do meanwhile.
"""
_PLAIN, _ON_SERVERS = "not servers and not long", "servers and not long"
_EITHER = "not long and (servers and not whole or whole and not servers)"
_LOOKS_EVERY = 0.2
_FEW = 4
"""So many failures may be the machine's; more of them are not, and looking again would only take time."""
_FAILED = 1
"""What pytest ends with where tests failed, and with nothing worse."""
Environment = Mapping[str, str]


@dataclass(frozen=True)
class _Beside:
    """A run whose output is kept for later."""

    title: str
    running: "subprocess.Popen[bytes]"
    output: BinaryIO
    cache: Path


def side_by_side(
    common: Sequence[str], on_servers: Sequence[str], servers: AbstractContextManager[Environment] | None = None
) -> int:
    """Three runs of pytest at once, the output of one whole after that of the other; what the worst of them ended with.

    One of single parts without servers; one of houses of processes on servers; and one of single parts on servers, which takes half
    as long, and then of whole systems in one process. ``common`` is what all are told, ``on_servers`` what the last two are besides;
    ``servers`` starts what both share, and gives the environment that names it. Where these two fail in a few tests those are run
    once more when nothing else is: such a test asks seven processes and three servers something within a time, and a machine that
    had too much to do at that moment must not fail it. What only then passed is named at the end.
    """
    parts = _single_parts()
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="atelier-tests-")))
        plain = opened.enter_context(_pytest([*common, *parts, "-m", _PLAIN]))
        given = opened.enter_context(servers) if servers is not None else {}
        beside = [
            opened.enter_context(_beside(title, [*common, *on_servers, *which], given, folder / str(number)))
            for number, (title, which) in enumerate(
                (
                    ("On real servers, houses of processes", [HOUSES, "-m", _ON_SERVERS]),
                    ("On real servers, single parts; then whole systems without", [*parts, HOUSES, "-m", _EITHER]),
                )
            )
        ]
        codes = [plain.wait()]
        for run in beside:
            print(f"\n{run.title}:", flush=True)
            _pass_on(run.output, run.running)
            codes.append(run.running.returncode)
        again = [test for run in beside for test in _failed(run.cache)]
        if not again or len(again) > _FEW or any(code not in (0, _FAILED) for code in codes[1:]):
            return max(codes, key=abs)
        print("\nOnce more, with nothing beside them:", flush=True)
        repeated = alone([*common, *on_servers, *again], given)
        told = "failed alone too" if repeated else "failed beside the other tests and passed alone"
        print(f"Tests that {told}: {', '.join(again)}", flush=True)
        return max(codes[0], repeated, key=abs)


def alone(arguments: Sequence[str], given: Environment | None = None) -> int:
    """One run of pytest; what it ended with. ``given``: what its environment has besides."""
    with _pytest(arguments, given) as running:
        return running.wait()


def _single_parts() -> list[str]:
    """The folders of tests, but that of whole systems: by name, since pytest ignores none of those it looks in without being told."""
    with Path("pyproject.toml").open("rb") as project:
        folders: list[str] = tomllib.load(project)["tool"]["pytest"]["ini_options"]["testpaths"]
    return [folder for folder in folders if folder != HOUSES]


@contextmanager
def _beside(title: str, arguments: Sequence[str], given: Environment, folder: Path) -> Iterator[_Beside]:
    folder.mkdir()
    cache = folder / "cache"
    with (
        (folder / "output").open("w+b") as output,
        _pytest([*arguments, "-o", f"cache_dir={cache}"], given, output) as running,
    ):
        yield _Beside(title, running, output, cache)


@contextmanager
def _pytest(
    arguments: Sequence[str], given: Environment | None = None, output: BinaryIO | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """A run that is waited for; where it is left before its end it is interrupted, so that it stops its servers."""
    colour = ["--color=yes"] if sys.stdout.isatty() else []
    command = [sys.executable, "-m", "pytest", *arguments, *colour]
    running = subprocess.Popen(
        command, stdout=output, stderr=subprocess.STDOUT if output else None, env={**os.environ, **(given or {})}
    )
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
