"""What must hold of a log's positions, streams and commands, looked at while the log is read."""

import asyncio
from collections.abc import Sequence

from atelier_common.commit import Commit
from atelier_common.eventstore.port import EventStore
from atelier_common.sqlite.scratch import Scratch
from atelier_common.violation import Violation

AT_ONCE = 50
"""Commits between two turns of the others: leases have to be kept meanwhile."""
_IN_MEMORY = 400_000


async def others_turn() -> None:
    """Let the service work on: a store that answers from memory or a local file never waits, and leases have to be kept."""
    await asyncio.sleep(0)


class LogOrder:
    """Positions are dense, streams whole and in order, command ids unique in their stream, and streams read as the log does."""

    def __init__(self, store: EventStore, tenant: str) -> None:
        self._store = store
        self._tenant = tenant
        self._position = 0
        self._streams = Scratch(_IN_MEMORY)
        self.found: list[Violation] = []

    def see(self, commit: Commit) -> None:
        """The next commit of the log."""
        self._position += 1
        if commit.position != self._position:
            self._broken("dense positions", commit.stream, f"{commit.position} where {self._position} belongs")
        # The version of its last commit, then a hash of the command of each.
        seen = self._streams.get(commit.stream) or [0]
        if commit.version != seen[0] + 1:
            self._broken("stream order", commit.stream, f"version {commit.version} after {seen[0]}")
        command = hash(commit.command_id)
        if command in seen[1:]:
            detail = f"version {commit.version} is of command {commit.command_id}, and so is an earlier one"
            self._broken("one commit per command", commit.stream, detail)
        seen[0] = commit.version
        seen.append(command)
        self._streams.put(commit.stream, seen)

    async def compare(self, page: Sequence[Commit]) -> None:
        """Read what a page of the log holds of each stream as a stream, while it is still near."""
        by_stream: dict[str, list[Commit]] = {}
        for commit in page:
            by_stream.setdefault(commit.stream, []).append(commit)
        first = {stream: min(commit.version for commit in commits) for stream, commits in by_stream.items()}
        # Most streams are short: those that begin here are read in few look-ups.
        beginning = [stream for stream in by_stream if first[stream] == 1]
        for start in range(0, len(beginning), AT_ONCE):
            await others_turn()
            found = await self._store.read_streams(self._tenant, beginning[start : start + AT_ONCE])
            for stream, commits in found.items():
                self._same(stream, by_stream[stream], commits[: len(by_stream[stream])])
        going_on = [stream for stream in by_stream if first[stream] > 1]
        for number, stream in enumerate(going_on):
            if number % AT_ONCE == 0:
                await others_turn()
            wanted = len(by_stream[stream])
            commits = await self._store.read_stream(self._tenant, stream, first[stream] - 1, wanted)
            self._same(stream, by_stream[stream], commits)

    def _same(self, stream: str, in_log: Sequence[Commit], in_stream: Sequence[Commit]) -> None:
        if in_log != in_stream:
            self._broken("one log", stream, "read as a stream it is not what stands in the log")

    def end(self, position: int, head: int) -> None:
        """The log is read, up to ``position``."""
        if position < head:
            self._broken("dense positions", "", f"the log ends at {position} and its head says {head}")
        self._streams.close()

    def _broken(self, rule: str, stream: str, detail: str) -> None:
        self.found.append(Violation(rule, self._tenant, stream, detail))
