"""The sequencers of a replica: at work on every tenant's log while it holds the lease."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from atelier_common.documents.port import Documents
from atelier_common.doorbell import Doorbell
from atelier_common.eventstore.sequencer import Placed, Sequencer
from atelier_common.lease import Lease, lead

_SHORTEST_WAIT = 0.25
_LONGEST_REST = 0.02
_log = logging.getLogger(__name__)


class SequencerLoop:
    """A replica's sequencer: works on every tenant's log while it holds the lease.

    What this process appends meanwhile has its position at once. What was appended without one wakes it by the doorbell; what others
    append it is told of, or finds by looking, less and less often, down to once each ``idle_seconds``. After a round that took something
    it rests as long as that lasted, 20 ms at most: under load more comes at once, and what comes after a pause is taken at once.
    """

    def __init__(
        self,
        documents: Documents,
        tenants: Callable[[], Awaitable[list[str]]],
        *,
        owner: str,
        bell: Doorbell,
        placed: Placed,
        lease_ttl_ms: int,
        idle_seconds: float,
    ) -> None:
        self._documents = documents
        self._tenants = tenants
        self._bell = bell
        self._placed = placed
        self._idle = idle_seconds
        self._sequencers: dict[str, Sequencer] = {}
        self._lease = Lease(documents, "sequencer", owner, lease_ttl_ms)
        self._task: asyncio.Task[None] | None = None

    @property
    def leading(self) -> bool:
        """Whether this replica holds the lease, as far as it knows."""
        return self._lease.epoch > 0

    def start(self) -> None:
        if self._task is None:
            self._task = asyncio.create_task(lead(self._lease, self._work), name="sequencer")

    def restless(self, tenants: Iterable[str]) -> bool:
        """Whether one of these logs has anything to be done at once, by this replica or by another that leads."""
        return not self.leading or any(self.of(tenant).restless for tenant in tenants)

    def look(self) -> None:
        """Others have appended."""
        for sequencer in self._sequencers.values():
            sequencer.waiting.look = True
        self._bell.ring()

    def of(self, tenant: str) -> Sequencer:
        """The sequencer of a tenant's log in this process; while another process leads it only inserts."""
        if tenant not in self._sequencers:
            self._sequencers[tenant] = Sequencer(self._documents, tenant, self._placed)
        return self._sequencers[tenant]

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _work(self, _epoch: int) -> None:
        wait, time = _SHORTEST_WAIT, asyncio.get_running_loop().time
        try:
            while True:
                rung, began = self._bell.listen(), time()
                try:
                    taken, more = await self.round()
                except Exception:
                    _log.warning("sequencing stopped short and starts over", exc_info=True)
                    taken, more = 0, False
                if more:
                    continue
                if taken:
                    await asyncio.sleep(min(time() - began, _LONGEST_REST))
                wait = _SHORTEST_WAIT if taken else min(self._idle, wait * 2)
                await Doorbell.wait(rung, wait)
        finally:
            for sequencer in self._sequencers.values():
                sequencer.forget()

    async def round(self) -> tuple[int, bool]:
        """One step for every tenant; how many commits got their positions, and whether there may be more of them at once."""
        taken, more = 0, False
        for tenant in await self._tenants():
            sequencer = self.of(tenant)
            taken += await sequencer.step()
            more = more or sequencer.more
        return taken, more
