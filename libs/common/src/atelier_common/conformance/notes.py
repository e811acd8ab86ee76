"""A small service for the suites of publishing and consuming: notes in folders, of which most leave and some do not."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from google.protobuf.message import Message as ProtobufMessage
from google.protobuf.wrappers_pb2 import Int64Value, StringValue

from atelier_common.bus.envelope import Place, decode
from atelier_common.bus.port import Bus, BusSubscription, Message
from atelier_common.commit import Commit, RecordedEvent
from atelier_common.conformance.material import TENANT, append, until
from atelier_common.consumer import Inlet, Subscription
from atelier_common.documents.port import Documents
from atelier_common.errors import Unavailable
from atelier_common.events import EventRegistry
from atelier_common.eventstore.port import AppendOutcome, EventStore
from atelier_common.parking import Parking
from atelier_common.publisher import ContractEvent, ContractLog, Publisher

SERVICE = "notes"
TOPIC = "notes.note"
FOLDER_TOPIC = "notes.folder"
NOTED = "atelier.notes.note.v1.noted"
COUNTED = "atelier.notes.note.v1.counted"
DOODLED = "atelier.notes.note.v1.doodled"
TOPICS = (TOPIC, FOLDER_TOPIC)
TYPES: dict[str, type[ProtobufMessage]] = {NOTED: StringValue, COUNTED: Int64Value}
SUBSCRIPTION = Subscription(SERVICE, TOPICS, TYPES, frozenset({DOODLED}))
START = 1_800_000_000_000


@dataclass(frozen=True)
class Noted:
    text: str


@dataclass(frozen=True)
class Counted:
    number: int


@dataclass(frozen=True)
class Doodled:
    """Leaves the service, but readers declare that they do not want it."""


@dataclass(frozen=True)
class KeptPrivate:
    """Never leaves the service."""


@dataclass(frozen=True)
class Log:
    """A service's database: its event store and its documents."""

    store: EventStore
    documents: Documents


MakeLog = Callable[[], Awaitable[Log]]


def registry() -> EventRegistry:
    known = EventRegistry()
    known.event("noted")(Noted)
    known.event("counted")(Counted)
    known.event("doodled")(Doodled)
    known.event("kept-private")(KeptPrivate)
    return known


def translate(recorded: RecordedEvent) -> ContractEvent | None:
    match recorded.event:
        case Noted(text):
            return ContractEvent(NOTED, StringValue(value=text), subject="text")
        case Counted(number):
            return ContractEvent(COUNTED, Int64Value(value=number))
        case Doodled():
            return ContractEvent(DOODLED, StringValue())
        case _:
            return None


