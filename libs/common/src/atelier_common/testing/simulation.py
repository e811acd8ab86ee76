"""A world in which time, failures and luck come from one seed: an event loop without a clock, and faults at every
await.

Nothing here waits for real: when every task sleeps, time jumps to the next one that wakes. Weeks of leases, retries and
timers pass in seconds, and what a seed has done it does again (across processes with ``PYTHONHASHSEED`` fixed).
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any, TypeVar
from unittest.mock import patch

from atelier_common.backfill import Backfill
from atelier_common.bus.envelope import Place
from atelier_common.bus.port import Bus, BusSubscription, Message
from atelier_common.documents.memory import Effect
from atelier_common.errors import Unavailable

Result = TypeVar("Result")
_WRITES = frozenset({"insert", "replace", "delete"})


class _NoWaiting(selectors.SelectSelector):
    """Lets time pass instead of waiting for it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("every task of the simulation waits for something that will never come")
        self.now += max(0.0, timeout)
        return []


class _NumberedTask(asyncio.Task[Any]):
    """A task whose place in a set is its number: groups cancel their tasks in an order that does not come from addresses."""

    def __init__(self, work: Coroutine[Any, Any, Any], number: int, **given: Any) -> None:
        self._number = number
        super().__init__(work, **given)

    def __hash__(self) -> int:
        return self._number


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop whose time jumps from one timer to the next. No sockets, no threads: what is handed to one is done at once."""

    def __init__(self) -> None:
        self._waiting = _NoWaiting()
        super().__init__(self._waiting)
        self._numbers = count(1)
        self.set_task_factory(lambda loop, work, **given: _NumberedTask(work, next(self._numbers), loop=loop, **given))

    def time(self) -> float:
        return self._waiting.now

    def run_in_executor(  # type: ignore[override]  # asyncio's own declaration names its type variables otherwise
        self, _executor: Executor | None, work: Callable[..., Result], *arguments: Any
    ) -> "asyncio.Future[Result]":
        """Run ``work`` here and now: the moment at which a thread is done would not come from the seed."""
        done: asyncio.Future[Result] = self.create_future()
        try:
            done.set_result(work(*arguments))
        except Exception as error:
            done.set_exception(error)
        return done


def simulate(main: Coroutine[Any, Any, Result]) -> Result:
    """Run ``main`` to its end in simulated time; tasks that it leaves behind are cancelled.

    What measures how long something took finds the loop's time, or a busy machine would make another run of it.
    """
    with (
        patch("time.monotonic", loop_seconds),
        patch("time.perf_counter", loop_seconds),
        asyncio.Runner(loop_factory=SimulatedLoop) as runner,
    ):
        return runner.run(main)


@contextmanager
def seeded_luck(random: Random) -> Iterator[None]:
    """As long as this lasts, keys, nonces and random ids come from ``random``: what a seed has done it does again."""
    with patch("os.urandom", random.randbytes):
        yield


def loop_seconds() -> float:
    """The running loop's time; 0 where none runs yet."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return 0.0


def loop_milliseconds() -> int:
    """The running loop's time: the clock of simulated servers."""
    return 1_000_000 + int(asyncio.get_running_loop().time() * 1000)


class LoopClock:
    """Domain time that runs ``speed`` times as fast as the loop's."""

    def __init__(self, start: int, speed: int) -> None:
        self._start = start
        self._speed = speed

    def now(self) -> int:
        return self._start + int(asyncio.get_running_loop().time() * 1000) * self._speed


@dataclass
class Weather:
    """How bad it is: probabilities per effect (``stuck``: per write), and seconds."""

    lost_request: float = 0.01
    lost_reply: float = 0.01
    delayed: float = 0.3
    delay: float = 0.03
    stuck: float = 0.005
    stuck_for: float = 25.0
    crash: float = 0.0015
    stale: float = 0.25
    stale_by: int = 25

    def clear_up(self) -> None:
        """From now on nothing fails."""
        self.lost_request = self.lost_reply = self.delayed = self.stuck = self.crash = self.stale = 0.0


