"""Keeping in step with a neighbour's log: its gaps filled, its restores followed, and those of the own log."""

import asyncio
from collections.abc import Sequence

from atelier_common import ingested
from atelier_common.arrival import Arrival, ArrivalReader, CannotKeep, Slot, Stopped
from atelier_common.backfill import Backfill
from atelier_common.bus.envelope import NOTHING, Place
from atelier_common.commit import Commit
from atelier_common.errors import Unavailable
from atelier_common.events import StoredEvent
from atelier_common.eventstore.port import EventStore
from atelier_common.ingested import EMPTY, Held
from atelier_common.own_copy import LOG, OwnCopy

_TRIES = 12
_STREAMS_AT_ONCE = 32


class Alignment:
    """Brings the own copy of one neighbour's streams to what the neighbour's log has."""

    def __init__(
        self, topics: Sequence[str], store: EventStore, copy: OwnCopy, reader: ArrivalReader, backfill: Backfill
    ) -> None:
        self.source = reader.source
        self._topics = tuple(topics)
        self._store = store
        self._copy = copy
        self._reader = reader
        self._backfill = backfill
        self._followed: dict[str, tuple[str, str]] = {}

    async def follows(self, tenant: str) -> str:
        """The incarnation of the neighbour's log as last aligned; empty before the first contact."""
        return (self._followed.get(tenant) or await self._last_aligned(tenant))[0]

    async def align(self, tenant: str, time: int = 0) -> dict[Slot, Stopped]:
        """Ask the neighbour which incarnation its log has. Another one than followed so far, or a restore of the own log, means
        that the two may have parted: then every stream is brought to what the neighbour has. So is the first contact.
        ``time`` is the domain time of what led here, if anything did.

        Raises Unavailable where the neighbour is away.
        """
        incarnation = await self._backfill.incarnation(tenant)
        own = await self._store.incarnation(tenant)
        self._followed.pop(tenant, None)  # another replica may have been here
        if (incarnation, own) == await self._last_aligned(tenant):
            return {}
        stopped: dict[Slot, Stopped] = {}
        streams = set(await self._backfill.streams(tenant, self._topics)) | set(
            await self._copy.streams(tenant, self._topics)
        )
        waiting = sorted(streams)
        for start in range(0, len(waiting), _STREAMS_AT_ONCE):
            some = waiting[start : start + _STREAMS_AT_ONCE]
            outcomes = await asyncio.gather(*(self.synchronise(tenant, stream, incarnation) for stream in some))
            stopped.update(
                ((tenant, stream), found) for stream, found in zip(some, outcomes, strict=True) if found is not None
            )
        marks = await self._copy.commits(tenant, LOG)
        time = max(time, marks[-1].recorded_at if marks else 0)
        now = Held(incarnation, NOTHING, len(marks) + 1)
        mark = ingested.marker(tenant, self.source, LOG, now, time, own_incarnation=own)
        await self._store.append([mark])
        self._followed.pop(tenant, None)
        if await self._last_aligned(tenant) != (incarnation, own):
            raise Unavailable(f"{self.source} was restored again, or is followed by others; trying again")
        return stopped

    async def synchronise(self, tenant: str, stream: str, incarnation: str | None = None) -> Stopped | None:
        """Bring one stream to what its owner has. Raises Unavailable where the owner is away."""
        if incarnation is None:
            await self.align(tenant)
            incarnation = await self.follows(tenant)
        for _ in range(_TRIES):
            own = await self._copy.commits(tenant, stream)
            held = ingested.held_by(own[-1]) if own else EMPTY
            agreed = held.incarnation in ("", incarnation)
            sent = await self._backfill.contract_events(tenant, stream, held.place if agreed else NOTHING)
            arrivals = [self._reader.read(message) for message in sent]
            if any(arrival.envelope and arrival.envelope.incarnation != incarnation for arrival in arrivals):
                raise Unavailable(f"{self.source} was restored meanwhile; trying again")
            commits: list[Commit] = []
            if not agreed:
                agreed_until = self._agreed(own, arrivals)
                envelope = arrivals[agreed_until - 1].envelope if agreed_until else None
                place = envelope.place if envelope else NOTHING
                time = max([own[-1].recorded_at, *(a.envelope.time for a in arrivals if a.envelope)])
                held = Held(incarnation, place, held.version + 1)
                commits.append(ingested.marker(tenant, self.source, stream, held, time))
                arrivals = arrivals[agreed_until:]
            stopped = None
            for number, arrival in enumerate(arrivals):
                try:
                    event = self._reader.event(arrival)
                except CannotKeep as reason:
                    stopped = Stopped(str(reason), [later.message for later in arrivals[number:]])
                    break
                assert arrival.envelope is not None
                held = Held(incarnation, arrival.envelope.place, held.version + 1)
                commits.append(ingested.ingest(arrival.envelope, event, held.version))
            slot = (tenant, stream)
            if not await self._copy.append(commits, list(range(len(commits))), {slot: held}):
                return stopped
        raise Unavailable(f"others write {self.source}'s streams all the time; trying again")

    def _agreed(self, own: Sequence[Commit], owners: Sequence[Arrival]) -> int:
        """How many of the owner's events this log holds already under an earlier incarnation, word for word.

        Where this log holds more than the restored owner has, the events of the last common commit are taken in once more, so
        that whoever folds the stream ends with the owner's present facts and not with one that its log has lost.
        """
        held: dict[Place, StoredEvent] = {}
        for commit in own:
            found = ingested.identity(commit)
            if found is not None:
                held = {place: event for place, event in held.items() if place <= found[1]}
                if commit.events:
                    held[found[1]] = commit.events[0]
        agreed, last_kept, last_version = 0, 0, 0
        for arrival in owners:
            envelope = arrival.envelope
            if envelope is None:
                break
            if self._reader.wants(envelope.type):
                if held.pop(envelope.place, None) != self._reader.stored(envelope):
                    break
                if envelope.place[0] != last_version:
                    last_kept, last_version = agreed, envelope.place[0]
            agreed += 1
        return last_kept if held and agreed == len(owners) else agreed

    async def _last_aligned(self, tenant: str) -> tuple[str, str]:
        """(incarnation of the neighbour's log, of the own log at that time) as last aligned; empty before the first contact."""
        if tenant not in self._followed:
            marks = await self._copy.commits(tenant, LOG)
            if not marks:
                return "", ""
            self._followed[tenant] = (ingested.held_by(marks[-1]).incarnation, marks[-1].result["own_incarnation"])
        return self._followed[tenant]
