"""What an operator watches and nobody counts along the way: lags, ages, what is parked, who leads. Looked up now and then.

Each replica tells what it alone knows; what the logs say is told by the replica that leads, so that sums over replicas
are true. What cannot be looked up is not shown: no value is better than an old one.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

from atelier_common.bus.kafka import KafkaBus
from atelier_common.consumer import CONSUMER
from atelier_common.documents.port import SYSTEM, Documents
from atelier_common.eventstore.documents import DocumentEventStore
from atelier_common.lease import LEASES
from atelier_common.service import Service
from atelier_common.telemetry import metrics, names
from atelier_common.telemetry.metrics import Gauge, Reading

_PATIENCE_SECONDS = 5.0
_FOLLOWER_LAG = metrics.gauge(names.METRIC_FOLLOWER_LAG, "{commit}")
_CONSUMER_LAG = metrics.gauge(names.METRIC_CONSUMER_LAG, "{message}")
_CONSUMER_AGE = metrics.gauge(names.METRIC_CONSUMER_SECONDS, "s")
_WAITING = metrics.gauge(names.METRIC_WAITING, "{asking}")
_PENDING_AGE = metrics.gauge(names.METRIC_PENDING_SECONDS, "s")
_PARKED = metrics.gauge(names.METRIC_PARKED, "{key}")
_LEASE_HELD = metrics.gauge(names.METRIC_LEASE_HELD, "{lease}")
_LEASE_EPOCH = metrics.gauge(names.METRIC_LEASE_EPOCH, "{epoch}")
_log = logging.getLogger("atelier.vitals")

Look = Callable[[], Awaitable[Mapping[Gauge, list[Reading]]]]


class Vitals:
    """Of one service in this process, which is ``owner`` where it holds a lease."""

    def __init__(
        self, service: Service, store: DocumentEventStore, documents: Documents, bus: KafkaBus, owner: str
    ) -> None:
        self._service = service
        self._store = store
        self._documents = documents
        self._bus = bus
        self._owner = owner
        self._looks: dict[Look, tuple[Gauge, ...]] = {
            self._followers: (_FOLLOWER_LAG,),
            self._pending: (_PENDING_AGE,),
            self._waiting: (_WAITING,),
            self._parked: (_PARKED,),
            self._leases: (_LEASE_HELD, _LEASE_EPOCH),
            self._consumers: (_CONSUMER_LAG, _CONSUMER_AGE),
        }

    async def run(self, seconds: float) -> None:
        """Look every ``seconds`` until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(seconds)

    async def look(self) -> None:
        """Show everything as it is now."""
        for look, gauges in self._looks.items():
            found: Mapping[Gauge, list[Reading]] = {}
            try:
                async with asyncio.timeout(_PATIENCE_SECONDS):
                    found = await look()
            except Exception as error:
                _log.info("cannot be measured now: %s", type(error).__name__)
            for gauge in gauges:
                gauge.show(found.get(gauge, []))

    async def _followers(self) -> Mapping[Gauge, list[Reading]]:
        lags = await self._service.lags()
        return {_FOLLOWER_LAG: [(lag, {names.FOLLOWER: follower}) for follower, lag in lags.items()]}

    async def _pending(self) -> Mapping[Gauge, list[Reading]]:
        if not self._service.leading:
            return {}
        waiting = [await self._store.pending_since(tenant) for tenant in await self._store.tenants()]
        oldest = min((since for since in waiting if since is not None), default=None)
        return {_PENDING_AGE: [(_age(oldest), {})]}

    async def _waiting(self) -> Mapping[Gauge, list[Reading]]:
        if not self._service.leading:
            return {}
        waiting = Counter[str]()
        for tenant in await self._store.tenants():
            waiting.update(await self._service.waiting(tenant))
        return {_WAITING: [(count, {names.WORK: work}) for work, count in waiting.items()]}

    async def _parked(self) -> Mapping[Gauge, list[Reading]]:
        if not self._service.leading:
            return {}
        parked = Counter({CONSUMER: 0})
        for tenant in await self._store.tenants():
            parked.update(entry.consumer for entry in await self._service.parked(tenant))
        return {_PARKED: [(count, {names.CONSUMER: consumer}) for consumer, count in parked.items()]}

    async def _leases(self) -> Mapping[Gauge, list[Reading]]:
        leases = await self._documents.scan(SYSTEM, LEASES)
        return {
            _LEASE_HELD: [(int(lease["owner"] == self._owner), {names.LEASE: name}) for name, lease in leases],
            _LEASE_EPOCH: [(lease["epoch"], {names.LEASE: name}) for name, lease in leases],
        }

    async def _consumers(self) -> Mapping[Gauge, list[Reading]]:
        groups = self._service.reads.keys()
        lags: list[Reading] = []
        ages: list[Reading] = []
        for one in await self._bus.waiting():
            if one.group in groups:
                where = {names.GROUP: one.group, names.TOPIC: one.topic, names.PARTITION: str(one.partition)}
                lags.append((one.messages, where))
                if one.since_ms is not None or not one.messages:
                    ages.append((_age(one.since_ms), where))
        return {_CONSUMER_LAG: lags, _CONSUMER_AGE: ages}


def _age(since_ms: int | None) -> float:
    return 0.0 if since_ms is None else max(0.0, time.time() - since_ms / 1000)
