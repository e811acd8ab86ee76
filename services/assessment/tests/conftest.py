"""A district in a test: the assessment service on SQLite, and two neighbours that say what they are told to say."""

import asyncio
import base64
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from atelier.assessment.v1.events_pb2 import MasteryChanged
from atelier.pathing.v1.events_pb2 import Competency, FrameworkListed
from atelier.profile.v1.events_pb2 import LearnerChanged, LearnerErased
from atelier_assessment.bootstrap import Assessment, build
from atelier_assessment.publish import MASTERY_CHANGED
from atelier_common.backfill import Neighbours
from atelier_common.bus.envelope import decode
from atelier_common.bus.memory import MemoryBus
from atelier_common.clock import SimulatedClock
from atelier_common.commands import Request
from atelier_common.commit import Context, RecordedEvent
from atelier_common.decider import Decider
from atelier_common.documents.memory import MemoryDocuments
from atelier_common.documents.sqlite import SqliteDocuments
from atelier_common.events import EventRegistry
from atelier_common.eventstore.sqlite import SqliteEventStore
from atelier_common.privacy.keyring import Keyring
from atelier_common.publisher import ContractEvent
from atelier_common.security.tokens import TokenIssuer
from atelier_common.service import Service
from atelier_common.sqlite.database import SqliteDatabase
from google.protobuf.message import Message

NOW = 1_790_000_000_000
TENANT = "district-1"
BASE = "https://example.org/ims/case/v1p1/CFItems"
MESSAGES = {
    "atelier.pathing.framework.v1.listed": FrameworkListed,
    "atelier.profile.learner.v1.changed": LearnerChanged,
    "atelier.profile.learner.v1.erased": LearnerErased,
}


@dataclass(frozen=True, slots=True)
class Say:
    type: str
    payload: str
    now: int


def _neighbour(categories: Sequence[str]) -> tuple[EventRegistry, dict[str, Decider[Any, Any, Any]]]:
    registry = EventRegistry()

    @registry.event("Said")
    @dataclass(frozen=True, slots=True)
    class Said:
        type: str
        payload: str

    def decide(command: Say, _state: int) -> Sequence[Any]:
        return (Said(command.type, command.payload),)

    deciders = {
        category: Decider[Any, Any, Any](category, registry, int, decide, lambda state, _event: state + 1)
        for category in categories
    }
    return registry, deciders


def _translate(recorded: RecordedEvent) -> ContractEvent:
    said = recorded.event
    return ContractEvent(said.type, MESSAGES[said.type].FromString(base64.b64decode(said.payload)))


