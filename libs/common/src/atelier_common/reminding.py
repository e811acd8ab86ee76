"""What was asked for and seems to be forgotten is said again: a topic may lose messages, the log does not."""

import asyncio
import logging
from collections.abc import Mapping

from atelier_common.bus.port import Bus
from atelier_common.commit import MAX_EVENTS
from atelier_common.eventstore.port import EventStore
from atelier_common.projection import ReadModel
from atelier_common.publisher import ContractLog
from atelier_common.working import Worker

_AGAIN_SECONDS = 15.0
_log = logging.getLogger("atelier.reminding")

_Waiting = Mapping[tuple[str, str], tuple[int, int]]
"""By tenant and stream: the first and the last version that waits."""


class Reminder:
    """Whoever leads sends what waits once more: everything when it begins to lead, and from then on what has stood still between
    two looks, ``again`` seconds apart. What is only slow is told twice, which changes nothing.
    """

    def __init__(
        self,
        worker: Worker,
        waiting: ReadModel,
        store: EventStore,
        contracts: ContractLog,
        bus: Bus,
        *,
        again: float = _AGAIN_SECONDS,
    ) -> None:
        self._worker = worker
        self._model = waiting
        self._store = store
        self._contracts = contracts
        self._bus = bus
        self._again = again

    async def run(self, _epoch: int) -> None:
        """Remind until cancelled."""
        before: _Waiting | None = None
        while True:
            try:
                if before is None:
                    await self._up_to_date()
                waiting = await self._waiting()
                for slot, held in waiting.items():
                    if before is None or before.get(slot) == held:
                        await self._say_again(*slot, held[1])
                before = waiting
            except Exception as error:
                _log.warning("%s cannot be looked after now: %s", self._worker.name, type(error).__name__)
            await asyncio.sleep(self._again)

    async def _up_to_date(self) -> None:
        """What a leader before this one asked for must not be overlooked."""
        for tenant in await self._store.tenants():
            head = await self._store.head(tenant)
            while not await self._model.reached(tenant, head):
                await asyncio.sleep(0)

    async def _waiting(self) -> _Waiting:
        return {
            (tenant, self._worker.work.stream(key)): held
            for tenant in await self._store.tenants()
            for streams in (await self._worker.waiting(tenant)).values()
            for key, held in streams.items()
        }

    async def _say_again(self, tenant: str, stream: str, version: int) -> None:
        """The last asking of a stream is enough: a worker does all that stand before it, too."""
        said = await self._contracts.contract_events(tenant, stream, (version - 1, MAX_EVENTS))
        await self._bus.publish(self._worker.topic, said[:1])
        _log.info("%s: what waits was said again", self._worker.name)
