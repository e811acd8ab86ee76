"""One process of each real service: what its bootstrap builds, on a database, a bus and neighbours that may fail at any await."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

from atelier_assessment import bootstrap as assessment
from atelier_assessment.recording.known import Known
from atelier_common.backfill import Backfill
from atelier_common.bus.memory import MemoryBus
from atelier_common.clock import Clock
from atelier_common.documents.memory import MemoryDocuments
from atelier_common.errors import Unavailable
from atelier_common.eventstore.documents import DocumentEventStore
from atelier_common.privacy.keyring import Keyring
from atelier_common.security.tokens import TokenVerifier
from atelier_common.service import Service
from atelier_common.testing.simulation import FaultyBackfill, FaultyBus, SeededFaults, loop_milliseconds, loop_seconds
from atelier_pathing import bootstrap as pathing
from atelier_profile import bootstrap as profile
from atelier_scheduling import bootstrap as scheduling
from atelier_scheduling.planning import solving
from fastapi import FastAPI

SERVICES = ("profile", "assessment", "pathing", "scheduling")
MASTER_KEY = b"k" * 32
Result = TypeVar("Result")


@dataclass(frozen=True)
class Surroundings:
    """What every replica is built from."""

    databases: dict[str, MemoryDocuments]
    keys: MemoryDocuments
    """A database of its own, backed up with every key: a key that a restore took away would take what is sealed under it along."""
    bus: MemoryBus
    neighbours: dict[str, Backfill]
    clock: Clock
    verifier: TokenVerifier
    published: Path
    new_incarnation: Callable[[], str]


@dataclass
class Replica:
    """A process: its service, its HTTP door, and its fate."""

    service: Service
    make_app: Callable[[], FastAPI]
    faults: SeededFaults
    unsafe_plans: Callable[[str], Any] | None = None

    @cached_property
    def app(self) -> FastAPI:
        """Made when somebody first calls: many a process ends, or is only looked at, before anybody does."""
        return self.make_app()

    async def stop(self) -> None:
        self.faults.crashed.set()
        await self.service.stop()


class SolverHere:
    """The solver's door without its process, which no seed could govern. Like the process it may die and forget what it held."""

    def __init__(self, faults: SeededFaults, forgets: Callable[[], bool]) -> None:
        self._faults = faults
        self._forgets = forgets
        solving._STATES.clear()

    async def run(self, work: Callable[..., Result], *arguments: Any, **named: Any) -> Result:
        """As SolverProcess does."""
        if self._forgets():
            solving._STATES.clear()
        try:
            await self._faults.before()
            found = work(*arguments, **named)
            await self._faults.after()
        except ConnectionError as error:
            raise Unavailable("the solver's process died three times on the same work") from error
        return found

    def close(self) -> None:
        """There is no process to end."""


def build(name: str, owner: str, around: Surroundings, faults: SeededFaults, forgets: Callable[[], bool]) -> Replica:
    """One more process of a service, not started."""
    documents = around.databases[name].client(faults)
    store = DocumentEventStore(
        documents,
        owner=owner,
        new_incarnation=around.new_incarnation,
        lease_ttl_ms=6_000,
        idle_seconds=0.5,
        now=loop_milliseconds,
    )
    bus = FaultyBus(around.bus, faults)
    backfills: dict[str, Backfill] = {
        other: FaultyBackfill(backfill, faults) for other, backfill in around.neighbours.items() if other != name
    }
    keys = Keyring(around.keys.client(faults), MASTER_KEY)
    common: dict[str, Any] = {"store": store, "documents": documents, "bus": bus, "clock": around.clock, "owner": owner}
    match name:
        case "profile":
            built = profile.build(**common, backfills=backfills, keyring=keys)
            return Replica(built.service, partial(built.app, around.verifier), faults)
        case "assessment":
            # What it remembers for some seconds, it remembers for seconds of the loop.
            with patch("atelier_assessment.bootstrap.Known", partial(Known, monotonic=loop_seconds)):
                own = assessment.build(**common, backfill=backfills, keysource=keys, verifier=around.verifier)
            return Replica(own.service, lambda: own.app, faults)
        case "pathing":
            paths = pathing.build(**common, backfills=backfills, keys=keys)
            return Replica(paths.service, partial(paths.app, around.verifier), faults)
        case _:
            with patch("atelier_scheduling.bootstrap.SolverProcess", lambda: SolverHere(faults, forgets)):
                plans = scheduling.build(**common, backfills=backfills, keys=keys, published=around.published / owner)
            door = partial(scheduling.http_app, plans, around.verifier)
            return Replica(plans.service, door, faults, plans.desk.unsafe_plans)
