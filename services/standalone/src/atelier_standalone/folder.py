"""The data folder of a standalone Atelier: what lies where, and that only one process opens it."""

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atelier_common.errors import Unavailable
from platformdirs import user_data_path

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 8765
"""Where a folder is served unless told otherwise."""


class FolderInUse(Unavailable):
    """Another process has opened the folder."""

    code = "folder-in-use"
    title = "Atelier runs on this folder already"


def default_folder() -> Path:
    """``$ATELIER_DATA``, or else the user's own data folder of Atelier."""
    given = os.environ.get("ATELIER_DATA")
    return Path(given) if given else user_data_path("atelier")


@dataclass(frozen=True)
class DataFolder:
    """Everything a standalone Atelier keeps: a database for each service, its keys, the published timetables."""

    path: Path

    def database(self, service: str) -> Path:
        return self.path / f"{service}.sqlite"

    @property
    def keys(self) -> Path:
        return self.path / "keys"

    @property
    def published(self) -> Path:
        return self.path / "published"

    @property
    def _running(self) -> Path:
        return self.path / "running.json"

    def lock(self) -> "FolderLock":
        """Open the folder alone. Raises FolderInUse. The lock ends with the process, however it ends."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            raise FolderInUse(
                f"another process uses {self.path}; stop it or name another folder with --data"
            ) from error
        return FolderLock(handle)

    def announce(self, url: str) -> None:
        """Say where the server of this folder listens."""
        self._running.write_text(json.dumps({"url": url, "pid": os.getpid()}))

    def withdraw(self) -> None:
        self._running.unlink(missing_ok=True)

    def running(self) -> str | None:
        """The address of the server that runs on this folder; None where none does."""
        try:
            found: dict[str, Any] = json.loads(self._running.read_text())
            os.kill(int(found["pid"]), 0)
        except (OSError, ValueError, KeyError):
            return None
        return str(found["url"])


@dataclass(frozen=True)
class FolderLock:
    """Held while open."""

    handle: int

    def release(self) -> None:
        os.close(self.handle)
