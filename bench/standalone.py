"""Our side of :mod:`bench.server`: start it, ask it, stop it; and a client that carries a district administrator's token."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from atelier_common.security.tokens import TokenIssuer
from atelier_standalone.client import Client
from atelier_standalone.folder import DataFolder

from bench.measuring import children_of, memory_of
from bench.posting import Poster, poster

TENANT = "measured-district"
ROLES = ("district-admin", "operator", "partner", "coach")
_HOURS = 12


@dataclass(frozen=True)
class Standalone:
    """A running server."""

    folder: Path
    url: str
    process: "subprocess.Popen[str]"

    def ask(self, question: str) -> Any:
        """See :mod:`bench.server` for the questions."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(question + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def memory(self) -> dict[str, tuple[float, float]]:
        """MB now and at the highest, of the service process and of the solver's."""
        pid = self.process.pid
        solvers = [memory_of(child) for child in children_of(pid)]
        return {"service": memory_of(pid), "solver": max(solvers, default=(0.0, 0.0))}

    @property
    def headers(self) -> dict[str, str]:
        token = TokenIssuer(DataFolder(self.folder).keys).issue(TENANT, "measurer", ROLES, _HOURS * 60)
        return {"Authorization": f"Bearer {token}"}

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """Calls over the socket, as from another machine."""
        async with httpx.AsyncClient(
            base_url=self.url, headers=self.headers, timeout=3_600, trust_env=False
        ) as connection:
            yield Client(connection, self.url)

    @asynccontextmanager
    async def poster(self) -> AsyncIterator[Poster]:
        """Posts evidence, with as little processor time as may be."""
        async with poster(self.url, self.headers) as posting:
            yield posting


@contextmanager
def standalone(folder: Path, clock: int | None = None) -> Iterator[Standalone]:
    """A server of the folder for as long as the block lasts. ``clock``: milliseconds UTC at which domain time stands still."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "bench.server", str(folder)]
    if clock is not None:
        command += ["--clock", str(clock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        said = process.stdout.readline()
        if not said:
            raise RuntimeError("the server did not start; its reason stands above")
        try:
            yield Standalone(folder, json.loads(said)["url"], process)
        finally:
            process.stdin.close()
            process.wait(120)
