"""What a log holds of a neighbour beside what the neighbour says, both gathered while each log is read once."""

import asyncio
import base64
import hashlib
from collections.abc import Sequence
from typing import Protocol

import orjson

from atelier_common import ingested
from atelier_common.backfill import Backfill
from atelier_common.bus.envelope import NOTHING, Place, decode
from atelier_common.commit import Commit, RecordedEvent
from atelier_common.ids import derive_id, event_id
from atelier_common.publisher import Translate
from atelier_common.sqlite.scratch import Scratch
from atelier_common.violation import Violation

_STREAMS_IN_MEMORY = 50_000
_RULE = "facts stand as published"

Saying = tuple[Place, int]
"""Where a contract event stands in its owner's stream, and a hash of its id, type and content."""


class Sayings(Protocol):
    """The contract events of one owner's log."""

    async def streams(self, topics: Sequence[str]) -> list[str]:
        """Every stream that travels in these topics."""
        ...

    async def said(self, stream: str, after: Place) -> list[Saying]:
        """The contract events of a stream after ``after``, in order."""
        ...


class AskedSayings:
    """What a neighbour in another process says, asked stream by stream."""

    def __init__(self, tenant: str, owner: Backfill) -> None:
        self._tenant = tenant
        self._owner = owner

    async def streams(self, topics: Sequence[str]) -> list[str]:
        return await self._owner.streams(self._tenant, topics)

    async def said(self, stream: str, after: Place) -> list[Saying]:
        found: list[Saying] = []
        for message in await self._owner.contract_events(self._tenant, stream, after):
            envelope = decode(message)
            found.append((envelope.place, _seal(envelope.id, envelope.type, envelope.payload)))
        return found


class GatheredSayings:
    """What a log says, gathered from it: :meth:`take` every event of its own decisions in order."""

    def __init__(self, service: str, translate: Translate) -> None:
        self._service = service
        self._translate = translate
        self._streams = Scratch(_STREAMS_IN_MEMORY)

    def take(self, event: RecordedEvent) -> None:
        """Note what this event tells the neighbours, if anything."""
        said = self._translate(event)
        if said is None:
            return
        seal = _seal(event.id, said.type, said.message.SerializeToString(deterministic=True))
        held = self._streams.get(event.stream) or []
        held.append((event.version, event.ordinal, seal))
        self._streams.put(event.stream, held)

    async def streams(self, topics: Sequence[str]) -> list[str]:
        wanted = set(topics)
        return [stream for stream, _ in self._streams.items() if _topic(self._service, stream) in wanted]

    async def said(self, stream: str, after: Place) -> list[Saying]:
        found = self._streams.get(stream) or ()
        return [((version, ordinal), seal) for version, ordinal, seal in found if (version, ordinal) > after]

    def close(self) -> None:
        self._streams.close()


class HeldFacts:
    """The own copy of one neighbour's topics. :meth:`see` every commit of the own log, then :meth:`differences`.

    What is held up to ``until`` has to be read from the log before, or at a time before, what the neighbour says: so nothing can
    have come in that was not said. Facts of an earlier incarnation of the neighbour are left out, and what came before a
    resynchronisation is agreed.
    """

    def __init__(self, tenant: str, source: str, topics: Sequence[str], incarnation: str, until: int) -> None:
        self.source = source
        self._tenant = tenant
        self._prefix = f"{source}/"
        self._topics = tuple(topics)
        self._incarnation = incarnation
        self._until = until
        self._streams = Scratch(_STREAMS_IN_MEMORY)

    def see(self, commit: Commit) -> None:
        """Take note of the next commit of the own log."""
        if not commit.stream.startswith(self._prefix) or commit.position > self._until:
            return
        stream = commit.stream[len(self._prefix) :]
        found = ingested.identity(commit)
        if found is None or found[0] != self._incarnation or _topic(self.source, stream) not in self._topics:
            return
        if not commit.events and commit.command_id == derive_id(
            self._tenant, self._incarnation, f"resynchronise:{commit.stream}", commit.version
        ):
            # The stream follows a restored neighbour from here on.
            self._streams.put(stream, [found[1]])
            return
        held = self._streams.get(stream) or [NOTHING]
        held.append(_seal_of(commit))
        self._streams.put(stream, held)

    async def differences(self, sayings: Sayings, *, complete: bool = False) -> list[Violation]:
        """Streams whose copy is not what the owner says, in order, none missing between, none twice; with ``complete``, to
        its end.
        """
        found: list[Violation] = []
        for number, stream in enumerate(await sayings.streams(self._topics)):
            if number % 50 == 0:
                await asyncio.sleep(0)
            since, *held = self._streams.pop(stream) or [NOTHING]
            if held or complete:
                said = await sayings.said(stream, (since[0], since[1]))
                found += self._compared(stream, held, said, complete)
        for stream, (_, *held) in self._streams.items():
            found += self._compared(stream, held, [], False)
        self._streams.close()
        return found

    def _compared(
        self, stream: str, held: Sequence[list[int]], said: Sequence[Saying], complete: bool
    ) -> list[Violation]:
        detail = ""
        if len(held) > len(said) or not all(
            self._stands_as_said(stream, *pair) for pair in zip(held, said, strict=False)
        ):
            detail = "order or content is not the owner's"
        elif complete and len(held) < len(said):
            detail = f"{len(held)} of {len(said)} contract events have come in"
        return [Violation(_RULE, self._tenant, f"{self._prefix}{stream}", detail)] if detail else []

    def _stands_as_said(self, stream: str, held: Sequence[int], saying: Saying) -> bool:
        whole, seal = held
        (version, ordinal), said = saying
        # A type that is not subscribed to leaves only its place, without the event.
        return seal == (said if whole else _hash(event_id(self._incarnation, stream, version, ordinal)))


def _topic(service: str, stream: str) -> str:
    return f"{service}.{stream.partition('/')[0]}"


def _seal_of(commit: Commit) -> tuple[int, int]:
    """(1, the seal of the whole event), or (0, that of its id alone) where nothing but its place is kept."""
    if not commit.events:
        return 0, _hash(commit.command_id)
    said = [(event.type, event.data) for event in commit.events]
    return 1, _hash(orjson.dumps((commit.command_id, said)))


def _seal(id: str, type: str, payload: bytes) -> int:
    return _hash(orjson.dumps((id, [(type, {"pb": base64.b64encode(payload).decode("ascii")})])))


def _hash(content: bytes | str) -> int:
    content = content.encode() if isinstance(content, str) else content
    return int.from_bytes(hashlib.sha256(content).digest()[:7])
