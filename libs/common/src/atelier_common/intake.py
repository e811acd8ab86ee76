"""What a consumer does with messages of one neighbour: judge each against the own log, append, fill gaps, follow restores."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError

from atelier_common import ingested
from atelier_common.backfill import Backfill
from atelier_common.bus.envelope import NOTHING, Envelope, NotAnEnvelope, Place, decode
from atelier_common.bus.port import Message
from atelier_common.commit import MAX_BYTES, Commit
from atelier_common.documents.port import SYSTEM
from atelier_common.errors import Unavailable, UnknownEventType
from atelier_common.events import EventRegistry, StoredEvent
from atelier_common.eventstore.port import Appended, EventStore
from atelier_common.ingested import EMPTY, Held

UNKNOWN_TYPE = "unknown-type"
OWNER_AWAY = "owner-away"
MALFORMED = "malformed"
TOO_LARGE = "too-large"
GAP = "gap"

Slot = tuple[str, str]
"""(tenant, stream as its owner calls it): the key that order is kept for, and that is parked whole."""
_LOG = "@log"
_ROUNDS = 12
_APPEND_AT_ONCE = 500
_STREAMS_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message, read as far as it can be: without ``envelope``, ``fault`` says why."""

    slot: Slot
    message: Message
    envelope: Envelope | None
    fault: str = ""


@dataclass(slots=True)
class Stopped:
    """Why a key cannot go on, ``code: detail``, and its messages from there on."""

    reason: str
    messages: list[Message] = field(default_factory=list)


class _CannotKeep(Exception):
    """This event cannot be appended by this release."""


@dataclass(slots=True)
class _Round:
    """One pass over arrivals: what it will append, and who has to wait for the next pass."""

    commits: list[Commit] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    planned: dict[Slot, Held] = field(default_factory=dict)
    again: list[int] = field(default_factory=list)
    blocked: set[Slot] = field(default_factory=set)

    def postpone(self, place: int, slot: Slot) -> None:
        self.again.append(place)
        self.blocked.add(slot)


