"""The invariants of the kernel, checked on what is stored: after every simulation, and in production by ``atelier
events verify``.

Each check reads only through the ports, changes nothing, may run while the service works, and returns what it found
wrong: nothing, if all is well. A log is read and decoded once for all of them, and each stream beside it as a stream.
Memory is bounded: beyond a number of streams and documents a temporary file holds what was learnt.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from atelier_common.backfill import Backfill
from atelier_common.documents.port import Documents
from atelier_common.events import EventRegistry
from atelier_common.eventstore.layout import FIRST_COMMIT, LAST_SEGMENT, LOG, commit_id
from atelier_common.eventstore.port import EventStore
from atelier_common.follower import CURSORS
from atelier_common.held_facts import AskedSayings, GatheredSayings, HeldFacts, Sayings
from atelier_common.log_order import LogOrder
from atelier_common.projecting import active_build
from atelier_common.projection import Projection
from atelier_common.reading_through import Events, Pass
from atelier_common.refold import Refold
from atelier_common.service import Service
from atelier_common.sqlite.scratch import Scratch
from atelier_common.violation import Violation

_PAGE = 500
_IN_MEMORY = 400_000

Told = Callable[[str, int, int], None]
"""Progress: the service whose log is read, how many commits of it are, of how many."""


async def check_log(store: EventStore, tenant: str) -> list[Violation]:
    """Positions are dense, streams whole and in order, command ids unique in their stream, and streams read as the log
    does.
    """
    order = LogOrder(store, tenant)
    await Pass(store, tenant).run(order, None)
    return order.found


async def check_segments(documents: Documents, tenant: str) -> list[Violation]:
    """For a log kept in documents: segments follow each other, and every commit that is not pending stands in just one."""
    found: list[Violation] = []
    number, last = 0, 0
    placed = Scratch(_IN_MEMORY)
    low: str | None = None
    while segments := await documents.scan(tenant, LOG, low=low, high=LAST_SEGMENT, limit=_PAGE):
        for id, segment in segments:
            number += 1
            size = segment["last"] - segment["first"] + 1
            if (segment["number"], segment["first"], size) != (number, last + 1, len(segment["commits"])) or size < 1:
                found.append(Violation("segments follow each other", tenant, id, f"does not follow position {last}"))
            for position, (stream, version) in enumerate(segment["commits"], segment["first"]):
                key = commit_id(stream, version)
                if (before := placed.get(key)) is not None:
                    detail = f"version {version} has the positions {before} and {position}"
                    found.append(Violation("one position per commit", tenant, stream, detail))
                placed.put(key, position)
            last, low = segment["last"], id + "\x00"
    low = FIRST_COMMIT
    while commits := await documents.scan(tenant, LOG, low=low, limit=_PAGE):
        for id, body in commits:
            held = placed.pop(id)
            if "pending" not in body and (held is None or body.get("position") != held):
                # Placed after the segments were read here, it has a position beyond them.
                if held is None and body.get("position", 0) > last:
                    continue
                detail = f"version {body['version']} says {body.get('position')}, the segments say {held}"
                found.append(Violation("one position per commit", tenant, body["stream"], detail))
        low = commits[-1][0] + "\x00"
    found += [Violation("no hole in the log", tenant, id, f"position {at} has no commit") for id, at in placed.items()]
    placed.close()
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
    refold = Refold(projection, documents, tenant)
    await refold.begin(collection)
    await Pass(store, tenant).run(None, Events(store, registry, tenant, [refold]))
    return await refold.differences(collection, store, registry)


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
    facts = HeldFacts(tenant, source, topics, await owner.incarnation(tenant), await store.head(tenant))
    await Pass(store, tenant, [facts]).run(None, None)
    return await facts.differences(AskedSayings(tenant, owner), complete=complete)


async def check_service(service: Service, tenant: str, owners: Mapping[str, Backfill]) -> list[Violation]:
    """Everything above for one service and tenant; ``owners`` are the neighbours that can be asked, by name."""
    return (await check_services({service.name: service}, tenant, owners))[service.name]


async def check_services(
    services: Mapping[str, Service], tenant: str, owners: Mapping[str, Backfill], told: Told | None = None
) -> dict[str, list[Violation]]:
    """Everything above for the services of one process, by name; each log is read once, also for what neighbours hold of it.

    ``owners`` can be asked for incarnations and, where they are not among ``services``, for what they published.
    """
    # Every own copy is looked at as it is now, before any log is read: what is in it was said by then.
    checks = [await _ServiceCheck.begin(service, tenant, owners, services) for service in services.values()]
    for check in checks:
        await check.read(told)
    found = {check.service.name: await check.violations() for check in checks}
    sayings: dict[str, Sayings] = {name: AskedSayings(tenant, owner) for name, owner in owners.items()}
    sayings |= {check.service.name: check.sayings for check in checks if check.sayings is not None}
    for check in checks:
        for held in check.facts:
            found[check.service.name] += await held.differences(sayings[held.source])
    for check in checks:
        check.close()
    return found


@dataclass
class _ServiceCheck:
    """One service's log and all that is compared with it."""

    service: Service
    tenant: str
    order: LogOrder
    refolds: list[Refold]
    facts: list[HeldFacts]
    sayings: GatheredSayings | None

    @classmethod
    async def begin(
        cls, service: Service, tenant: str, owners: Mapping[str, Backfill], together: Mapping[str, Service]
    ) -> "_ServiceCheck":
        refolds: list[Refold] = []
        for model in service.models.values():
            build = await active_build(service.documents, model.projection)
            if build is not None:
                refold = Refold(model.projection, service.documents, tenant)
                await refold.begin(model.projection.collection(build))
                refolds.append(refold)
        facts = [
            HeldFacts(tenant, one.source, one.topics, await owner.incarnation(tenant), await service.store.head(tenant))
            for one in service.subscriptions
            if (owner := owners.get(one.source)) is not None
        ]
        wanted = any(one.source == service.name for other in together.values() for one in other.subscriptions)
        translate = service.publisher.contracts.translate if wanted and service.publisher is not None else None
        sayings = None if translate is None else GatheredSayings(service.name, translate)
        return cls(service, tenant, LogOrder(service.store, tenant), refolds, facts, sayings)

    async def read(self, told: Told | None) -> None:
        store, name = self.service.store, self.service.name
        events = Events(store, self.service.registry, self.tenant, self.refolds, self.sayings)
        heard = None if told is None else partial(told, name)
        await Pass(store, self.tenant, self.facts).run(self.order, events, heard)

    async def violations(self) -> list[Violation]:
        """All that this service's own log and documents tell."""
        store, documents = self.service.store, self.service.documents
        found = [
            *self.order.found,
            *await check_segments(documents, self.tenant),
            *await check_cursors(store, documents, self.tenant),
        ]
        for refold in self.refolds:
            build = await active_build(documents, refold.projection)
            if build is not None:
                collection = refold.projection.collection(build)
                found += await refold.differences(collection, store, self.service.registry)
        return found

    def close(self) -> None:
        if self.sayings is not None:
            self.sayings.close()
