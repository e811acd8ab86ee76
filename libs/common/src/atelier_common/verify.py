"""The invariants of the kernel, checked on what is stored: after every simulation, and in production by ``atelier
events verify``.

Each check reads only through the ports, changes nothing, may run while the service works, and returns what it found
wrong: nothing, if all is well. It reads the whole log, so it belongs on a quiet hour or a replica.
"""

import asyncio
import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from atelier_common import ingested
from atelier_common.backfill import Backfill
from atelier_common.bus.envelope import NOTHING, Envelope, decode
from atelier_common.commit import Commit
from atelier_common.documents.port import Body, Documents
from atelier_common.events import EventRegistry
from atelier_common.eventstore.layout import COMMITS, SEGMENTS, commit_id
from atelier_common.eventstore.port import EventStore
from atelier_common.follower import CURSORS
from atelier_common.ids import derive_id
from atelier_common.opening import Opener, Unreadable
from atelier_common.parking import Parking
from atelier_common.projecting import active_build
from atelier_common.projection import Projection
from atelier_common.service import Service

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing that must never be. ``subject`` is a stream, a document or a cursor; nothing here is a personal value."""

    rule: str
    tenant: str
    subject: str
    detail: str


async def check_log(store: EventStore, tenant: str) -> list[Violation]:
    """Positions are dense, streams whole and in order, command ids unique in their stream, and streams read as the log
    does.
    """
    found: list[Violation] = []
    head, position = await store.head(tenant), 0
    versions: dict[str, int] = {}
    commands: dict[tuple[str, str], int] = {}
    digests: dict[str, bytes] = {}
    while page := await store.read_log(tenant, position, _PAGE):
        await _others_turn()
        for commit in page:
            position += 1
            stream = commit.stream
            if commit.position != position:
                found.append(
                    Violation("dense positions", tenant, stream, f"{commit.position} where {position} belongs")
                )
            if commit.version != versions.get(stream, 0) + 1:
                found.append(
                    Violation(
                        "stream order", tenant, stream, f"version {commit.version} after {versions.get(stream, 0)}"
                    )
                )
            versions[stream] = commit.version
            first = commands.setdefault((stream, commit.command_id), commit.version)
            if first != commit.version:
                detail = f"versions {first} and {commit.version} are of command {commit.command_id}"
                found.append(Violation("one commit per command", tenant, stream, detail))
            digests[stream] = _chained(digests.get(stream, b""), commit)
    if position < head:
        found.append(Violation("dense positions", tenant, "", f"the log ends at {position} and its head says {head}"))
    for stream, version in versions.items():
        await _others_turn()
        digest = b""
        for commit in await store.read_stream(tenant, stream, limit=version):
            digest = _chained(digest, commit)
        if digest != digests[stream]:
            found.append(Violation("one log", tenant, stream, "read as a stream it is not what stands in the log"))
    return found


async def _others_turn() -> None:
    """Let the service work on: a store that answers from memory or a local file never waits, and leases have to be kept."""
    await asyncio.sleep(0)


def _chained(before: bytes, commit: Commit) -> bytes:
    return hashlib.sha256(before + commit.version.to_bytes(8) + commit.body()).digest()


async def check_segments(documents: Documents, tenant: str) -> list[Violation]:
    """For a log kept in documents: segments follow each other, and every commit that is not pending stands in just one."""
    found: list[Violation] = []
    number, last = 0, 0
    placed: dict[str, int] = {}
    low: str | None = None
    while segments := await documents.scan(tenant, SEGMENTS, low=low, limit=_PAGE):
        for id, segment in segments:
            number += 1
            size = segment["last"] - segment["first"] + 1
            if (segment["number"], segment["first"], size) != (number, last + 1, len(segment["commits"])) or size < 1:
                found.append(Violation("segments follow each other", tenant, id, f"does not follow position {last}"))
            for position, (stream, version) in enumerate(segment["commits"], segment["first"]):
                key = commit_id(stream, version)
                if key in placed:
                    detail = f"version {version} has the positions {placed[key]} and {position}"
                    found.append(Violation("one position per commit", tenant, stream, detail))
                placed[key] = position
            last, low = segment["last"], id + "\x00"
    low = None
    while commits := await documents.scan(tenant, COMMITS, low=low, limit=_PAGE):
        for id, body in commits:
            held = placed.pop(id, None)
            if "pending" not in body and (held is None or body.get("position") != held):
                # Placed after the segments were read here, it has a position beyond them.
                if held is None and body.get("position", 0) > last:
                    continue
                detail = f"version {body['version']} says {body.get('position')}, the segments say {held}"
                found.append(Violation("one position per commit", tenant, body["stream"], detail))
            low = id + "\x00"
    found += [Violation("no hole in the log", tenant, id, f"position {at} has no commit") for id, at in placed.items()]
    return found


async def check_acknowledged(
    store: EventStore, tenant: str, acknowledged: Iterable[tuple[str, int, str]]
) -> list[Violation]:
    """Every (stream, version, command id) that somebody was told is durable stands there, once, at that version."""
    found: list[Violation] = []
    by_stream: dict[str, list[tuple[int, str]]] = {}
    for stream, version, command_id in acknowledged:
        by_stream.setdefault(stream, []).append((version, command_id))
    for stream, told in by_stream.items():
        held = [(commit.version, commit.command_id) for commit in await store.read_stream(tenant, stream)]
        for version, command_id in told:
            if held.count((version, command_id)) != 1:
                detail = f"version {version} was acknowledged for command {command_id}"
                found.append(Violation("nothing acknowledged is lost", tenant, stream, detail))
    return found


async def check_read_model(
    projection: Projection,
    collection: str,
    store: EventStore,
    documents: Documents,
    registry: EventRegistry,
    tenant: str,
) -> list[Violation]:
    """Every document is what applying the log anew gives, up to its own watermark, and none is behind the projection's
    cursor.

    ``collection`` is the build that is read. Parked keys wait and are left out.
    """
    follower = f"projection:{collection}"
    cursor = await documents.find(tenant, CURSORS, follower)
    reached = 0 if cursor is None else int(cursor["position"])
    held: dict[str, tuple[int, bytes]] = {}
    low: str | None = None
    while page := await documents.scan(tenant, collection, low=low, limit=_PAGE):
        for key, body in page:
            held[key] = (body["watermark"], _digest(body))
            low = key + "\x00"
    left_out = {entry.key for entry in await Parking(documents).parked(tenant, follower)}
    rebuilt = await _apply_anew(projection, store, registry, tenant, left_out, reached, held)
    found: list[Violation] = []
    for key in (held.keys() | rebuilt.keys()) - left_out:
        kept, anew = held.get(key), rebuilt.get(key)
        if kept is None or anew is None or kept != (anew["watermark"], _digest(anew)):
            detail = f"stands at {kept and kept[0]}, and applying the log anew gives {anew and anew['watermark']}"
            found.append(Violation("read models are rebuilds", tenant, f"{collection}/{key}", detail))
    return found


async def _apply_anew(
    projection: Projection,
    store: EventStore,
    registry: EventRegistry,
    tenant: str,
    left_out: set[str],
    reached: int,
    held: dict[str, tuple[int, bytes]],
) -> dict[str, Body]:
    """Documents from the log alone, each up to ``reached`` or, where its stored one is ahead of that, up to its
    watermark.
    """
    opener = Opener(store, registry)
    rebuilt: dict[str, Body] = {}
    last = max([reached, *(watermark for watermark, _ in held.values())])
    position = 0
    while position < last and (commits := await store.read_log(tenant, position, _PAGE)):
        await _others_turn()
        position = commits[-1].position
        for opened in await opener.open(tenant, commits, projection.types):
            if isinstance(opened, Unreadable):
                continue
            for key in projection.keys(opened):
                if key in left_out or opened.position > max(reached, held.get(key, (0, b""))[0]):
                    continue
                before = rebuilt.get(key)
                visible = None if before is None or before.get("deleted") else before
                document = projection.apply(visible, opened, key)
                rebuilt[key] = {
                    **(document if document is not None else {"deleted": True}),
                    "watermark": opened.position,
                }
    return rebuilt


def _digest(body: Body) -> bytes:
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).digest()


async def check_cursors(store: EventStore, documents: Documents, tenant: str) -> list[Violation]:
    """No follower of the log is past its end."""
    cursors = await documents.scan(tenant, CURSORS, limit=100_000)
    head = await store.head(tenant)
    return [
        Violation("cursors stay inside the log", tenant, name, f"at {body['position']}, and the log ends at {head}")
        for name, body in cursors
        if body["position"] > head
    ]


async def check_ingested(
    store: EventStore, tenant: str, source: str, topics: Sequence[str], owner: Backfill, *, complete: bool = False
) -> list[Violation]:
    """What this log holds of a neighbour is what the neighbour published: in order, none missing between, none twice.

    With ``complete`` it must also have come to the end. Facts of an earlier incarnation of the neighbour are left out.
    """
    found: list[Violation] = []
    incarnation = await owner.incarnation(tenant)
    for stream in await owner.streams(tenant, topics):
        await _others_turn()
        name = ingested.own_stream(source, stream)
        # First what is held here, then what was said: while both go on, nothing can have come in that was not said.
        held = await store.read_stream(tenant, name)
        theirs = [decode(message) for message in await owner.contract_events(tenant, stream, NOTHING)]
        mine: list[Commit] = []
        for commit in held:
            identity = ingested.identity(commit)
            if identity is None or identity[0] != incarnation:
                continue
            if commit.command_id == derive_id(tenant, incarnation, f"resynchronise:{name}", commit.version):
                # The stream follows a restored neighbour from here on; what came before is agreed.
                mine, theirs = [], [envelope for envelope in theirs if envelope.place > identity[1]]
            else:
                mine.append(commit)
        if len(mine) > len(theirs) or not all(_stands_as_published(*pair) for pair in zip(mine, theirs, strict=False)):
            found.append(Violation("facts stand as published", tenant, name, "order or content is not the owner's"))
        elif complete and len(mine) < len(theirs):
            detail = f"{len(mine)} of {len(theirs)} contract events have come in"
            found.append(Violation("facts stand as published", tenant, name, detail))
    return found


def _stands_as_published(commit: Commit, envelope: Envelope) -> bool:
    """A type that is not subscribed to leaves only its place, without the event."""
    said = [(event.type, event.data) for event in commit.events]
    payload = {"pb": base64.b64encode(envelope.payload).decode("ascii")}
    return commit.command_id == envelope.id and said in ([], [(envelope.type, payload)])


async def check_service(service: Service, tenant: str, owners: Mapping[str, Backfill]) -> list[Violation]:
    """Everything above for one service and tenant; ``owners`` are the neighbours that can be asked, by name."""
    store, documents = service.store, service.documents
    found = [
        *await check_log(store, tenant),
        *await check_segments(documents, tenant),
        *await check_cursors(store, documents, tenant),
    ]
    for model in service.models.values():
        build = await active_build(documents, model.projection)
        if build is not None:
            collection = model.projection.collection(build)
            found += await check_read_model(model.projection, collection, store, documents, service.registry, tenant)
    for subscription in service.subscriptions:
        if subscription.source in owners:
            owner = owners[subscription.source]
            found += await check_ingested(store, tenant, subscription.source, subscription.topics, owner)
    return found
