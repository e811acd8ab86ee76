"""Secrets that an installation makes for itself at its first start and keeps in a file only its owner may read."""

import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path


class SecretExposed(RuntimeError):
    """A secret file may be read by others than its owner; it is refused rather than used."""


def load_or_create_secret(path: Path, make: Callable[[], bytes]) -> bytes:
    """The bytes of ``path``; made once by ``make`` where there is no file yet.

    The file is complete, durable and mode 0600 before it carries its name, and of several processes that start at once
    all get the same bytes. Raises :class:`SecretExposed` where group or others have any access.
    """
    if not path.exists():
        _create(path, make())
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise SecretExposed(f"{path.name} has mode {mode:04o}; only its owner may have access: chmod 600")
    return path.read_bytes()


def _create(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        try:
            # A hard link, unlike a rename, fails where another process was first: its secret must not be replaced.
            os.link(draft, path)
        except FileExistsError:
            return
        _flush_directory(path.parent)
    finally:
        draft.unlink()


def _flush_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
