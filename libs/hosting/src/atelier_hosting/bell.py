"""A doorbell between the replicas of a service, so that idle ones need not look often for what another one has written."""

import asyncio
import logging
from collections.abc import Callable

from atelier_common.bus.kafka import Topic
from atelier_common.bus.port import Bus, Message
from atelier_common.doorbell import Doorbell
from atelier_common.eventstore.documents import DocumentEventStore

_REST = 0.05
"""Seconds between two rings: under load those who are rung for are awake anyway."""
_PAUSE = 1.0
_A_MINUTE = {"retention.ms": "60000", "segment.ms": "600000", "cleanup.policy": "delete"}
_log = logging.getLogger("atelier.bell")


def bell_topic(service: str) -> Topic:
    """Where the replicas of ``service`` ring. Nothing is in a message but who sent it, and nothing is lost with one."""
    return Topic(f"{service}.bell", 1, settings=_A_MINUTE)


class ReplicaBell:
    """Whoever appends and does not give positions rings for who does; whoever gives positions and does not follow the log, too.

    It only spares waiting: who is not rung looks by itself, within seconds. Who hears a ring passes it on to nobody.
    """

    def __init__(
        self, service: str, owner: str, store: DocumentEventStore, follows: Callable[[], bool], bus: Bus
    ) -> None:
        self._topic = bell_topic(service).name
        self._group = f"{service}-bell-{owner}"
        self._owner = owner
        self._store = store
        self._follows = follows
        self._bus = bus

    async def run(self) -> None:
        """Ring and listen until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._ring(self._store.appended, lambda: self._store.sequencing))
            group.create_task(self._ring(self._store.changed, self._follows))
            group.create_task(self._listen())

    async def _ring(self, bell: Doorbell, done_here: Callable[[], bool]) -> None:
        rung = bell.listen()
        while True:
            await rung.wait()
            rung = bell.listen()
            if done_here():
                continue
            try:
                await self._bus.publish(self._topic, [Message(self._owner, b"", ())])
            except Exception as error:
                _log.info("the other replicas cannot be rung for (%s); they look by themselves", type(error).__name__)
            await asyncio.sleep(_REST)

    async def _listen(self) -> None:
        member = self._bus.subscribe(self._group, [self._topic])
        try:
            while True:
                try:
                    heard = await member.fetch(500, _PAUSE)
                    await member.commit(heard)
                except Exception as error:
                    _log.info("the other replicas cannot be heard (%s)", type(error).__name__)
                    await asyncio.sleep(_PAUSE)
                    continue
                if any(delivery.message.key != self._owner for delivery in heard):
                    if self._store.sequencing:
                        self._store.others_appended()
                    if self._follows():
                        self._store.changed.ring()
        finally:
            await member.close()
