"""The event store port: what the kernel asks of a log.

A log belongs to one service and one tenant and carries an *incarnation*: an id made when the log is first written and made anew
when it is restored from a backup, so that neighbours notice.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from atelier_common.commit import Commit
from atelier_common.doorbell import Doorbell


class Appended(NamedTuple):
    """The commit is durable. ``position`` may still be 0 where a sequencer gives positions later."""

    commit: Commit


@dataclass(frozen=True, slots=True)
class VersionTaken:
    """Another commit holds this version, or its predecessor does not exist: nothing was written."""


AppendOutcome = Appended | VersionTaken


class EventStore(Protocol):
    """A store of logs, one per tenant.

    Guarantees: of two racing appends of one version exactly one is :class:`Appended`; an acknowledged commit is durable; positions
    are dense from 1, in stream order, alike for every reader, for ever. An append whose call raises has an unknown outcome: look
    the command up, then try again.
    """

    changed: Doorbell
    """Rung after commits got their positions."""

    async def start(self) -> None: ...

    async def close(self) -> None: ...

    async def incarnation(self, tenant: str) -> str:
        """The id of this tenant's log; made at the first call."""
        ...

    async def renew_incarnation(self, tenant: str) -> str:
        """Say that this log was restored: neighbours will notice and resynchronise. Part of every restore."""
        ...

    async def tenants(self) -> list[str]:
        """Tenants that have a log."""
        ...

    async def append(self, commits: Sequence[Commit]) -> list[AppendOutcome]:
        """Append each on its own, in this order, ``commit.version`` being the version it claims.

        A later commit of the same stream in the same call may follow an earlier one; if that is refused, so is it.
        """
        ...

    async def read_stream(self, tenant: str, stream: str, after: int = 0, limit: int | None = None) -> list[Commit]:
        """Commits of a stream in order, from version ``after`` + 1; includes those not yet sequenced."""
        ...

    async def read_streams(self, tenant: str, streams: Iterable[str]) -> dict[str, list[Commit]]:
        """Every commit of each of these streams, in order; an empty list for one that does not exist.

        One look-up for all of them, or few: what is about to be decided on is read with this, not stream by stream.
        """
        ...

    async def find_command(self, tenant: str, stream: str, command_id: str) -> Commit | None: ...

    async def read_log(self, tenant: str, after: int, limit: int = 500) -> list[Commit]:
        """Sequenced commits from position ``after`` + 1, dense and in order."""
        ...

    async def head(self, tenant: str) -> int:
        """The last position given; 0 for an empty log."""
        ...

    def known_head(self, tenant: str) -> int:
        """The last position that this process has met, without asking anybody; the log may reach further. 0: it has met none."""
        ...

    async def pending_since(self, tenant: str) -> int | None:
        """When the commit that waits longest for its position was written, by its writer's time of day; None: none waits."""
        ...

    async def position_of(self, tenant: str, stream: str, version: int) -> int | None:
        """The position of a commit; None while it is not sequenced or does not exist."""
        ...

    async def list_streams(self, tenant: str, prefix: str, after: str = "", limit: int = 1000) -> list[str]:
        """Names of streams that begin with ``prefix``, in order, after the name ``after``."""
        ...

    async def put_part(self, tenant: str, content: bytes) -> str:
        """Store content by its SHA-256 (hex), durable before a commit names it. Idempotent."""
        ...

    async def get_part(self, tenant: str, digest: str) -> bytes:
        """Raises NotFound."""
        ...
