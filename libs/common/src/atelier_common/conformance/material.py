"""What the suites are made of: commits to append, and waiting that ends."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from atelier_common.commit import Commit
from atelier_common.doorbell import Doorbell
from atelier_common.events import StoredEvent
from atelier_common.eventstore.port import Appended, EventStore

TENANT = "north"
OTHER_TENANT = "south"
PATIENCE_SECONDS = 40.0
"""Shorter than any lease that is not to run out in a test. Nothing takes so long but on a machine that has too much to do."""


def commit(
    stream: str,
    version: int,
    command_id: str | None = None,
    *,
    tenant: str = TENANT,
    events: int = 1,
    data: Any = None,
    result: Any = None,
) -> Commit:
    """A commit of ``events`` events; its command id follows from stream and version unless given."""
    return Commit(
        tenant=tenant,
        stream=stream,
        version=version,
        events=tuple(StoredEvent("thing.happened", 1, {"number": n, "data": data}) for n in range(events)),
        command_id=command_id or f"{stream} {version}",
        request_hash="hash",
        result=result,
        actor="somebody",
        recorded_at=1_800_000_000_000,
        correlation_id="correlation",
        causation_ids=("cause one", "cause two"),
        trace="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )


async def append(store: EventStore, *commits: Commit) -> None:
    """Append; every one must be accepted."""
    outcomes = await store.append(list(commits))
    assert [type(outcome) for outcome in outcomes] == [Appended] * len(commits)


async def until(
    condition: Callable[[], Awaitable[bool]], seconds: float = PATIENCE_SECONDS, bell: Doorbell | None = None
) -> None:
    """Wait until ``condition`` holds; fails after ``seconds``.

    Looking keeps a database from doing what is waited for: so less and less often, or when ``bell`` rings.
    """
    end = asyncio.get_running_loop().time() + seconds
    pause = 0.05 if bell else 0.002
    bell = bell or Doorbell()
    while True:
        rung = bell.listen()
        if await condition():
            return
        assert asyncio.get_running_loop().time() < end, f"still not so after {seconds} seconds"
        await Doorbell.wait(rung, pause)
        pause = min(pause * 1.5, 0.05)


async def whole_log(store: EventStore, tenant: str, length: int) -> list[Commit]:
    """The log, read in pages, once it has ``length`` commits."""

    async def long_enough() -> bool:
        return await store.head(tenant) >= length

    await until(long_enough, bell=store.changed)
    read: list[Commit] = []
    while page := await store.read_log(tenant, len(read), limit=97):
        read += page
    return read