class Intake:
    """The facts of one neighbour (``source``), each appended once and in order to the own log's stream ``source/stream``.

    Nothing is judged by memory alone: what is remembered of a stream's end only claims a version, and the store refuses a
    claim that is old.
    """

    def __init__(
        self,
        source: str,
        topics: Sequence[str],
        unsubscribed: frozenset[str],
        store: EventStore,
        registry: EventRegistry,
        backfill: Backfill,
        *,
        remembered: int = 100_000,
    ) -> None:
        self.source = source
        self._topics = tuple(topics)
        self._unsubscribed = unsubscribed
        self._store = store
        self._registry = registry
        self._backfill = backfill
        self._remembered = remembered
        self._ends: OrderedDict[Slot, Held] = OrderedDict()
        self._followed: dict[str, tuple[str, str]] = {}

    def read(self, message: Message) -> Arrival:
        """Parse a message; one that cannot be parsed still has a key to be parked under."""
        try:
            envelope = decode(message)
            if envelope.service != self.source:
                raise NotAnEnvelope(f"an event of {envelope.service} in a topic of {self.source}")
        except NotAnEnvelope as fault:
            tenant, _, stream = message.key.partition("/")
            slot = (tenant, stream) if tenant and stream else (SYSTEM, message.key)
            return Arrival(slot, message, None, f"{MALFORMED}: {fault.detail}")
        return Arrival((envelope.tenant, envelope.stream), message, envelope)

    def knows(self, ce_type: str) -> bool:
        return ce_type in self._unsubscribed or self._registry.knows(ce_type)

    async def has_met(self, tenant: str) -> bool:
        """Whether anything of this tenant ever came from the neighbour."""
        return (await self._follows(tenant))[0] != ""

    async def holds(self, arrival: Arrival) -> bool:
        """Whether the log has this very event, or its stream is further."""
        return arrival.envelope is not None and _has(await self._end(arrival.slot), arrival.envelope)

    async def take_in(self, arrivals: Sequence[Arrival]) -> dict[Slot, Stopped]:
        """Append what is new; returns the keys that cannot go on, with what waits. When it returns, everything else is durable.

        Raises where nothing can be said yet (the store fails, or a restored neighbour cannot be asked): try all again later;
        what was appended meanwhile is dropped then.
        """
        stopped: dict[Slot, Stopped] = {}
        for tenant in dict.fromkeys(arrival.slot[0] for arrival in arrivals if arrival.envelope is not None):
            mine = [a.envelope for a in arrivals if a.envelope is not None and a.slot[0] == tenant]
            if {envelope.incarnation for envelope in mine} != {(await self._follows(tenant))[0]}:
                stopped.update(await self.align(tenant, max(envelope.time for envelope in mine)))
        places = [place for place, arrival in enumerate(arrivals) if self._is_current(arrival)]
        away: list[str] = []
        for attempt in range(_ROUNDS):
            if not places:
                return stopped
            round_ = _Round()
            for place in places:
                await self._judge(arrivals[place], place, round_, stopped, away, guess=attempt == 0)
            places = sorted(round_.again + await self._append(round_.commits, round_.places, round_.planned))
        raise Unavailable(f"others write the streams of {self.source} all the time; trying again")

    async def align(self, tenant: str, time: int = 0) -> dict[Slot, Stopped]:
        """Ask the neighbour which incarnation its log has. Another one than followed so far, or a restore of the own log, means
        that the two may have parted: then every stream is brought to what the neighbour has. So is the first contact.
        ``time`` is the domain time of what led here, if anything did.

        Raises Unavailable where the neighbour is away.
        """
        incarnation = await self._backfill.incarnation(tenant)
        own = await self._store.incarnation(tenant)
        if (incarnation, own) == await self._follows(tenant):
            return {}
        stopped: dict[Slot, Stopped] = {}
        streams = set(await self._backfill.streams(tenant, self._topics)) | set(await self._held_streams(tenant))
        waiting = sorted(streams)
        for start in range(0, len(waiting), _STREAMS_AT_ONCE):
            some = waiting[start : start + _STREAMS_AT_ONCE]
            outcomes = await asyncio.gather(*(self.synchronise(tenant, stream, incarnation) for stream in some))
            stopped.update(
                ((tenant, stream), found) for stream, found in zip(some, outcomes, strict=True) if found is not None
            )
        marks = await self._store.read_stream(tenant, ingested.own_stream(self.source, _LOG))
        time = max(time, marks[-1].recorded_at if marks else 0)
        now = Held(incarnation, NOTHING, len(marks) + 1)
        mark = ingested.marker(tenant, self.source, _LOG, now, time, own_incarnation=own)
        await self._store.append([mark])
        self._followed.pop(tenant, None)
        if await self._follows(tenant) != (incarnation, own):
            raise Unavailable(f"{self.source} was restored again, or is followed by others; trying again")
        return stopped

    async def synchronise(self, tenant: str, stream: str, incarnation: str | None = None) -> Stopped | None:
        """Bring one stream to what its owner has. Raises Unavailable where the owner is away."""
        if incarnation is None:
            await self.align(tenant)
            incarnation = (await self._follows(tenant))[0]
        for _ in range(_ROUNDS):
            own = await self._store.read_stream(tenant, ingested.own_stream(self.source, stream))
            held = ingested.held_by(own[-1]) if own else EMPTY
            agreed = held.incarnation in ("", incarnation)
            sent = await self._backfill.contract_events(tenant, stream, held.place if agreed else NOTHING)
            arrivals = [self.read(message) for message in sent]
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
                    event = self._event(arrival)
                except _CannotKeep as reason:
                    stopped = Stopped(str(reason), [later.message for later in arrivals[number:]])
                    break
                assert arrival.envelope is not None
                held = Held(incarnation, arrival.envelope.place, held.version + 1)
                commits.append(ingested.ingest(arrival.envelope, event, held.version))
            slot = (tenant, stream)
            if not await self._append(commits, list(range(len(commits))), {slot: held}):
                return stopped
        raise Unavailable(f"others write {self.source}'s streams all the time; trying again")

    def _agreed(self, own: Sequence[Commit], owners: Sequence[Arrival]) -> int:
        """How many of the owner's events this log holds already under an earlier incarnation, word for word.

        Where this log holds more than the restored owner has, the last common event is taken in once more, so that whoever
        folds the stream ends with the owner's present fact and not with one that its log has lost.
        """
        held: dict[Place, StoredEvent] = {}
        for commit in own:
            found = ingested.identity(commit)
            if found is not None:
                held = {place: event for place, event in held.items() if place < found[1] or not commit.events}
                if commit.events:
                    held[found[1]] = commit.events[0]
                else:
                    held = {place: event for place, event in held.items() if place <= found[1]}
        agreed, last_kept = 0, 0
        for arrival in owners:
            envelope = arrival.envelope
            if envelope is None:
                break
            if envelope.type not in self._unsubscribed:
                if held.pop(envelope.place, None) != self._registry.encode_contract(envelope.type, envelope.payload):
                    break
                last_kept = agreed
            agreed += 1
        return last_kept if held and agreed == len(owners) else agreed

    def _is_current(self, arrival: Arrival) -> bool:
        """Messages of another incarnation than the owner's present one speak of a log that is no more."""
        if arrival.envelope is None:
            return True
        return arrival.envelope.incarnation == self._followed[arrival.slot[0]][0]

    async def _judge(
        self,
        arrival: Arrival,
        place: int,
        round_: _Round,
        stopped: dict[Slot, Stopped],
        away: list[str],
        *,
        guess: bool,
    ) -> None:
        slot, envelope = arrival.slot, arrival.envelope
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
        held = round_.planned.get(slot) or await self._end(slot, guess and envelope.previous == NOTHING)
        if not _joins(held, envelope):
            if slot in round_.planned:
                round_.postpone(place, slot)
                return
            gap = await self._fill(slot, away)
            if gap is not None:
                stopped[slot] = gap
                await self._judge(arrival, place, round_, stopped, away, guess=False)
                return
            held = await self._end(slot)
            if not _joins(held, envelope):
                stopped[slot] = Stopped(f"{GAP}: its owner does not have what comes before", [arrival.message])
                return
        if _has(held, envelope):
            return
        try:
            event = self._event(arrival)
        except _CannotKeep as reason:
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
                return await self.synchronise(*slot)
            except Unavailable as error:
                away.append(error.detail)
        return Stopped(f"{OWNER_AWAY}: {away[0]}")

    def _event(self, arrival: Arrival) -> StoredEvent | None:
        """The stored form of an event; None for a type that is declared unsubscribed."""
        envelope = arrival.envelope
        if envelope is None:
            raise _CannotKeep(arrival.fault)
        if envelope.type in self._unsubscribed:
            return None
        if len(envelope.payload) > MAX_BYTES * 7 // 10:
            raise _CannotKeep(f"{TOO_LARGE}: {len(envelope.payload)} bytes")
        event = self._registry.encode_contract(envelope.type, envelope.payload)
        try:
            self._registry.decode(event)
        except UnknownEventType as unknown:
            raise _CannotKeep(f"{UNKNOWN_TYPE}: {envelope.type}") from unknown
        except DecodeError as fault:
            raise _CannotKeep(f"{MALFORMED}: the payload is not a {envelope.type}") from fault
        return event

    async def _append(self, commits: Sequence[Commit], places: Sequence[int], ends: dict[Slot, Held]) -> list[int]:
        """Append in order; the places of those that another writer was faster with."""
        for slot in ends:
            self._ends.pop(slot, None)
        lost: list[int] = []
        for start in range(0, len(commits), _APPEND_AT_ONCE):
            outcomes = await self._store.append(commits[start : start + _APPEND_AT_ONCE])
            lost += [
                place
                for place, outcome in zip(places[start : start + _APPEND_AT_ONCE], outcomes, strict=True)
                if not isinstance(outcome, Appended)
            ]
        if not lost:
            self._ends.update(ends)
            while len(self._ends) > self._remembered:
                self._ends.popitem(last=False)
        return lost

    async def _end(self, slot: Slot, guess_empty: bool = False) -> Held:
        """What the own log holds of a stream. A first event may guess that nothing is held: the store refuses if it is wrong."""
        held = self._ends.get(slot)
        if held is not None:
            self._ends.move_to_end(slot)
            return held
        if guess_empty:
            return EMPTY
        commits = await self._store.read_stream(slot[0], ingested.own_stream(self.source, slot[1]))
        return ingested.held_by(commits[-1]) if commits else EMPTY

    async def _follows(self, tenant: str) -> tuple[str, str]:
        """(incarnation of the neighbour's log, of the own log at that time) as last aligned; empty before the first contact."""
        if tenant not in self._followed:
            marks = await self._store.read_stream(tenant, ingested.own_stream(self.source, _LOG))
            if not marks:
                return "", ""
            self._followed[tenant] = (ingested.held_by(marks[-1]).incarnation, marks[-1].result["own_incarnation"])
        return self._followed[tenant]

    async def _held_streams(self, tenant: str) -> list[str]:
        found: list[str] = []
        prefix = f"{self.source}/"
        after = ""
        while page := await self._store.list_streams(tenant, prefix, after):
            found += [name[len(prefix) :] for name in page]
            after = page[-1]
        return [stream for stream in found if f"{self.source}.{stream.partition('/')[0]}" in self._topics]


def _has(held: Held, envelope: Envelope) -> bool:
    return held.incarnation == envelope.incarnation and envelope.place <= held.place


def _joins(held: Held, envelope: Envelope) -> bool:
    """Whether nothing is missing between what is held and this event. ``previous`` may lie before what is held where a release
    of the owner published more than the present one does.
    """
    return held.incarnation in ("", envelope.incarnation) and envelope.previous <= held.place