class SeededFaults:
    """The fate of one replica: each of its effects may be delayed, lost, robbed of its reply or its last.

    It may also be cut off for longer than a lease lasts; what it had sent arrives when that ends, whoever leads then. A
    crash lets nothing of the replica happen any more; what it has sent before may still arrive. ``stale_scans`` names
    the (collection, field) whose scans may show the past; the others are read from the primary with a majority.
    """

    def __init__(self, random: Random, weather: Weather, stale_scans: Iterable[tuple[str, str]] = ()) -> None:
        self._random = random
        self._weather = weather
        self._stale_scans = frozenset(stale_scans)
        self.crashed = asyncio.Event()
        self._stuck_until = 0.0
        self.effects = 0
        self.struck = 0

    async def before(self, effect: Effect | None = None) -> None:
        self._check_alive()
        self.effects += 1
        if self._strikes(self._weather.crash):
            self.crashed.set()
            self._check_alive()
        if self._strikes(self._weather.lost_request):
            raise ConnectionError("the request was lost")
        now = asyncio.get_running_loop().time()
        if effect is not None and effect.operation in _WRITES and self._strikes(self._weather.stuck):
            self._stuck_until = now + self._random.uniform(0, self._weather.stuck_for)
        if now < self._stuck_until:
            await asyncio.sleep(self._stuck_until - now)
        elif self._random.random() < self._weather.delayed:
            await asyncio.sleep(self._random.uniform(0, self._weather.delay))
        else:
            await asyncio.sleep(0)

    async def after(self, _effect: Effect | None = None) -> None:
        if self._strikes(self._weather.lost_reply):
            raise ConnectionError("the reply was lost")
        if self._random.random() < self._weather.delayed:
            await asyncio.sleep(self._random.uniform(0, self._weather.delay))
        self._check_alive()

    def staleness(self, effect: Effect) -> int:
        if (effect.collection, effect.subject) in self._stale_scans and self._strikes(self._weather.stale):
            return self._random.randint(1, self._weather.stale_by)
        return 0

    def _strikes(self, probability: float) -> bool:
        strikes = self._random.random() < probability
        self.struck += strikes
        return strikes

    def _check_alive(self) -> None:
        if self.crashed.is_set():
            raise ConnectionError("this replica is no more")


class FaultyBackfill:
    """A replica's way to a neighbour's log: the neighbour may be away, and its answer may be lost."""

    def __init__(self, owner: Backfill, faults: SeededFaults) -> None:
        self._owner = owner
        self._faults = faults

    async def contract_events(self, tenant: str, stream: str, after: Place) -> list[Message]:
        return await self._asked(self._owner.contract_events(tenant, stream, after))

    async def streams(self, tenant: str, topics: Sequence[str]) -> list[str]:
        return await self._asked(self._owner.streams(tenant, topics))

    async def incarnation(self, tenant: str) -> str:
        return await self._asked(self._owner.incarnation(tenant))

    async def _asked(self, asked: Coroutine[Any, Any, Result]) -> Result:
        try:
            try:
                await self._faults.before()
            except BaseException:  # cancelled too: what is never awaited would be complained about
                asked.close()
                raise
            found = await asked
            await self._faults.after()
        except ConnectionError as error:
            raise Unavailable(str(error)) from error
        return found


class FaultyBus:
    """A replica's way to the bus: publishing may fail before or after the messages are there."""

    def __init__(self, bus: Bus, faults: SeededFaults) -> None:
        self._bus = bus
        self._faults = faults

    async def publish(self, topic: str, messages: Sequence[Message]) -> None:
        try:
            await self._faults.before()
            await self._bus.publish(topic, messages)
            await self._faults.after()
        except ConnectionError as error:
            raise Unavailable(str(error)) from error

    def expect(self, group: str, topics: Sequence[str], *, keeps_account: bool = False) -> None:
        self._bus.expect(group, topics, keeps_account=keeps_account)

    def subscribe(self, group: str, topics: Sequence[str]) -> BusSubscription:
        return self._bus.subscribe(group, topics)

    async def close(self) -> None:
        await self._bus.close()
