"""What a process waits for at its start without standing still: servers that are away, and whether it is told to end meanwhile."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from typing import Any

from atelier_common.bus.port import Bus, BusSubscription, Delivery, Message
from atelier_common.errors import Unavailable

_PAUSE_SECONDS = 1.0
_SAYS_EVERY_SECONDS = 60.0
_log = logging.getLogger("atelier.host")


async def insist(whom: str, work: Callable[[], Awaitable[None]], because: Callable[[str], None]) -> None:
    """Do ``work``, and again after a pause as long as it raises Unavailable.

    ``because`` is told each time why it waits for ``whom``; the log once a minute, and when it goes on.
    """
    now, said = asyncio.get_running_loop().time, float("-inf")
    while True:
        try:
            await work()
        except Unavailable as away:
            because(f"waits for {whom}: {away.detail}")
            if now() - said >= _SAYS_EVERY_SECONDS:
                _log.warning("waits for %s: %s", whom, away.detail)
                said = now()
            await asyncio.sleep(_PAUSE_SECONDS)
        else:
            if said > float("-inf"):
                _log.info("%s is there", whom)
            return


async def unless(told: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Do ``work``, or break it off as soon as ``told`` is set; whether it came to its end. Raises what it raises."""
    working, hearing = asyncio.ensure_future(work), asyncio.ensure_future(told.wait())
    try:
        await asyncio.wait({working, hearing}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        hearing.cancel()
        if not working.done():
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)
    if working.cancelled():
        return False
    working.result()
    return True


class AwaitedBus:
    """A bus on which nothing is sent, and no group joined, before :meth:`open`; whoever wants to waits until then.

    So a process serves while its broker is away, and never meets one whose topics are missing or other than declared.
    """

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._opened = asyncio.Event()

    def open(self) -> None:
        self._opened.set()

    async def publish(self, topic: str, messages: Sequence[Message]) -> None:
        await self._opened.wait()
        await self._bus.publish(topic, messages)

    def expect(self, group: str, topics: Sequence[str], *, keeps_account: bool = False) -> None:
        self._bus.expect(group, topics, keeps_account=keeps_account)

    def subscribe(self, group: str, topics: Sequence[str]) -> BusSubscription:
        return _AwaitedMember(self._bus.subscribe(group, topics), self._opened)

    async def close(self) -> None:
        await self._bus.close()


class _AwaitedMember:
    def __init__(self, member: BusSubscription, opened: asyncio.Event) -> None:
        self._member = member
        self._opened = opened

    async def fetch(self, max_messages: int, timeout: float) -> list[Delivery]:
        if not self._opened.is_set():
            try:
                async with asyncio.timeout(timeout):
                    await self._opened.wait()
            except TimeoutError:
                return []
        return await self._member.fetch(max_messages, timeout)

    async def commit(self, deliveries: Iterable[Delivery]) -> None:
        await self._member.commit(deliveries)

    def pause(self, topic: str, partition: int) -> None:
        self._member.pause(topic, partition)

    def resume(self, topic: str, partition: int) -> None:
        self._member.resume(topic, partition)

    async def seek(self, topic: str, partition: int, offset: int) -> None:
        await self._member.seek(topic, partition, offset)

    async def close(self) -> None:
        await self._member.close()


_PORT: type[Bus] = AwaitedBus
