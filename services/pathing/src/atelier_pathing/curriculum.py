"""The adopted frameworks of a tenant as graphs, read from the catalogue and kept until a version or a mark changes."""

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from atelier_common.decider import Decider
from atelier_common.documents.port import Body
from atelier_common.errors import NotFound
from atelier_common.eventstore.port import EventStore
from atelier_common.projection import ReadModel

from atelier_pathing.case.model import Competency, Framework
from atelier_pathing.case.reading import read_framework
from atelier_pathing.domain.path import path_decider
from atelier_pathing.domain.path_commands import PathCommand
from atelier_pathing.domain.path_events import PathEvent
from atelier_pathing.domain.path_state import PathState
from atelier_pathing.engine.graph import Edge, Graph, Node, build_graph
from atelier_pathing.packages import Marks, read_parts, unpack


@dataclass(frozen=True, eq=False)
class Taught:
    """One version of a framework with the marks of its people, ready to think with."""

    framework: Framework
    marks: Marks
    graph: Graph

    @cached_property
    def decider(self) -> Decider[PathCommand, PathState, PathEvent]:
        return path_decider(self.graph)

    @cached_property
    def competencies(self) -> Mapping[str, Competency]:
        return {competency.competency_id: competency for competency in self.framework.competencies}


def taught(framework: Framework, marks: Marks) -> Taught:
    """Raises ValueError where the marked graph cannot be taught (more than 255 gates of one competency)."""
    nodes = [
        Node(competency.competency_id, competency.subject, not competency.container)
        for competency in framework.competencies
    ]
    edges = [
        Edge(edge.from_id, edge.to_id, marks.get((edge.from_id, edge.to_id), edge.essential))
        for edge in framework.prerequisites
    ]
    return Taught(framework, marks, build_graph(_version(framework, marks), nodes, edges))


def _version(framework: Framework, marks: Marks) -> str:
    if not marks:
        return framework.digest
    listed = ",".join(f"{first}>{second}:{int(essential)}" for (first, second), essential in sorted(marks.items()))
    return f"{framework.digest}+{hashlib.sha256(listed.encode()).hexdigest()[:16]}"


def marks_of(catalogued: Body) -> dict[tuple[str, str], bool]:
    return {(first, second): essential for first, second, essential in catalogued["marks"]}


class Curriculum:
    """Reads frameworks of the catalogue. Parsing runs in a thread; what was parsed stays in memory by version."""

    def __init__(self, catalogue: ReadModel, store: EventStore) -> None:
        self._catalogue = catalogue
        self._store = store
        self._parsed: dict[tuple[str, str], Framework] = {}
        self._taught: dict[tuple[str, str], Taught] = {}

    async def adopted(self, tenant: str) -> list[Taught]:
        """Every adopted framework at its adopted version, in order of framework id."""
        return [
            await self._teach(tenant, body, "adopted")
            for _, body in await self._catalogue.all(tenant)
            if body["adopted"]["digest"]
        ]

    async def following(self, tenant: str, framework_id: str) -> Taught:
        """One adopted framework; with an empty id the only one. Raises NotFound."""
        adopted = await self.adopted(tenant)
        found = [one for one in adopted if framework_id in ("", one.framework.framework_id)]
        if not found:
            raise NotFound("No such framework is adopted.", framework_id=framework_id)
        return found[0]

    async def present(self, tenant: str, framework_id: str) -> Taught:
        """One framework at the version imported last, adopted or not. Raises NotFound."""
        body = await self._catalogue.get(tenant, framework_id)
        if body is None:
            raise NotFound("There is no such framework.", framework_id=framework_id)
        return await self._teach(tenant, body, "imported")

    async def package(self, tenant: str, framework_id: str) -> dict[str, object]:
        """The CASE package that was imported last. Raises NotFound."""
        body = await self._catalogue.get(tenant, framework_id)
        if body is None:
            raise NotFound("There is no such framework.", framework_id=framework_id)
        return await self.load(tenant, body["imported"]["parts"])

    async def load(self, tenant: str, parts: list[str]) -> dict[str, object]:
        return await asyncio.to_thread(unpack, await read_parts(self._store, tenant, parts))

    async def framework(self, tenant: str, digest: str, parts: list[str]) -> Framework:
        """A parsed version, by its digest and the parts that hold it."""
        slot = (tenant, digest)
        if slot not in self._parsed:
            package = await self.load(tenant, parts)
            self._parsed[slot] = await asyncio.to_thread(read_framework, package)
        return self._parsed[slot]

    async def _teach(self, tenant: str, body: Body, which: str) -> Taught:
        version = body[which]
        slot = (tenant, f"{body['framework_id']}:{which}")
        known = self._taught.get(slot)
        marks = marks_of(body)
        if known is None or known.framework.digest != version["digest"] or known.marks != marks:
            framework = await self.framework(tenant, version["digest"], version["parts"])
            known = self._taught[slot] = await asyncio.to_thread(taught, framework, marks)
        return known
