"""Where fetched servers are kept: complete or absent, keyed by version, outside the tree."""

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_TRIES = 3
_PAUSE_SECONDS = 5.0


class NotHere(RuntimeError):
    """This machine cannot have the server; the message says what is missing."""


class Failed(NotHere):
    """A command failed, perhaps only this time: the network comes and goes."""


def root() -> Path:
    """``ATELIER_SERVERS`` or ``~/.cache/atelier/servers``."""
    given = os.environ.get("ATELIER_SERVERS", "")
    return Path(given) if given else Path.home() / ".cache" / "atelier" / "servers"


def has(*names: str) -> bool:
    """Whether all these are in the cache."""
    return all((root() / name).is_dir() for name in names)


def kept(name: str, build: Callable[[Path], None]) -> Path:
    """The folder ``name`` of the cache; where it is absent, ``build`` fills a new one, which is then moved into place.

    A build that is interrupted leaves nothing under the name, two at once wait for each other, and one that failed is tried
    anew. Raises NotHere where it cannot be built.
    """
    place = root() / name
    if place.is_dir():
        return place
    with _alone(root(), name):
        if place.is_dir():
            return place
        half = root() / f"{name}.half"
        for left in reversed(range(_TRIES)):
            remove(half)
            half.mkdir(parents=True)
            try:
                build(half)
                half.rename(place)
                break
            except Failed:
                if not left:
                    raise
                time.sleep(_PAUSE_SECONDS)
            finally:
                remove(half)
    return place


def missing(*programs: str) -> list[str]:
    """Those of these that are not installed."""
    return [program for program in programs if shutil.which(program) is None]


def need(*programs: str) -> None:
    """Raises NotHere naming what is not installed."""
    if lacking := missing(*programs):
        raise NotHere(f"{' and '.join(lacking)} must be installed")


def call(*command: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """What a command printed. Raises Failed with its last words where it fails."""
    said = subprocess.run(
        [str(word) for word in command], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    if said.returncode != 0:
        words = (said.stderr.strip() or said.stdout.strip()).splitlines()[-3:]
        raise Failed(f"{Path(command[0]).name} failed: {' / '.join(words)}")
    return said.stdout


def remove(folder: Path) -> None:
    """Also what belongs to another user; a folder that is not there is fine."""
    if folder.exists():
        shutil.rmtree(folder)


@contextmanager
def _alone(folder: Path, name: str) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
