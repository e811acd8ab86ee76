"""Parked keys: what could not be applied waits here, whole and in order, while every other key goes on.

A parked key is a document in ``parked``: who parked it, why, and since which position of the log. Its later events wait
too. It leaves when an operator unparks it (``atelier events unpark``) or a release that knows its events starts.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from atelier_common.bus.port import Message
from atelier_common.documents.port import Body, Delete, Documents, Insert, Replace
from atelier_common.errors import Unavailable

PARKED = "parked"
_MOST_MESSAGES = 200
_MOST_BYTES = 500_000
_RACES = 20


@dataclass(frozen=True, slots=True)
class ParkedKey:
    """``since`` is the log position of the first event that waits (0 where the log does not hold it yet)."""

    consumer: str
    key: str
    reason: str
    since: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """The messages of a key that never reached the log, in order.

    ``complete`` is False when more came than are kept: the owner of the stream can make them again, and has to be
    asked. ``revision`` changes with every change.
    """

    messages: tuple[Message, ...]
    complete: bool
    revision: int


class Parking:
    """The parked keys of one service."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def park(self, tenant: str, parked: ParkedKey, epoch: int = 0) -> None:
        """Durable when it returns. A key that is parked already keeps its reason and the earlier of the two positions.

        ``epoch`` is that of the leader who parks it; only this one or a later one can release it.
        """
        id = _id(parked.consumer, parked.key)
        body = {
            "consumer": parked.consumer,
            "key": parked.key,
            "reason": parked.reason,
            "since": parked.since,
            "epoch": epoch,
        }
        for _ in range(_RACES):
            if (await self._documents.write([Insert(tenant, PARKED, id, body)]))[0]:
                return
            held = await self._documents.find(tenant, PARKED, id)
            if held is None:
                continue
            both = {**held, "since": min(held["since"], parked.since), "epoch": max(held["epoch"], epoch)}
            guard = {"since": held["since"], "epoch": held["epoch"]}
            if both == held or (await self._documents.write([Replace(tenant, PARKED, id, both, guard)]))[0]:
                return
        raise Unavailable(f"the parked key of {parked.consumer} changes too often; trying again")

    async def take_over(self, tenant: str, consumer: str, epoch: int) -> list[ParkedKey]:
        """What a consumer has parked, for a new leader: from here on no earlier one can release it."""
        for entry in await self.parked(tenant, consumer):
            await self._stamp(tenant, _id(consumer, entry.key), epoch)
        return await self.parked(tenant, consumer)

    async def _stamp(self, tenant: str, id: str, epoch: int) -> None:
        for _ in range(_RACES):
            held = await self._documents.find(tenant, PARKED, id)
            if held is None or held["epoch"] >= epoch:
                return
            guard = {"since": held["since"], "epoch": held["epoch"]}
            if (await self._documents.write([Replace(tenant, PARKED, id, {**held, "epoch": epoch}, guard)]))[0]:
                return
        raise Unavailable("a parked key changes too often; trying again")

    async def parked(self, tenant: str, consumer: str | None = None) -> list[ParkedKey]:
        """What is parked, of one consumer or of all."""
        low, high = (None, None) if consumer is None else (f"{consumer}|", f"{consumer}|\U0010ffff")
        found = await self._documents.scan(tenant, PARKED, "_id", low, high, limit=100_000)
        return [ParkedKey(body["consumer"], body["key"], body["reason"], body["since"]) for _, body in found]

    async def is_parked(self, tenant: str, consumer: str, key: str) -> bool:
        return await self._documents.find(tenant, PARKED, _id(consumer, key)) is not None

    async def release(self, tenant: str, parked: ParkedKey, epoch: int = 0) -> bool:
        """Forget that the key is parked; False if it was not, not since this position, or by a later leader."""
        id = _id(parked.consumer, parked.key)
        guard = {"since": parked.since, "epoch": epoch}
        return (await self._documents.write([Delete(tenant, PARKED, id, guard)]))[0]

    async def forget(self, tenant: str, consumer: str) -> None:
        """Drop all that a consumer parked, which is no more and whose work another has done anew."""
        entries = await self.parked(tenant, consumer)
        await self._documents.write([Delete(tenant, PARKED, _id(consumer, entry.key)) for entry in entries])

    async def hold(self, tenant: str, parked: ParkedKey, messages: Sequence[Message]) -> None:
        """Park a key together with messages that the log does not hold; more of a parked key are put behind those
        waiting.
        """
        body = _with_messages(parked, messages, 1)
        if not (await self._documents.write([Insert(tenant, PARKED, _id(parked.consumer, parked.key), body)]))[0]:
            await self.hold_more(tenant, parked.consumer, parked.key, messages)

    async def hold_more(self, tenant: str, consumer: str, key: str, messages: Sequence[Message]) -> bool:
        """Put messages behind those waiting; False if the key is not parked (any more). A message that waits is not
        doubled.
        """
        for _ in range(_RACES):
            body = await self._documents.find(tenant, PARKED, _id(consumer, key))
            if body is None:
                return False
            waiting = _waiting(body)
            more = [message for message in messages if message not in waiting.messages]
            if not more:
                return True
            parked = ParkedKey(consumer, key, body["reason"], body["since"])
            # Even where there is no room for them the revision has to move: whoever catches up now must notice that
            # more came.
            kept = _with_messages(parked, [*waiting.messages, *more], waiting.revision + 1, waiting.complete)
            if await self._replace(tenant, parked, kept, waiting.revision):
                return True
        raise Unavailable(f"the parked key of {consumer} changes too often; trying again")

    async def waiting(self, tenant: str, consumer: str, key: str) -> Waiting | None:
        """What waits for a key; None if it is not parked."""
        body = await self._documents.find(tenant, PARKED, _id(consumer, key))
        return None if body is None else _waiting(body)

    async def hold_only(
        self, tenant: str, parked: ParkedKey, messages: Sequence[Message], revision: int, *, complete: bool
    ) -> bool:
        """After a try: these still wait, for this reason. False if more came since ``revision``."""
        return await self._replace(tenant, parked, _with_messages(parked, messages, revision + 1, complete), revision)

    async def finish(self, tenant: str, consumer: str, key: str, revision: int) -> bool:
        """Everything that waited is done. False if more came since ``revision``."""
        return (await self._documents.write([Delete(tenant, PARKED, _id(consumer, key), {"revision": revision})]))[0]

    async def _replace(self, tenant: str, parked: ParkedKey, body: Body, revision: int) -> bool:
        write = Replace(tenant, PARKED, _id(parked.consumer, parked.key), body, {"revision": revision})
        return (await self._documents.write([write]))[0]


def _id(consumer: str, key: str) -> str:
    return f"{consumer}|{key}"


def _with_messages(parked: ParkedKey, messages: Sequence[Message], revision: int, complete: bool = True) -> Body:
    """A body with as many messages as there is room for, from the first on; ``complete`` if none had to be left out
    ever.
    """
    kept: list[Body] = []
    size = 0
    for message in messages:
        size += len(message.value)
        if len(kept) == _MOST_MESSAGES or (kept and size > _MOST_BYTES):
            complete = False
            break
        headers = [[name, base64.b64encode(value).decode()] for name, value in message.headers]
        kept.append({"key": message.key, "value": base64.b64encode(message.value).decode(), "headers": headers})
    return {
        "consumer": parked.consumer,
        "key": parked.key,
        "reason": parked.reason,
        "since": parked.since,
        "messages": kept,
        "complete": complete,
        "revision": revision,
    }


def _waiting(body: Body) -> Waiting:
    messages = tuple(
        Message(
            raw["key"],
            base64.b64decode(raw["value"]),
            tuple((name, base64.b64decode(value)) for name, value in raw["headers"]),
        )
        for raw in body["messages"]
    )
    return Waiting(messages, body["complete"], body["revision"])