class Notes:
    """The owner: appends commits to its log and can publish them. With ``placed`` each has its place in the log before the next
    is written.
    """

    def __init__(self, log: Log, bus: Bus, *, placed: bool = True) -> None:
        self._placed = placed
        self.log = log
        self.registry = registry()
        self._versions: dict[tuple[str, str], int] = {}
        self.bus = bus
        self.publisher = self.new_publisher()

    def new_publisher(self, batch: int = 500) -> Publisher:
        """Another replica's publisher, which remembers nothing."""
        return Publisher(SERVICE, self.log.store, self.log.documents, self.registry, self.bus, translate, batch=batch)

    async def write(self, stream: str, *events: object, tenant: str = TENANT) -> Commit:
        """One commit of these events at the end of a stream."""
        version = self._versions.get((tenant, stream), 0) + 1
        self._versions[(tenant, stream)] = version
        commit = Commit(
            tenant=tenant,
            stream=stream,
            version=version,
            # Without the decoded value: every reader has to read what is stored.
            events=tuple(replace(self.registry.encode(event), value=None) for event in events),
            command_id=f"{stream} {version}",
            request_hash="",
            result=None,
            actor="somebody",
            recorded_at=START + version,
            correlation_id=f"first command of {stream}",
            causation_ids=(f"cause of {stream}@{version}",),
            trace="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )
        await append(self.log.store, commit)

        async def placed() -> bool:
            return await self.log.store.position_of(tenant, stream, version) is not None

        if self._placed:
            await until(placed, bell=self.log.store.changed)
        return commit

    async def note(self, stream: str, *texts: str, tenant: str = TENANT) -> None:
        """A commit for each text."""
        for text in texts:
            await self.write(stream, Noted(text), tenant=tenant)

    async def messages(self, stream: str, tenant: str = TENANT) -> list[Message]:
        """All contract events of a stream, as they are published."""
        return await self.publisher.contracts.contract_events(tenant, stream)

    async def restored(self, log: Log, streams: dict[str, int], tenant: str = TENANT) -> "Notes":
        """The service as it comes back from a backup in which each stream had only so many commits."""
        again = Notes(log, self.bus, placed=self._placed)
        for stream, versions in streams.items():
            for commit in await self.log.store.read_stream(tenant, stream, 0, versions):
                await append(log.store, replace(commit, position=0))
            again._versions[(tenant, stream)] = versions
        return again


class WatchedBus:
    """A bus that notes what was published and can be told to fail; passes on to ``bus`` if there is one.

    ``broken`` topics refuse before anything is sent; from ``mute`` topics the acknowledgement is lost after it was.
    """

    def __init__(self, bus: Bus | None = None) -> None:
        self._bus = bus
        self.sent: list[tuple[str, Message]] = []
        self.broken: set[str] = set()
        self.mute: set[str] = set()
        self.attempts = 0

    async def publish(self, topic: str, messages: Sequence[Message]) -> None:
        self.attempts += 1
        if topic in self.broken:
            raise Unavailable(f"{topic} cannot be reached")
        self.sent += [(topic, message) for message in messages]
        if self._bus is not None:
            await self._bus.publish(topic, messages)
        if topic in self.mute:
            raise Unavailable(f"the acknowledgement of {topic} is lost")

    def expect(self, group: str, topics: Sequence[str], *, keeps_account: bool = False) -> None:
        if self._bus is not None:
            self._bus.expect(group, topics, keeps_account=keeps_account)

    def subscribe(self, group: str, topics: Sequence[str]) -> BusSubscription:
        if self._bus is None:
            raise Unavailable("nobody reads here")
        return self._bus.subscribe(group, topics)

    async def close(self) -> None:
        if self._bus is not None:
            await self._bus.close()

    def places(self, stream: str) -> list[Place]:
        """The places of a stream's events in the order in which they were sent."""
        envelopes = [decode(message) for _, message in self.sent]
        return [envelope.place for envelope in envelopes if envelope.stream == stream]


class WatchedBackfill:
    """The way to the owner, which can be cut; counts what was asked for."""

    def __init__(self) -> None:
        self.owner: Notes | None = None
        self.away = False
        self.asked: list[str] = []

    def _contracts(self) -> ContractLog:
        if self.away or self.owner is None:
            raise Unavailable("the owner of the notes does not answer")
        return self.owner.publisher.contracts

    async def contract_events(self, tenant: str, stream: str, after: Place) -> list[Message]:
        contracts = self._contracts()
        self.asked.append(stream)
        return await contracts.contract_events(tenant, stream, after)

    async def streams(self, tenant: str, topics: Sequence[str]) -> list[str]:
        return await self._contracts().streams(tenant, topics)

    async def incarnation(self, tenant: str) -> str:
        return await self._contracts().incarnation(tenant)


class FailingStore:
    """An event store whose appends, while ``fails`` is set, raise before or after their effect; counts what is looked up."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self.fails: str | None = None
        self.looked_up = 0

    async def append(self, commits: Sequence[Commit]) -> list[AppendOutcome]:
        if self.fails == "before":
            raise Unavailable("the store is away")
        outcomes = await self._store.append(commits)
        if self.fails == "after":
            raise Unavailable("the reply is lost")
        return outcomes

    async def read_streams(self, tenant: str, streams: Iterable[str]) -> dict[str, list[Commit]]:
        self.looked_up += 1
        return await self._store.read_streams(tenant, streams)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class Reader:
    """A neighbour that takes the notes in."""

    def __init__(
        self, log: Log, bus: Bus, backfill: WatchedBackfill, subscription: Subscription = SUBSCRIPTION
    ) -> None:
        self.log = log
        self.store = FailingStore(log.store)
        known = EventRegistry()
        for ce_type, message in subscription.types.items():
            known.contract(ce_type, message)
        self.registry = known
        self.inlet = Inlet("reader", subscription, self.store, log.documents, known, bus, backfill)

    async def take_in(self) -> int:
        """Settle everything that is there; how many messages that were."""
        settled = 0
        while some := await self.inlet.step():
            settled += some
        return settled

    async def commits(self, stream: str, tenant: str = TENANT) -> list[Commit]:
        return await self.log.store.read_stream(tenant, f"{SERVICE}/{stream}")

    async def held(self, stream: str, tenant: str = TENANT) -> list[str | int]:
        """The texts and numbers that the log holds of a stream, in order."""
        return [
            self.registry.decode(event).value
            for commit in await self.commits(stream, tenant)
            for event in commit.events
        ]

    async def parked(self, tenant: str = TENANT) -> dict[str, str]:
        """The parked streams, each with the first word of the reason."""
        return {
            entry.key.removeprefix(f"{SERVICE}/"): entry.reason.partition(":")[0]
            for entry in await Parking(self.log.documents).parked(tenant)
        }
