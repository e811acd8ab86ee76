"""What a consumer does with messages of one neighbour: judge each against the own log, append, fill gaps, follow restores."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from atelier_common import ingested
from atelier_common.alignment import Alignment
from atelier_common.arrival import GAP, OWNER_AWAY, Arrival, ArrivalReader, CannotKeep, Slot, Stopped
from atelier_common.backfill import Backfill
from atelier_common.bus.envelope import NOTHING, Envelope
from atelier_common.bus.port import Message
from atelier_common.commit import Commit
from atelier_common.errors import Unavailable
from atelier_common.events import EventRegistry
from atelier_common.eventstore.port import EventStore
from atelier_common.ingested import EMPTY, Held
from atelier_common.own_copy import OwnCopy

_ROUNDS = 12


@dataclass(slots=True)
class _Round:
    """One pass over arrivals: what is held as it begins, what it will append, and who has to wait for the next pass."""

    ends: dict[Slot, Held]
    commits: list[Commit] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    planned: dict[Slot, Held] = field(default_factory=dict)
    again: list[int] = field(default_factory=list)
    blocked: set[Slot] = field(default_factory=set)

    def postpone(self, place: int, slot: Slot) -> None:
        self.again.append(place)
        self.blocked.add(slot)


class Intake:
    """The facts of one neighbour (``source``), each appended once and in order to the own log's stream ``source/stream``."""

    def __init__(
        self,
        source: str,
        topics: Sequence[str],
        unsubscribed: frozenset[str],
        store: EventStore,
        registry: EventRegistry,
        backfill: Backfill,
    ) -> None:
        self.source = source
        self._reader = ArrivalReader(source, unsubscribed, registry)
        self._copy = OwnCopy(source, store)
        self._alignment = Alignment(topics, store, self._copy, self._reader, backfill)

    def read(self, message: Message) -> Arrival:
        return self._reader.read(message)

    def knows(self, ce_type: str) -> bool:
        return self._reader.knows(ce_type)

    async def has_met(self, tenant: str) -> bool:
        """Whether anything of this tenant ever came from the neighbour."""
        return await self._alignment.follows(tenant) != ""

    async def holds(self, arrival: Arrival) -> bool:
        """Whether the log has this very event, or its stream is further."""
        return arrival.envelope is not None and _has(await self._copy.end(arrival.slot), arrival.envelope)

    async def take_in(self, arrivals: Sequence[Arrival]) -> dict[Slot, Stopped]:
        """Append what is new; returns the keys that cannot go on, with what waits. When it returns, everything else is durable.

        Raises where nothing can be said yet (the store fails, or a restored neighbour cannot be asked): try all again later;
        what was appended meanwhile is dropped then.
        """
        stopped: dict[Slot, Stopped] = {}
        said: dict[str, list[Envelope]] = {}
        for arrival in arrivals:
            if arrival.envelope is not None:
                said.setdefault(arrival.slot[0], []).append(arrival.envelope)
        for tenant, envelopes in said.items():
            if {envelope.incarnation for envelope in envelopes} != {await self._alignment.follows(tenant)}:
                stopped.update(await self._alignment.align(tenant, max(envelope.time for envelope in envelopes)))
        places = list(range(len(arrivals)))
        away: list[str] = []
        for attempt in range(_ROUNDS):
            if not places:
                return stopped
            round_ = _Round(await self._ends([arrivals[place] for place in places], guess=attempt == 0))
            for place in places:
                await self._judge(arrivals[place], place, round_, stopped, away)
            places = sorted(round_.again + await self._copy.append(round_.commits, round_.places, round_.planned))
        raise Unavailable(f"others write the streams of {self.source} all the time; trying again")

    async def align(self, tenant: str) -> dict[Slot, Stopped]:
        """Notice a restore, of the neighbour or of the own log. Raises Unavailable where the neighbour is away."""
        return await self._alignment.align(tenant)

    async def synchronise(self, tenant: str, stream: str) -> Stopped | None:
        """Bring one stream to what its owner has. Raises Unavailable where the owner is away."""
        return await self._alignment.synchronise(tenant, stream)

    async def _ends(self, arrivals: Sequence[Arrival], *, guess: bool) -> dict[Slot, Held]:
        """What the own log holds of each stream. With ``guess`` a first event may say that nothing is held of a stream that is
        not remembered: the store refuses if that is wrong.
        """
        ends: dict[Slot, Held] = {}
        unknown: set[Slot] = set()
        for slot, _, envelope, _ in arrivals:
            if slot in ends or slot in unknown or envelope is None:
                continue
            held = self._copy.remembered(slot)
            if held is not None:
                ends[slot] = held
            elif guess and envelope.previous == NOTHING:
                ends[slot] = EMPTY
            else:
                unknown.add(slot)
        if unknown:
            ends.update(await self._copy.look_up(unknown))
        return ends

    async def _judge(
        self, arrival: Arrival, place: int, round_: _Round, stopped: dict[Slot, Stopped], away: list[str]
    ) -> None:
        slot, envelope = arrival.slot, arrival.envelope
        if envelope is not None and envelope.incarnation != await self._alignment.follows(envelope.tenant):
            return  # it speaks of a log that is no more
        if slot in stopped:
            if arrival.message not in stopped[slot].messages and not await self.holds(arrival):
                stopped[slot].messages.append(arrival.message)
            return
        if slot in round_.blocked:
            round_.again.append(place)
            return
        if envelope is None:
            if slot in round_.planned:
                round_.postpone(place, slot)
            else:
                stopped[slot] = Stopped(arrival.fault, [arrival.message])
            return
        held = round_.planned.get(slot) or round_.ends[slot]
        if not _joins(held, envelope):
            if slot in round_.planned:
                round_.postpone(place, slot)
                return
            gap = await self._fill(slot, away)
            if gap is not None:
                stopped[slot] = gap
                await self._judge(arrival, place, round_, stopped, away)
                return
            held = round_.ends[slot] = await self._copy.end(slot)
            if envelope.incarnation != await self._alignment.follows(envelope.tenant):
                return  # while the gap was filled the neighbour turned out to be restored
            if not _joins(held, envelope):
                stopped[slot] = Stopped(f"{GAP}: its owner does not have what comes before", [arrival.message])
                return
        if _has(held, envelope):
            return
        try:
            event = self._reader.event(arrival)
        except CannotKeep as reason:
            if slot in round_.planned:
                round_.postpone(place, slot)
            else:
                stopped[slot] = Stopped(str(reason), [arrival.message])
            return
        round_.planned[slot] = Held(envelope.incarnation, envelope.place, held.version + 1)
        round_.commits.append(ingested.ingest(envelope, event, held.version + 1))
        round_.places.append(place)

    async def _fill(self, slot: Slot, away: list[str]) -> Stopped | None:
        """Close a gap. ``away`` remembers within one batch that the owner does not answer, so that it is asked once."""
        if not away:
            try:
                return await self._alignment.synchronise(*slot)
            except Unavailable as error:
                away.append(error.detail)
        return Stopped(f"{OWNER_AWAY}: {away[0]}")


def _has(held: Held, envelope: Envelope) -> bool:
    return held.incarnation == envelope.incarnation and envelope.place <= held.place


def _joins(held: Held, envelope: Envelope) -> bool:
    """Whether nothing is missing between what is held and this event. ``previous`` may lie before what is held where a release
    of the owner published more than the present one does.
    """
    return held.incarnation in ("", envelope.incarnation) and envelope.previous <= held.place