class District:
    """What a test does to the service, through its doors, and what it then reads back."""

    def __init__(self, folder: Path) -> None:
        self.clock = SimulatedClock(NOW)
        self.bus = MemoryBus(partitions=1)
        self.issuer = TokenIssuer(folder)
        self.neighbours = Neighbours()
        self.keys = Keyring(MemoryDocuments(), b"k" * 32)
        self._folder = folder
        self._databases: dict[str, SqliteDatabase] = {}
        self._services: list[Service] = []
        self._deciders: dict[str, tuple[Service, Decider[Any, Any, Any]]] = {}
        self._published = self.bus.subscribe("test", ["assessment.mastery"])
        self._said = 0
        self.heard: list[MasteryChanged] = []
        self.assessment = self._assessment()

    def _storage(self, name: str) -> tuple[SqliteEventStore, SqliteDocuments]:
        database = SqliteDatabase(self._folder / f"{name}.sqlite")
        return SqliteEventStore(database), SqliteDocuments(database)

    def _assessment(self) -> Assessment:
        store, documents = self._storage("assessment")
        backfill = {name: self.neighbours.at(name) for name in ("pathing", "profile")}
        return build(store, documents, self.bus, backfill, self.clock, self.keys, self.issuer.verifier(), owner="only")

    async def start(self) -> None:
        for name, categories in (("pathing", ["framework"]), ("profile", ["learner"])):
            registry, deciders = _neighbour(categories)
            store, documents = self._storage(name)
            service = Service(
                name, registry, store=store, documents=documents, bus=self.bus, clock=self.clock, owner="only"
            )
            service.publish(_translate)
            assert service.publisher is not None
            self.neighbours.add(service.publisher.contracts)
            self._services.append(service)
            self._deciders.update({category: (service, decider) for category, decider in deciders.items()})
            await service.start()
        await self.assessment.service.start()

    async def stop(self) -> None:
        await self.assessment.service.stop()
        for service in self._services:
            await service.stop()

    async def restart(self) -> None:
        """The assessment process ends and starts again on the same file."""
        await self.assessment.service.stop()
        self.assessment = self._assessment()
        await self.assessment.service.start()

    async def _say(self, category: str, key: str, ce_type: str, message: Message) -> None:
        service, decider = self._deciders[category]
        self._said += 1
        payload = base64.b64encode(message.SerializeToString()).decode()
        context = Context(TENANT, "test", f"say-{self._said}", self.clock.now())
        await service.commands.execute(Request(decider, key, Say(ce_type, payload, self.clock.now()), context))

    async def list_framework(
        self, *competencies: str, uri: Callable[[str], str] = lambda item: f"{BASE}/{item}"
    ) -> None:
        listed = FrameworkListed(
            framework_id="framework-1",
            package_digest="d",
            chunks=1,
            competencies=[
                Competency(competency_id=each, uri=uri(each), subject="mathematics") for each in competencies
            ],
        )
        await self._say("framework", "framework-1", "atelier.pathing.framework.v1.listed", listed)
        await self.settle()

    async def enrol(self, *sourced_ids: str) -> list[str]:
        """Their learner ids."""
        learners = [await self.learner(each) for each in sourced_ids]
        for learner in learners:
            changed = LearnerChanged(learner_id=learner, active=True, site_ids=["school-1"])
            await self._say("learner", learner, "atelier.profile.learner.v1.changed", changed)
        await self.settle()
        return learners

    async def erase(self, learner: str) -> None:
        erased = LearnerErased(learner_id=learner, erased_at_ms=self.clock.now(), request_id="request-1")
        await self._say("learner", learner, "atelier.profile.learner.v1.erased", erased)
        await self.settle()

    async def learner(self, sourced_id: str) -> str:
        return await self.keys.pseudonym(TENANT, "learner", sourced_id)

    async def settle(self) -> None:
        """Until nobody has anything left to do; then what was published stands in ``heard``."""
        quiet = 0
        for _ in range(2000):
            idle = [await service.idle() for service in (*self._services, self.assessment.service)]
            quiet = quiet + 1 if all(idle) and await self._all_taken_in() else 0
            if quiet >= 3:
                break
            await asyncio.sleep(0.005)
        else:
            raise AssertionError("the district does not come to rest")
        for delivery in await self._published.fetch(100_000, 0.01):
            envelope = decode(delivery.message)
            assert envelope.type == MASTERY_CHANGED
            self.heard.append(MasteryChanged.FromString(envelope.payload))

    async def _all_taken_in(self) -> bool:
        held = await self.assessment.parts.store.list_streams(TENANT, "p")
        own = [stream for stream in held if stream.startswith(("pathing/", "profile/"))]
        versions = [len(await self.assessment.parts.store.read_stream(TENANT, stream)) for stream in own]
        return sum(versions) >= self._said

    def client(
        self, subject: str = "reader-app", *roles: str, learners: Sequence[str] = (), tenant: str = TENANT
    ) -> httpx.AsyncClient:
        token = self.issuer.issue(tenant, subject, roles or ("partner",), 60, learners)
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.assessment.app),
            base_url="http://test",
            headers={"Authorization": f"Bearer {token}", "X-Experience-API-Version": "1.0.3"},
        )


@pytest.fixture
async def district(tmp_path: Path) -> AsyncIterator[District]:
    made = District(tmp_path)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def statement() -> Callable[..., dict[str, Any]]:
    """Makes statements as a plain reading app would send them."""

    def make(
        number: int, learner: str = "learner-1", competency: str = "", correct: bool = True, **more: Any
    ) -> dict[str, Any]:
        return {
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"statement-{number}")),
            "actor": {"objectType": "Agent", "account": {"homePage": "https://example.org", "name": learner}},
            "verb": {"id": "http://adlnet.gov/expapi/verbs/answered", "display": {"en-US": "answered"}},
            "object": {
                "id": f"https://example.org/items/{number}",
                "definition": {"type": "http://adlnet.gov/expapi/activities/question"},
            },
            "result": {"success": correct, "score": {"scaled": 1.0 if correct else 0.0}},
            "context": {"contextActivities": {"grouping": [{"id": f"{BASE}/{competency}"}]}},
            "timestamp": "2026-09-07T14:00:00.000000Z",
            **more,
        }

    return make


@pytest.fixture
def fractions() -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "fractions"))


@pytest.fixture
def decimals() -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "decimals"))
