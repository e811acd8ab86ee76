"""The world of the working suite: errands that are asked for, run by processes which share them over a bus."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from atelier_common.asking import Work
from atelier_common.bus.memory import MemoryBus
from atelier_common.bus.port import Message
from atelier_common.clock import SimulatedClock
from atelier_common.commands import Commands, Request
from atelier_common.commit import Context, RecordedEvent
from atelier_common.conformance.material import TENANT, until
from atelier_common.conformance.notes import START, Log
from atelier_common.conformance.running_world import SharedStore
from atelier_common.decider import Decider
from atelier_common.errors import RuleBroken, Unavailable
from atelier_common.events import EventRegistry
from atelier_common.parking import ParkedKey, Parking
from atelier_common.publisher import ContractEvent, ContractLog
from atelier_common.reaction import Issue
from atelier_common.service import Service

SERVICE = "house"
TOPIC = "house.errand"
GROUP = "house-works-errand"
WORKER = "work:errand"
_LEASE_MS = 2_000


@dataclass(frozen=True)
class Asked:
    whom: str
    what: str


@dataclass(frozen=True)
class Answered:
    whom: str
    until: int


@dataclass(frozen=True)
class Run:
    """What was run in one go."""

    errands: tuple[str, ...]


@dataclass(frozen=True)
class Ask:
    whom: str
    what: str
    now: int = 0


@dataclass(frozen=True)
class Answer:
    whom: str
    until: int


@dataclass(frozen=True)
class RunThem:
    errands: tuple[str, ...]


def _run(command: RunThem, _done: tuple[tuple[str, ...], ...]) -> list[Run]:
    if "refused" in command.errands:
        raise RuleBroken("nobody runs that")
    return [Run(command.errands)]


def registry() -> EventRegistry:
    known = EventRegistry()
    known.event("errand.asked")(Asked)
    known.event("errand.answered")(Answered)
    known.event("run")(Run)
    return known


KNOWN = registry()
ASKING: Decider[Ask, int, Asked] = Decider(
    "errand", KNOWN, int, lambda ask, _: [Asked(ask.whom, ask.what)], lambda asked, _: asked + 1
)
ANSWERING: Decider[Answer, int, Answered] = Decider(
    "errand-answered",
    KNOWN,
    int,
    lambda answer, so_far: [Answered(answer.whom, answer.until)] if answer.until > so_far else [],
    lambda _, event: event.until,
)
RUNS: Decider[RunThem, tuple[tuple[str, ...], ...], Run] = Decider(
    "run", KNOWN, tuple, _run, lambda done, event: (*done, event.errands)
)


def translate(recorded: RecordedEvent) -> ContractEvent | None:
    match recorded.event:
        case Asked(whom, what):
            return ContractEvent("atelier.house.errand.v1.asked", StringValue(value=what), together=whom)
        case _:
            return None


class ForgetfulBus(MemoryBus):
    """Loses what is published while ``loses`` is set; it was acknowledged all the same."""

    loses = False

    async def publish(self, topic: str, messages: Sequence[Message]) -> None:
        if not (self.loses and topic == TOPIC):
            await super().publish(topic, messages)

    def has_committed(self, group: str, topic: str) -> bool:
        """Whether a group has nothing before it."""
        committed = self._groups[group].committed
        return all(committed.get((topic, number), 0) == one.end for number, one in enumerate(self._topic(topic)))


class Errands:
    """How errands are run in one process: what it ran and from when to when, what it cannot run, and a gate for each whose errands have to
    wait.
    """

    def __init__(self) -> None:
        self.ran: list[tuple[str, ...]] = []
        self.times: list[tuple[float, float]] = []
        self.poison: set[str] = set()
        self.away: set[str] = set()
        self.gates: dict[str, asyncio.Event] = {}
        self.at_work: list[str] = []
        self.most_at_work = 0

    async def do(self, askings: Sequence[RecordedEvent]) -> list[Issue]:
        whom, errands = askings[-1].event.whom, tuple(asking.event.what for asking in askings)
        assert whom not in self.at_work, "one at a time"
        self.at_work.append(whom)
        began = asyncio.get_running_loop().time()
        self.most_at_work = max(self.most_at_work, len(self.at_work))
        try:
            if whom in self.gates:
                await self.gates[whom].wait()
        finally:
            self.at_work.remove(whom)
        if self.away.intersection(errands):
            self.away.difference_update(errands)
            raise Unavailable("not now")
        if self.poison.intersection(errands):
            raise ValueError("nobody can")
        self.ran.append(errands)
        self.times.append((began, asyncio.get_running_loop().time()))
        return [Issue(askings[-1], RUNS, whom, RunThem(errands), tuple(askings[:-1]))]

    def work(self) -> Work:
        return Work(
            name="errand",
            asked="errand.asked",
            answered="errand.answered",
            whose=lambda event: str(event.whom),
            joins=lambda event: event.what != "alone",
            do=self.do,
            answering=ANSWERING,
            answer=Answer,
        )


class WorkingWorld:
    """What the suite stands on; :meth:`make_log` is the adapter's."""

    async def make_log(self) -> Log:
        """A new, empty log and the documents beside it, not started."""
        raise NotImplementedError

    log: Log
    bus: ForgetfulBus

    @pytest.fixture(autouse=True)
    async def _world(self) -> Any:
        self.log = await self.make_log()
        await self.log.store.start()
        self.bus = ForgetfulBus(partitions=4)
        self.asked = 0
        yield
        await self.log.store.close()

    @asynccontextmanager
    async def process(
        self, errands: Errands, owner: str = "one", known: EventRegistry | None = None
    ) -> AsyncIterator[Service]:
        """A process that runs errands, started; stopped at the end."""
        service = Service(
            SERVICE,
            known or KNOWN,
            store=SharedStore(self.log.store),
            documents=self.log.documents,
            bus=self.bus,
            clock=SimulatedClock(START),
            owner=owner,
            lease_ms=_LEASE_MS,
        )
        service.work(errands.work())
        service.publish(translate)
        await service.start()
        try:
            yield service
        finally:
            await service.stop()

    async def ask(self, whom: str, *errands: str, day: str = "monday") -> None:
        """An asking for each errand, as another process of the service would append it; each has its place in the log."""
        store, commands = self.log.store, Commands(self.log.store)
        for what in errands:
            self.asked += 1
            context = Context(TENANT, "somebody", f"asked {self.asked}", START + self.asked)
            accepted = await commands.execute(Request(ASKING, f"{whom}:{day}", Ask(whom, what), context))

            async def placed(stream: str = accepted.stream, version: int = accepted.version) -> bool:
                return await store.position_of(TENANT, stream, version) is not None

            await until(placed, bell=store.changed)

    async def messages(self, whom: str, *, until: int | None = None) -> list[Message]:
        """The askings of a Monday as they are published, up to a version."""
        contracts = ContractLog(SERVICE, self.log.store, KNOWN, translate)
        if until is None:
            return await contracts.contract_events(TENANT, f"errand/{whom}:monday")
        commits = await self.log.store.read_stream(TENANT, f"errand/{whom}:monday", 0, until)
        placed = [replace(commit, position=number) for number, commit in enumerate(commits, 1)]
        return (await contracts.outgoing(TENANT, placed)).messages[TOPIC]

    async def runs(self, whom: str) -> list[str]:
        """What was run for somebody, in order."""
        done, _ = await Commands(self.log.store).load(RUNS, TENANT, whom)
        return [errand for some in done for errand in some]

    async def parked(self) -> list[ParkedKey]:
        return await Parking(self.log.documents).parked(TENANT)

    async def settled(self, service: Service) -> None:
        async def idle() -> bool:
            return service.leading and await service.idle()

        await until(idle)

    async def until_ran(self, whom: str, *errands: str) -> None:
        async def there() -> bool:
            return await self.runs(whom) == list(errands)

        await until(there)
