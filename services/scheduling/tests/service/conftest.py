"""A school in a test: scheduling on SQLite with a real keyring and solver, beside neighbours that say what they are told to."""

import asyncio
import base64
import dataclasses
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from atelier.pathing.v1 import events_pb2 as pathing
from atelier.profile.v1 import events_pb2 as profile
from atelier.scheduling.v1 import events_pb2 as contract
from atelier_common.backfill import Neighbours
from atelier_common.bus.envelope import Envelope, decode
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
from atelier_scheduling.bootstrap import Scheduling, build, http_app
from atelier_scheduling.domain.plan import PLAN, PlanProposed, ProposePlan
from atelier_scheduling.domain.registry import REGISTRY
from atelier_scheduling.engine.plan import Plan
from google.protobuf.message import Message

NOW = int(datetime(2026, 9, 9, 12, 0, tzinfo=UTC).timestamp() * 1000)
"""The Wednesday before the week that is planned."""
WEEK = "2026-W38"
SITE = "fictional-school"
DESCRIPTION: dict[str, Any] = json.loads((Path(__file__).parents[1] / "planning" / "small_site.json").read_text())
SPOKEN: dict[str, type[Message]] = {
    "atelier.profile.learner.v1.changed": profile.LearnerChanged,
    "atelier.profile.learner.v1.erased": profile.LearnerErased,
    "atelier.profile.adult.v1.changed": profile.AdultChanged,
    "atelier.pathing.path.v1.revised": pathing.PathRevised,
    "atelier.pathing.framework.v1.listed": pathing.FrameworkListed,
}
HEARD: dict[str, type[Message]] = {
    "atelier.scheduling.plan.v1.proposed": contract.PlanProposed,
    "atelier.scheduling.plan.v1.published": contract.PlanPublished,
    "atelier.scheduling.plan.v1.superseded": contract.PlanSuperseded,
    "atelier.scheduling.obligation.v1.owed": contract.ObligationOwed,
}


@dataclass(frozen=True, slots=True)
class Say:
    type: str
    payload: str
    now: int


def _speaker(categories: Sequence[str]) -> tuple[EventRegistry, dict[str, Decider[Any, Any, Any]]]:
    registry = EventRegistry()

    @registry.event("said")
    @dataclass(frozen=True, slots=True)
    class Said:
        type: str
        payload: str

    def decide(say: Say, _state: int) -> Sequence[Any]:
        return [Said(say.type, say.payload)]

    return registry, {one: Decider(one, registry, int, decide, lambda count, _: count + 1) for one in categories}


def _translate(recorded: RecordedEvent) -> ContractEvent:
    said = recorded.event
    return ContractEvent(said.type, SPOKEN[said.type].FromString(base64.b64decode(said.payload)))


