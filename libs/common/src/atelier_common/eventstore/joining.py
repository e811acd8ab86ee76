"""Appends that wait at the same moment leave as one insert.

A server of the protocol takes a hundred documents in one insert for little more than one. So who appends while others' commits are on
their way waits for the next insert to leave and goes with all that wait.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from atelier_common.documents.port import Body
from atelier_common.eventstore.layout import commit_id

TOGETHER = 250
"""Commits that leave together at the most, unless one call alone has more."""
Send = Callable[[Sequence[Body]], Awaitable[int]]


class _Call(NamedTuple):
    bodies: Sequence[Body]
    outcome: asyncio.Future[list[bool]]


class JoinedAppends:
    """Appends to one tenant's log. ``send`` inserts documents of commits in order, no two of one stream, up to the first whose id is
    taken, and says how many; only one is under way at a time.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self._waiting: deque[_Call] = deque()
        self._going: asyncio.Task[None] | None = None

    async def append(self, bodies: Sequence[Body]) -> list[bool]:
        """Of each document whether it was inserted; False: its id is taken. Raises what ``send`` raises, and then so do all that left
        together.

        Who is cancelled leaves alone: what was sent goes on, and its outcome is not known.
        """
        outcome: asyncio.Future[list[bool]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Call(bodies, outcome))
        if self._going is None:
            self._going = asyncio.create_task(self._go(), name="appending")
        return await outcome

    async def _go(self) -> None:
        try:
            while together := self._leaving():
                await self._go_together(together)
        finally:
            self._going = None
            for call in self._waiting:
                call.outcome.cancel()
            self._waiting.clear()

    def _leaving(self) -> list[_Call]:
        """Those that leave next: the first ones, up to one of whose commits another is among them."""
        found: list[_Call] = []
        ids: set[str] = set()
        while self._waiting and len(ids) < TOGETHER:
            call = self._waiting[0]
            wanted = {_id(body) for body in call.bodies}
            if found and (wanted & ids or len(ids) + len(wanted) > TOGETHER):
                break
            self._waiting.popleft()
            if not call.outcome.done():
                found.append(call)
                ids |= wanted
        return found

    async def _go_together(self, calls: Sequence[_Call]) -> None:
        # In one order for everybody: of two inserts that cross in the same ids a server would break one off.
        bodies = sorted((body for call in calls for body in call.bodies), key=_id)
        taken: set[str] = set()
        start = 0
        try:
            while start < len(bodies):
                start += await self._send(bodies[start:])
                if start < len(bodies):
                    taken.add(_id(bodies[start]))
                    start += 1
        except Exception as error:
            for call in calls:
                if not call.outcome.done():
                    call.outcome.set_exception(error)
            return
        except BaseException:
            for call in calls:
                call.outcome.cancel()
            raise
        for call in calls:
            if not call.outcome.done():
                call.outcome.set_result([_id(body) not in taken for body in call.bodies])


def _id(body: Body) -> str:
    return commit_id(body["stream"], body["version"])
