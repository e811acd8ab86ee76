"""Parked keys: what could not be applied waits here, whole and in order, while every other key goes on.

A parked key is a document in ``parked``: who parked it, why, and since which position of the log. Its later events wait too. It
leaves when an operator unparks it (``atelier events unpark``) or a release that knows its events starts.
"""

from dataclasses import dataclass

from atelier_common.documents.port import Delete, Documents, Insert

PARKED = "parked"


@dataclass(frozen=True, slots=True)
class ParkedKey:
    """``since`` is the log position of the first event that waits (0 where the log does not hold it yet)."""

    consumer: str
    key: str
    reason: str
    since: int


class Parking:
    """The parked keys of one service."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def park(self, tenant: str, parked: ParkedKey) -> None:
        """Durable when it returns. A key that is parked already keeps its first position and reason."""
        body = {"consumer": parked.consumer, "key": parked.key, "reason": parked.reason, "since": parked.since}
        await self._documents.write([Insert(tenant, PARKED, f"{parked.consumer}|{parked.key}", body)])

    async def parked(self, tenant: str, consumer: str | None = None) -> list[ParkedKey]:
        """What is parked, of one consumer or of all."""
        low, high = (None, None) if consumer is None else (f"{consumer}|", f"{consumer}|\U0010ffff")
        found = await self._documents.scan(tenant, PARKED, "_id", low, high, limit=100_000)
        return [ParkedKey(body["consumer"], body["key"], body["reason"], body["since"]) for _, body in found]

    async def release(self, tenant: str, consumer: str, key: str) -> bool:
        """Forget that the key is parked; False if it was not."""
        return (await self._documents.write([Delete(tenant, PARKED, f"{consumer}|{key}")]))[0]