class World:
    """Scheduling, its neighbours and the bus between them. Every test lives in a town (a tenant) of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SimulatedClock(NOW)
        self.bus = MemoryBus(partitions=1)
        self.issuer = TokenIssuer(folder)
        self.keys = Keyring(MemoryDocuments(), b"k" * 32)
        self.said = 0
        self.heard: list[tuple[Envelope, Any]] = []
        self._neighbours = Neighbours()
        self._services: list[Service] = []
        self.speakers: dict[str, tuple[Service, Decider[Any, Any, Any]]] = {}
        self._ear = self.bus.subscribe("test", ["scheduling.plan", "scheduling.obligation"])
        self.scheduling = self._build()

    def _build(self) -> Scheduling:
        database = SqliteDatabase(self.folder / "scheduling.sqlite")
        return build(
            store=SqliteEventStore(database),
            documents=SqliteDocuments(database),
            bus=self.bus,
            backfills={name: self._neighbours.at(name) for name in ("profile", "pathing")},
            clock=self.clock,
            keys=self.keys,
            published=self.folder / "published",
            owner="only",
        )

    async def start(self) -> None:
        for name, categories in (("profile", ("learner", "adult")), ("pathing", ("path", "framework"))):
            registry, deciders = _speaker(categories)
            database = SqliteDatabase(self.folder / f"{name}.sqlite")
            service = Service(
                name,
                registry,
                store=SqliteEventStore(database),
                documents=SqliteDocuments(database),
                bus=self.bus,
                clock=self.clock,
                owner="only",
            )
            service.publish(_translate)
            assert service.publisher is not None
            self._neighbours.add(service.publisher.contracts)
            self._services.append(service)
            self.speakers.update({category: (service, decider) for category, decider in deciders.items()})
            await service.start()
        await self.scheduling.start()

    async def stop(self) -> None:
        await self.scheduling.stop()
        for service in self._services:
            await service.stop()

    async def restart(self) -> None:
        """Scheduling ends and starts again on the same file: its solver holds nothing any more."""
        await self.scheduling.stop()
        self.scheduling = self._build()
        await self.scheduling.start()

    async def settle(self) -> None:
        """Until nobody has anything left to do; what was published then stands in ``heard``."""
        quiet = 0
        for _ in range(12_000):
            idle = [await service.idle() for service in (*self._services, self.scheduling.service)]
            quiet = quiet + 1 if all(idle) and await self._taken_in() >= self.said else 0
            if quiet >= 3:
                break
            await asyncio.sleep(0.005)
        else:
            raise AssertionError("the school does not come to rest")
        for delivery in await self._ear.fetch(100_000, 0.01):
            envelope = decode(delivery.message)
            self.heard.append((envelope, HEARD[envelope.type].FromString(envelope.payload)))

    async def _taken_in(self) -> int:
        store = self.scheduling.service.store
        count = 0
        for tenant in await store.tenants():
            for source in ("profile/", "pathing/"):
                for stream in await store.list_streams(tenant, source):
                    count += len(await store.read_stream(tenant, stream))
        return count


class Town:
    """One tenant of the world: a dozen learners, three adults, one site, and what a test does to them."""

    def __init__(self, world: World, tenant: str) -> None:
        self.world = world
        self.tenant = tenant
        self.learners: list[str] = []

    async def adult(self, name: str) -> str:
        return await self.world.keys.pseudonym(self.tenant, "adult", name)

    async def say(self, category: str, key: str, ce_type: str, message: Message) -> None:
        service, decider = self.world.speakers[category]
        self.world.said += 1
        payload = base64.b64encode(message.SerializeToString()).decode()
        context = Context(self.tenant, "test", f"say-{self.world.said}", self.world.clock.now())
        await service.commands.execute(Request(decider, key, Say(ce_type, payload, self.world.clock.now()), context))

    async def enrol(self, name: str, **more: Any) -> str:
        """A learner of the site, aged nine, whose birth date is sealed; ``more`` are fields of LearnerChanged."""
        learner = await self.world.keys.pseudonym(self.tenant, "learner", name)
        await self.world.keys.create(self.tenant, learner)
        sealed = await self.world.keys.seal(self.tenant, learner, "birth_date", "2017-03-04")
        given: dict[str, Any] = {"active": True, "site_ids": [SITE], "birth_date": sealed, **more}
        changed = profile.LearnerChanged(learner_id=learner, **given)
        await self.say("learner", learner, "atelier.profile.learner.v1.changed", changed)
        return learner

    async def hire(self, name: str, *roles: str, **more: Any) -> str:
        adult = await self.adult(name)
        changed = profile.AdultChanged(adult_id=adult, site_ids=[SITE], roles=roles, **{"active": True, **more})
        await self.say("adult", adult, "atelier.profile.adult.v1.changed", changed)
        return adult

    async def erase(self, learner: str) -> None:
        erased = profile.LearnerErased(learner_id=learner, erased_at_ms=NOW, request_id="request-1")
        await self.world.keys.erase(self.tenant, learner, "asked for", "request-1")
        await self.say("learner", learner, "atelier.profile.learner.v1.erased", erased)

    async def path(self, learner: str, *ready: tuple[str, str], revision: int = 1, estimate: float = 0.4) -> None:
        """The learner's frontier: (competency, subject) in rank order, all of them known so well."""
        revised = pathing.PathRevised(
            learner_id=learner,
            framework_id="framework-1",
            revision=revision,
            frontier=[
                pathing.FrontierEntry(
                    competency_id=one,
                    subject=subject,
                    estimate=estimate,
                    uncertainty=0.1,
                    state=pathing.FRONTIER_STATE_READY,
                    rank=place,
                    evidence_ids=[f"evidence-{one}"],
                )
                for place, (one, subject) in enumerate(ready, 1)
            ],
        )
        await self.say("path", f"{learner}:framework-1", "atelier.pathing.path.v1.revised", revised)

    async def settle_in(self, count: int = 12, **differing: Any) -> None:
        """Everybody comes, the framework is listed, paths are drawn, and the site is described (``differing`` from the file)."""
        names = [f"{subject}-{number}" for subject in ("Numbers", "Words") for number in range(3)]
        listed = pathing.FrameworkListed(
            framework_id="framework-1",
            package_digest="d",
            chunks=1,
            competencies=[
                pathing.Competency(competency_id=one, statement=f"Can do {one}", subject=one.partition("-")[0])
                for one in names
            ],
        )
        await self.say("framework", "framework-1", "atelier.pathing.framework.v1.listed", listed)
        for number in range(3):
            await self.hire(f"adult-{number + 1}", "teacher")
        for number in range(count):
            learner = await self.enrol(f"learner-{number}")
            self.learners.append(learner)
            await self.path(learner, (f"Numbers-{number % 2}", "Numbers"), (f"Words-{number % 2}", "Words"))
        await self.world.settle()
        (await self.put_site(**differing)).raise_for_status()
        await self.world.settle()

    async def put_site(self, headers: dict[str, str] | None = None, **differing: Any) -> httpx.Response:
        return await self.ask("PUT", f"/sites/{SITE}", json={**DESCRIPTION, **differing}, headers=headers or {})

    async def ask(self, method: str, path: str, roles: Sequence[str] = ("principal",), **given: Any) -> httpx.Response:
        token = self.world.issuer.issue(self.tenant, "principal-1", roles, 60)
        app = http_app(self.world.scheduling, self.world.issuer.verifier())
        headers = {"Authorization": f"Bearer {token}", **given.pop("headers", {})}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
            return await http.request(method, f"/scheduling/v1{path}", headers=headers, **given)

    async def propose(self) -> dict[str, Any]:
        """Plan the week; the week's document."""
        answer = await self.ask("POST", f"/sites/{SITE}/plans", params={"week": WEEK})
        assert answer.status_code == 201, answer.text
        await self.world.settle()
        return await self.week()

    async def week(self) -> dict[str, Any]:
        document: dict[str, Any] = (await self.ask("GET", f"/sites/{SITE}/plans/{WEEK}")).json()
        return document

    async def publish(self, acknowledge_owed: bool = False) -> httpx.Response:
        body = {"acknowledge_owed": acknowledge_owed}
        answer = await self.ask("POST", f"/sites/{SITE}/plans/{WEEK}/publication", json=body)
        await self.world.settle()
        return answer

    async def spoil(self) -> None:
        """Propose the week's plan again without anybody who is in charge, as a broken engine would."""
        (proposed,) = [one for one in await self.plans() if isinstance(one, PlanProposed)]
        plan = Plan.from_json(await self.part(proposed.plan_digest))
        alone = tuple(dataclasses.replace(session, staff=()) for session in plan.sessions)
        service = self.world.scheduling.service
        digest = await service.store.put_part(self.tenant, dataclasses.replace(plan, sessions=alone).to_json())
        given = {field.name: getattr(proposed, field.name, None) for field in dataclasses.fields(ProposePlan)}
        spoiled = {"plan_id": "spoiled", "plan_digest": digest, "safe": False, "violations": ("nobody",), "now": NOW}
        command = ProposePlan(**{**given, **spoiled})
        context = Context(self.tenant, "test", "spoil", NOW)
        await service.commands.execute(Request(PLAN, f"{SITE}:{WEEK}", command, context))
        await self.world.settle()

    async def log(self, stream: str) -> list[Any]:
        """Every event of a stream, as it is stored and read back."""
        commits = await self.world.scheduling.service.store.read_stream(self.tenant, stream)
        return [REGISTRY.decode(stored) for commit in commits for stored in commit.events]

    async def plans(self) -> list[Any]:
        return await self.log(f"plan/{SITE}:{WEEK}")

    async def part(self, digest: str) -> bytes:
        return await self.world.scheduling.service.store.get_part(self.tenant, digest)

    def heard(self, kind: type[Message]) -> list[Any]:
        """The contract events of a kind that left scheduling for this town, in order."""
        return [said for envelope, said in self.world.heard if envelope.tenant == self.tenant and type(said) is kind]


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    made = World(tmp_path_factory.mktemp("world"))
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def town(world: World, request: pytest.FixtureRequest) -> Town:
    """A tenant of its own in the world that all tests share."""
    return Town(world, request.node.name[:64])


@pytest_asyncio.fixture(loop_scope="session")
async def lonely(tmp_path: Path) -> AsyncIterator[Town]:
    """A town in a world of its own: its clock may move, its processes may be killed."""
    made = World(tmp_path)
    await made.start()
    yield Town(made, "lonely")
    await made.stop()
