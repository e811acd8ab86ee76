"""A school in a test: pathing on SQLite, with a profile and an assessment service that say what they are told to."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from atelier.assessment.v1.events_pb2 import MasteryChanged
from atelier.pathing.v1.events_pb2 import FrameworkListed, PathRevised
from atelier.profile.v1.events_pb2 import LearnerChanged, LearnerErased
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
from atelier_pathing.bootstrap import Pathing, build
from google.protobuf.message import Message

NOW = 1_790_000_000_000
TENANT = "district-1"
CASE = "https://example.org/ims/case/v1p1"
STAMP = "2026-08-01T00:00:00Z"
DOCUMENT = "00000000-0000-4000-8000-0000000000d0"
SPOKEN: dict[str, type[Message]] = {
    "atelier.profile.learner.v1.changed": LearnerChanged,
    "atelier.profile.learner.v1.erased": LearnerErased,
    "atelier.assessment.mastery.v1.changed": MasteryChanged,
}
HEARD: dict[str, type[Message]] = {
    "atelier.pathing.framework.v1.listed": FrameworkListed,
    "atelier.pathing.path.v1.revised": PathRevised,
}


@dataclass(frozen=True, slots=True)
class Say:
    type: str
    payload: str
    now: int


def _speaker(category: str) -> Decider[Any, Any, Any]:
    registry = EventRegistry()

    @registry.event("said")
    @dataclass(frozen=True, slots=True)
    class Said:
        type: str
        payload: str

    return Decider(category, registry, int, lambda say, _: [Said(say.type, say.payload)], lambda count, _: count + 1)


def _translate(recorded: RecordedEvent) -> ContractEvent:
    said = recorded.event
    return ContractEvent(said.type, SPOKEN[said.type].FromString(base64.b64decode(said.payload)))


def competency(name: str) -> str:
    """The identifier of a competency that tests call by one letter."""
    return f"00000000-0000-4000-8000-0000000000{ord(name):02x}"


def framework(
    names: str, *orders: str, statements: dict[str, str] | None = None, document: str = DOCUMENT, **of_items: Any
) -> dict[str, Any]:
    """A CASE package. ``"a>b"`` is an order, ``"a=>b"`` an essential one."""

    def node(name: str) -> dict[str, str]:
        return {"title": name, "identifier": competency(name), "uri": f"{CASE}/CFItems/{competency(name)}"}

    def association(place: int, order: str) -> dict[str, Any]:
        first, second = order.replace("=>", ">").split(">")
        return {
            "identifier": f"00000000-0000-4000-9000-{place:012d}",
            "uri": f"{CASE}/CFAssociations/{place}",
            "associationType": "precedes",
            "originNodeURI": node(first),
            "destinationNodeURI": node(second),
            "lastChangeDateTime": STAMP,
            **({"extensions": {"essential": True}} if "=>" in order else {}),
        }

    return {
        "CFDocument": {
            "identifier": document,
            "uri": f"{CASE}/CFDocuments/{document}",
            "creator": "Example District",
            "title": "Making things",
            "caseVersion": "1.1",
            "lastChangeDateTime": STAMP,
        },
        "CFItems": [
            {
                "identifier": competency(name),
                "uri": f"{CASE}/CFItems/{competency(name)}",
                "fullStatement": (statements or {}).get(name, f"Can make {name}"),
                "humanCodingScheme": f"G4.{name.upper()}",
                "educationLevel": ["04"],
                "lastChangeDateTime": STAMP,
                **of_items,
            }
            for name in names
        ],
        "CFAssociations": [association(place, order) for place, order in enumerate(orders)],
    }


class School:
    """What a test does to pathing through its doors, and what comes out of them."""

    def __init__(self, folder: Path) -> None:
        self.clock = SimulatedClock(NOW)
        self.bus = MemoryBus(partitions=1)
        self.issuer = TokenIssuer(folder)
        self.keys = Keyring(MemoryDocuments(), b"k" * 32)
        self.heard: list[Message] = []
        self._folder = folder
        self._neighbours = Neighbours()
        self._speakers: dict[str, tuple[Service, Decider[Any, Any, Any]]] = {}
        self._said = 0
        self._ear = self.bus.subscribe("test", ["pathing.framework", "pathing.path"])
        self.pathing = self._build()

    def _build(self) -> Pathing:
        database = SqliteDatabase(self._folder / "pathing.sqlite")
        return build(
            store=SqliteEventStore(database),
            documents=SqliteDocuments(database),
            bus=self.bus,
            backfills={name: self._neighbours.at(name) for name in ("profile", "assessment")},
            clock=self.clock,
            keys=self.keys,
            owner="only",
        )

    async def start(self) -> None:
        for name, category in (("profile", "learner"), ("assessment", "mastery")):
            decider = _speaker(category)
            database = SqliteDatabase(self._folder / f"{name}.sqlite")
            service = Service(
                name,
                decider.registry,
                store=SqliteEventStore(database),
                documents=SqliteDocuments(database),
                bus=self.bus,
                clock=self.clock,
                owner="only",
            )
            service.publish(_translate)
            assert service.publisher is not None
            self._neighbours.add(service.publisher.contracts)
            self._speakers[category] = (service, decider)
            await service.start()
        await self.pathing.service.start()

    async def stop(self) -> None:
        await self.pathing.service.stop()
        for service, _ in self._speakers.values():
            await service.stop()

    async def restart(self) -> None:
        """Pathing ends and starts again on the same file."""
        await self.pathing.service.stop()
        self.pathing = self._build()
        await self.pathing.service.start()

    async def enrol(self, *names: str) -> list[str]:
        learners = [await self.keys.pseudonym(TENANT, "learner", name) for name in names]
        for learner in learners:
            await self.keys.create(TENANT, learner)
            changed = LearnerChanged(learner_id=learner, active=True, site_ids=["school-1"])
            await self._say("learner", learner, "atelier.profile.learner.v1.changed", changed)
        await self.settle()
        return learners

    async def erase(self, learner: str) -> None:
        erased = LearnerErased(learner_id=learner, erased_at_ms=self.clock.now(), request_id="request-1")
        await self._say("learner", learner, "atelier.profile.learner.v1.erased", erased)
        await self.settle()

    async def master(
        self, learner: str, name: str, estimate: float = 0.95, uncertainty: float = 0.05, earned: bool | None = None
    ) -> None:
        """The assessment service says a learner's mastery; earned where the estimate is high, unless told."""
        changed = MasteryChanged(
            learner_id=learner,
            competency_id=competency(name),
            estimate=estimate,
            uncertainty=uncertainty,
            earned=estimate >= 0.9 if earned is None else earned,
            evidence_ids=[f"evidence-{name}"],
            performed_at_ms=self.clock.now(),
        )
        await self._say("mastery", f"{learner}:{competency(name)}", "atelier.assessment.mastery.v1.changed", changed)
        await self.settle()

    async def _say(self, category: str, key: str, ce_type: str, message: Message) -> None:
        service, decider = self._speakers[category]
        self._said += 1
        payload = base64.b64encode(message.SerializeToString()).decode()
        context = Context(TENANT, "test", f"say-{self._said}", self.clock.now())
        await service.commands.execute(Request(decider, key, Say(ce_type, payload, self.clock.now()), context))

    async def settle(self) -> None:
        """Until nobody has anything left to do; what was published then stands in ``heard``."""
        quiet = 0
        for _ in range(12_000):
            services = (*(service for service, _ in self._speakers.values()), self.pathing.service)
            idle = [await service.idle() for service in services]
            quiet = quiet + 1 if all(idle) and await self._taken_in() >= self._said else 0
            if quiet >= 3:
                break
            await asyncio.sleep(0.005)
        else:
            raise AssertionError("the school does not come to rest")
        for delivery in await self._ear.fetch(100_000, 0.01):
            envelope = decode(delivery.message)
            self.heard.append(HEARD[envelope.type].FromString(envelope.payload))

    async def _taken_in(self) -> int:
        store = self.pathing.service.store
        streams = [
            *await store.list_streams(TENANT, "profile/"),
            *await store.list_streams(TENANT, "assessment/"),
        ]
        return sum([len(await store.read_stream(TENANT, stream)) for stream in streams])

    def client(
        self, *roles: str, subject: str = "", learners: Sequence[str] = (), tenant: str = TENANT
    ) -> httpx.AsyncClient:
        token = self.issuer.issue(tenant, subject or f"{roles[0]}-1", roles, 60, learners)
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.pathing.app(self.issuer.verifier())),
            base_url="http://test",
            headers={"Authorization": f"Bearer {token}"},
        )

    async def adopt(self, package: dict[str, Any]) -> httpx.Response:
        """Import a package through the door of the district, which follows its first framework."""
        async with self.client("district-admin") as admin:
            answer = await admin.post("/pathing/v1/frameworks", content=json.dumps(package))
        await self.settle()
        return answer

    def revisions(self, learner: str) -> list[PathRevised]:
        return [heard for heard in self.heard if isinstance(heard, PathRevised) and heard.learner_id == learner]


@pytest.fixture
async def school(tmp_path: Path) -> AsyncIterator[School]:
    made = School(tmp_path)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def make() -> Any:
    """Makes CASE packages: see :func:`framework`."""
    return framework


@pytest.fixture
def named() -> Any:
    """The identifier of a competency by its letter."""
    return competency
