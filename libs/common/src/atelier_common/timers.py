"""Timers: something is to happen at a moment of domain time, once, whoever runs then and however late.

A timer is a document. Firing it means to execute a command that carries the timer's id, so that firing it twice has the
effect of once; the document is deleted only after the handler has returned, which it does when its command is accepted.
"""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from atelier_common.clock import Clock
from atelier_common.commit import Context
from atelier_common.documents.port import SYSTEM, Body, Delete, Documents, Insert, Replace
from atelier_common.doorbell import Doorbell
from atelier_common.ids import derive_id
from atelier_common.telemetry import names, tracing

TIMERS = "timers"
TENANTS = "timers.tenants"
_PAGE = 200
_SLOWEST_RETRY = 60.0
_TICK = 0.25
_NEVER = math.inf
_log = logging.getLogger("atelier.timers")


@dataclass(frozen=True, slots=True)
class Timer:
    """``due_ms`` is milliseconds UTC in domain time; ``payload`` is plain JSON data without personal values."""

    tenant: str
    id: str
    due_ms: int
    name: str
    payload: Any = None

    def context(self, ordinal: int = 0) -> Context:
        """The context of the timer's command: its id is the timer's (or made from it), its ``now`` the moment that was
        due.
        """
        command_id = self.id if ordinal == 0 else derive_id(self.tenant, self.id, self.name, ordinal)
        trace = tracing.current_traceparent()
        return Context(self.tenant, f"timer:{self.name}", command_id, self.due_ms, self.id, (self.id,), trace)


TimerHandler = Callable[[Timer], Awaitable[None]]
"""Executes the timer's command with :meth:`Timer.context` and returns once it is accepted. May be called again for the
same timer. If it raises, the timer stays and is tried again later; a refusal that is final is the handler's to
catch."""


class Timers:
    """The timers of one service. Any replica schedules; :meth:`run` belongs to the one that leads."""

    def __init__(self, documents: Documents, clock: Clock, *, idle_seconds: float = 5.0) -> None:
        self._documents = documents
        self._clock = clock
        self._idle = idle_seconds
        self._bell = Doorbell()
        self._handlers: dict[str, TimerHandler] = {}
        self._announced: set[str] = set()
        self._resting: dict[tuple[str, str], tuple[float, float]] = {}
        self._next: float = _NEVER

    async def schedule(self, tenant: str, timer_id: str, due_ms: int, name: str, payload: Any = None) -> None:
        """Durable when it returns. The same id again moves the timer; one that has fired fires again, to the same
        command id.
        """
        if tenant not in self._announced:
            await self._documents.ensure_index(TIMERS, ["due"])
            await self._documents.write([Insert(SYSTEM, TENANTS, tenant, {})])
            self._announced.add(tenant)
        body: Body = {"due": due_ms, "name": name, "payload": payload}
        await self._documents.write([Replace(tenant, TIMERS, timer_id, body, upsert=True)])
        self._bell.ring()

    async def cancel(self, tenant: str, timer_id: str) -> bool:
        """False if there was no such timer (any more). One that is firing at this moment may still be carried out."""
        return (await self._documents.write([Delete(tenant, TIMERS, timer_id)]))[0]

    async def due(self, tenant: str, now: int, limit: int = 1000) -> Sequence[Timer]:
        """Timers due at or before ``now``, earliest first."""
        return await self._scan(tenant, high=now, limit=limit)

    async def _scan(self, tenant: str, *, limit: int, low: int | None = None, high: int | None = None) -> list[Timer]:
        found = await self._documents.scan(tenant, TIMERS, "due", low, high, limit)
        return [Timer(tenant, id, body["due"], body["name"], body["payload"]) for id, body in found]

    def handle(self, name: str, handler: TimerHandler) -> None:
        """What timers of this name do. Timers without a handler wait for a release that has one."""
        self._handlers[name] = handler

    def wake(self) -> None:
        """Look at once: the simulated clock has moved."""
        self._bell.ring()

    async def run(self, _epoch: int) -> None:
        """Fire what is due, until cancelled.

        No epoch is needed as a guard: a stale leader's firing has the same command id.
        """
        while True:
            rung = self._bell.listen()
            try:
                fired = await self.fire_due()
            except Exception:
                # What is due now is so still: without a pause this would be asked for as fast as it fails.
                _log.warning("timers will be looked at again", exc_info=True)
                await asyncio.sleep(_TICK)
                continue
            if not fired:
                await self._until_due(rung)

    async def _until_due(self, rung: asyncio.Event) -> None:
        """Wait for the next timer this process knows of. The clock is asked often, the documents once in ``idle_seconds``: only
        another replica can have scheduled something unnoticed.
        """
        time = asyncio.get_running_loop().time
        until = min([time() + self._idle, *(again for again, _ in self._resting.values() if again > time())])
        while not rung.is_set() and time() < until and self._clock.now() < self._next:
            await self._bell.wait(rung, min(_TICK, until - time()))

    async def fire_due(self) -> int:
        """Fire everything due at this moment, in order of due time in each tenant; the number of timers carried out."""
        now, fired, next_due = self._clock.now(), 0, _NEVER
        for tenant in [tenant for tenant, _ in await self._documents.scan(SYSTEM, TENANTS, limit=1_000_000)]:
            soonest = await self._scan(tenant, limit=1)
            if soonest and soonest[0].due_ms <= now:
                fired += await self._fire_those_due(tenant, now)
                soonest = await self._scan(tenant, low=now + 1, limit=1)
            next_due = min([next_due, *(timer.due_ms for timer in soonest)])
        self._next = next_due
        return fired

    async def _fire_those_due(self, tenant: str, now: int) -> int:
        fired, limit = 0, _PAGE
        while True:
            # Timers that fail stay at the front of the scan, so the page grows by as many as stayed.
            page = await self._scan(tenant, high=now, limit=limit)
            carried_out = [await self._fire(timer) for timer in page]
            fired += sum(carried_out)
            if len(page) < limit:
                return fired
            limit = _PAGE + carried_out.count(False)

    async def _fire(self, timer: Timer) -> bool:
        handler = self._handlers.get(timer.name)
        time = asyncio.get_running_loop().time
        resting_until, pause = self._resting.get((timer.tenant, timer.id), (0.0, 0.05))
        if handler is None or time() < resting_until:
            return False
        try:
            with tracing.span(names.SPAN_TIMER, attributes={names.TIMER: timer.name, names.TENANT: timer.tenant}):
                await handler(timer)
        except Exception:
            _log.warning("timer %s %s will be tried again", timer.name, timer.id, exc_info=True)
            self._resting[timer.tenant, timer.id] = (time() + pause, min(pause * 2, _SLOWEST_RETRY))
            return False
        self._resting.pop((timer.tenant, timer.id), None)
        # Guarded, so that a timer which its own handler has moved to a later moment stays.
        await self._documents.write([Delete(timer.tenant, TIMERS, timer.id, {"due": timer.due_ms})])
        return True
