"""A lease: one leader at a time, judged by the database server's clock alone.

The *epoch* grows with every change of leader. A lease by itself stops nobody who sleeps through its end; what a leader
writes carries its epoch and is guarded by it (:func:`not_newer_than`), so that a stale leader's write is refused once
the next one has written.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from atelier_common.documents.port import (
    SYSTEM,
    Below,
    Body,
    Documents,
    Guard,
    Insert,
    Past,
    Replace,
    ServerTime,
    Write,
)

LEASES = "leases"
LEASE_MS = 10_000
"""How long a leader may be silent, unless told otherwise."""
_GIVES_BACK_SECONDS = 2.0
_log = logging.getLogger(__name__)


def not_newer_than(epoch: int) -> Guard:
    """The guard of a leader's write on a document whose ``epoch`` field it sets: refused where a later leader has
    written.
    """
    return {"epoch": Below(epoch + 1)}


class Lease:
    """The lease ``name``; ``owner`` is unique among the processes alive.

    ``epoch`` is 0 while the lease is not known to be held.
    """

    def __init__(
        self, documents: Documents, name: str, owner: str, ttl_ms: int = LEASE_MS, tenant: str = SYSTEM
    ) -> None:
        self._documents = documents
        self.name = name
        self.owner = owner
        self.ttl_ms = ttl_ms
        self.tenant = tenant
        self.epoch = 0
        self._asked_for = 0
        self._held: Body | None = None

    def _body(self, epoch: int) -> Body:
        return {"owner": self.owner, "epoch": epoch, "expires": ServerTime(self.ttl_ms)}

    async def acquire(self) -> bool:
        """Take the lease if it is free, has run out, or is left from an earlier try of this owner.

        Each success begins a new epoch. One that was renewed since this owner asked last is only looked at. Raises where the
        outcome is unknown.
        """
        self.epoch = 0
        held = await self._documents.find(self.tenant, LEASES, self.name)
        before, self._held = self._held, held
        if held is not None and before is not None and held["owner"] not in ("", self.owner) and held != before:
            return False
        epoch = 1 if held is None else held["epoch"] + 1
        body = self._body(epoch)
        write: Write = Insert(self.tenant, LEASES, self.name, body)
        if held is not None:
            free = {"owner": self.owner} if held["owner"] == self.owner else {"expires": Past()}
            write = Replace(self.tenant, LEASES, self.name, body, {"epoch": epoch - 1, **free})
        self._asked_for = epoch
        (taken,) = await self._documents.write([write])
        self.epoch = self._asked_for = epoch if taken else 0
        return taken

    async def renew(self) -> bool:
        """Hold on for another ``ttl_ms``; False (and epoch 0) if another took over.

        Raises where the outcome is unknown.
        """
        guard: Guard = {"owner": self.owner, "epoch": self.epoch}
        (kept,) = await self._documents.write([Replace(self.tenant, LEASES, self.name, self._body(self.epoch), guard)])
        if not kept:
            self.epoch = self._asked_for = 0
        return kept

    async def release(self) -> None:
        """Let the next one in at once. The document stays: epochs never start anew.

        A lease that was asked for and whose answer did not come is given back too.
        """
        if self._asked_for:
            guard: Guard = {"owner": self.owner, "epoch": self._asked_for}
            body: Body = {"owner": "", "epoch": self._asked_for, "expires": 0}
            self.epoch = self._asked_for = 0
            await self._documents.write([Replace(self.tenant, LEASES, self.name, body, guard)])


async def lead(lease: Lease, work: Callable[[int], Awaitable[None]]) -> None:
    """Run ``work(epoch)`` whenever this process leads, for ever; cancel to stop.

    ``work`` is cancelled when the lease is lost or cannot be renewed in time. If it raises, the lease is given back
    and, after a pause, asked for again. Standing by costs one look each third of the time to live.
    """
    pause = lease.ttl_ms / 3000
    while True:
        try:
            asked = asyncio.get_running_loop().time()
            if await lease.acquire():
                await _while_leading(lease, work, asked)
        except Exception:
            _log.warning("lease %s: its work stopped and will be taken up again", lease.name, exc_info=True)
        finally:
            # It only spares the next one a wait: a database that does not answer must not hold up who was told to end.
            with contextlib.suppress(Exception):
                async with asyncio.timeout(_GIVES_BACK_SECONDS):
                    await lease.release()
        await asyncio.sleep(pause)


async def _while_leading(lease: Lease, work: Callable[[int], Awaitable[None]], asked: float) -> None:
    time = asyncio.get_running_loop().time
    working = asyncio.ensure_future(work(lease.epoch))
    try:
        while True:
            await asyncio.wait({working}, timeout=lease.ttl_ms / 3000)
            if working.done():
                return working.result()
            began = time()
            try:
                async with asyncio.timeout_at(asked + lease.ttl_ms / 1000):
                    kept = await lease.renew()
                if not kept:
                    return None
                asked = began
            except Exception:
                # Counted from before the last request that was answered, on this machine's own steady clock, the lease
                # may be over: then the work has to stop, whatever the server would say.
                if time() >= asked + lease.ttl_ms / 1000 * 0.8:
                    raise
    finally:
        working.cancel()
        await _end_of(working)


async def _end_of(working: "asyncio.Future[None]") -> None:
    """Wait until it has ended, however. Who is told to end meanwhile waits all the same, and then does."""
    told: asyncio.CancelledError | None = None
    while not working.done():
        try:
            await asyncio.wait({working})
        except asyncio.CancelledError as cancelled:
            told = cancelled
    if not working.cancelled():
        working.exception()  # asked for, so that nobody says that it never was
    if told is not None:
        raise told
