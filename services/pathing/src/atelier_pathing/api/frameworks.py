"""Frameworks over HTTP: import a CASE package, look, adopt, mark what gates; and give back what was imported."""

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any

from atelier_common.clock import Clock
from atelier_common.commands import Commands
from atelier_common.commands import Request as Asked
from atelier_common.documents.port import Body
from atelier_common.errors import InvalidInput, NotFound
from atelier_common.eventstore.port import EventStore
from atelier_common.http.kit import AfterDep, CallerDep, JsonResponse, PageDep, command_context, etag, require
from atelier_common.projection import ReadModel
from atelier_words.plain import without_grades
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from atelier_pathing.api.showing import ADULT_ROLES, competency_for, is_adult
from atelier_pathing.case.model import Framework
from atelier_pathing.case.reading import parse_package, read_framework
from atelier_pathing.curriculum import Curriculum, marks_of, taught
from atelier_pathing.domain.framework import (
    FRAMEWORK,
    AdoptFramework,
    FrameworkCommand,
    ImportFramework,
    MarkPrerequisite,
)
from atelier_pathing.packages import Marks, chunks_of, pack

IMPORTERS = ("district-admin",)
MOST_FINDINGS = 100
_PACKAGE_BODY = {
    "requestBody": {
        "required": True,
        "description": "A CFPackage of CASE 1.0 or 1.1",
        "content": {"application/json": {"schema": {"type": "object", "required": ["CFDocument"]}}},
    }
}


@dataclass(frozen=True)
class FrameworkParts:
    commands: Commands
    store: EventStore
    catalogue: ReadModel
    curriculum: Curriculum
    clock: Clock


class Mark(BaseModel):
    """Whether the order from one competency to another gates."""

    from_id: str
    to_id: str
    essential: bool


def framework_routes(parts: FrameworkParts) -> APIRouter:
    router = APIRouter(prefix="/pathing", tags=["frameworks"])

    @router.post("/v1/frameworks", openapi_extra=_PACKAGE_BODY)
    async def import_framework(
        request: Request,
        caller: CallerDep,
        preview: Annotated[bool, Query(description="say what would happen and do nothing")] = False,
        adopt: Annotated[
            bool | None, Query(description="let paths follow it; default: if none or this one is followed already")
        ] = None,
    ) -> JsonResponse:
        """Import a CASE 1.0 or 1.1 package (JSON, at most 64 MB). The same package again changes nothing."""
        require(caller, *IMPORTERS)
        framework, pieces = await asyncio.to_thread(_understand, await request.body())
        present = await parts.catalogue.get(caller.tenant, framework.framework_id)
        await asyncio.to_thread(_teachable, framework, {} if present is None else marks_of(present))
        follows = await _adopts(parts, caller.tenant, framework.framework_id) if adopt is None else adopt
        shown = _imported(framework, follows)
        if preview:
            return JsonResponse(
                {**shown, "preview": True, "difference": await _difference(parts, caller.tenant, framework, present)}
            )
        digests = [await parts.store.put_part(caller.tenant, piece) for piece in pieces]
        context = command_context(request, caller, parts.clock)
        command = ImportFramework(
            context.now,
            framework.framework_id,
            framework.digest,
            framework.uri,
            framework.title,
            framework.case_version,
            tuple(digests),
            len(chunks_of(framework)),
            framework.counts(),
            tuple(_finding(finding) for finding in framework.findings[:MOST_FINDINGS]),
            follows,
            caller.subject,
        )
        accepted = await parts.commands.execute(Asked(FRAMEWORK, framework.framework_id, command, context))
        changed = bool(accepted.result["changed"])
        return JsonResponse(
            {**shown, "preview": False, "changed": changed, "stream": accepted.stream, "version": accepted.version},
            201 if changed else 200,
        )

    @router.get("/v1/frameworks")
    async def list_frameworks(caller: CallerDep, page: PageDep, after: AfterDep) -> JsonResponse:
        """The frameworks of the district."""
        await _wait(parts, caller.tenant, after)
        rows = await parts.catalogue.scan(caller.tenant, low=page.start, limit=page.wanted)
        shown, following = page.cut([(key, _catalogued(body, is_adult(caller))) for key, body in rows])
        return JsonResponse({"frameworks": shown, "next_cursor": following})

    @router.get("/v1/frameworks/{framework_id}")
    async def get_framework(framework_id: str, caller: CallerDep, after: AfterDep) -> JsonResponse:
        """One framework: what was imported, how far it is listed, whether paths follow it."""
        await _wait(parts, caller.tenant, after)
        body = await _found(parts, caller.tenant, framework_id)
        return JsonResponse(_catalogued(body, is_adult(caller)), headers={"ETag": etag(body["version"])})

    @router.get("/v1/frameworks/{framework_id}/competencies")
    async def list_competencies(framework_id: str, caller: CallerDep, page: PageDep) -> JsonResponse:
        """The competencies in teaching order, each with what comes before it."""
        present = await parts.curriculum.present(caller.tenant, framework_id)
        graph, adult = present.graph, is_adult(caller)
        rows = []
        for number in range(page.start or 0, min(len(graph), (page.start or 0) + page.wanted)):
            shown = competency_for(present.competencies[graph.nodes[number].competency_id], adult)
            if not adult and not graph.nodes[number].learnable:
                continue
            shown["needs"] = [graph.nodes[need].competency_id for need in graph.needs[number]]
            shown["follows"] = [graph.nodes[before].competency_id for before in graph.follows[number]]
            rows.append((number, shown))
        shown_rows, following = page.cut(rows)
        return JsonResponse({"competencies": shown_rows, "next_cursor": following})

    @router.post("/v1/frameworks/{framework_id}/adopt")
    async def adopt_framework(framework_id: str, request: Request, caller: CallerDep) -> JsonResponse:
        """Let every learner's path follow the version imported last."""
        require(caller, *IMPORTERS)
        body = await _found(parts, caller.tenant, framework_id)
        context = command_context(request, caller, parts.clock)
        command = AdoptFramework(context.now, framework_id, body["imported"]["digest"], caller.subject)
        return await _accept(parts, Asked(FRAMEWORK, framework_id, command, context))

    @router.post("/v1/frameworks/{framework_id}/prerequisites")
    async def mark_prerequisite(framework_id: str, mark: Mark, request: Request, caller: CallerDep) -> JsonResponse:
        """Decide, as a named person, whether an order of the framework gates."""
        require(caller, *ADULT_ROLES)
        present = await parts.curriculum.present(caller.tenant, framework_id)
        edge = (mark.from_id.lower(), mark.to_id.lower())
        _teachable(present.framework, {**present.marks, edge: mark.essential})
        exists = any((known.from_id, known.to_id) == edge for known in present.framework.prerequisites)
        context = command_context(request, caller, parts.clock)
        command: FrameworkCommand = MarkPrerequisite(
            context.now, framework_id, *edge, mark.essential, exists, caller.subject
        )
        return await _accept(parts, Asked(FRAMEWORK, framework_id, command, context))

    @router.get("/ims/case/v1p1/CFPackages/{framework_id}")
    @router.get("/ims/case/v1p0/CFPackages/{framework_id}")
    async def case_package(framework_id: str, caller: CallerDep) -> JsonResponse:
        """The CASE package as it was imported. For adults: its codes may name grades."""
        require(caller, *ADULT_ROLES, "partner", "operator")
        return JsonResponse(await parts.curriculum.package(caller.tenant, framework_id))

    return router


def _understand(content: bytes) -> tuple[Framework, list[bytes]]:
    package = parse_package(content)
    return read_framework(package), pack(package)


def _teachable(framework: Framework, marks: Marks) -> None:
    """Refuse now what every learner's path would stumble over later. Raises InvalidInput."""
    try:
        taught(framework, marks)
    except ValueError as error:
        raise InvalidInput(f"This cannot be taught: {error}.", reason="too-many-gates") from error


async def _adopts(parts: FrameworkParts, tenant: str, framework_id: str) -> bool:
    adopted = {key for key, body in await parts.catalogue.all(tenant) if body["adopted"]["digest"]}
    return not adopted or framework_id in adopted


async def _accept(parts: FrameworkParts, asked: Asked) -> JsonResponse:
    accepted = await parts.commands.execute(asked)
    return JsonResponse(
        {"changed": accepted.result["changed"], "stream": accepted.stream, "version": accepted.version},
        headers={"ETag": etag(accepted.version)},
    )


async def _wait(parts: FrameworkParts, tenant: str, after: AfterDep) -> None:
    if after is not None:
        await parts.catalogue.caught_up(tenant, after.stream, after.version)


async def _found(parts: FrameworkParts, tenant: str, framework_id: str) -> Body:
    body = await parts.catalogue.get(tenant, framework_id)
    if body is None:
        raise NotFound("There is no such framework.", framework_id=framework_id)
    return body


def _imported(framework: Framework, adopt: bool) -> dict[str, Any]:
    return {
        "framework_id": framework.framework_id,
        "title": framework.title,
        "case_version": framework.case_version,
        "package_digest": framework.digest,
        "adopt": adopt,
        "counts": framework.counts(),
        "findings": [_finding(finding) for finding in framework.findings[:MOST_FINDINGS]],
    }


def _finding(finding: Any) -> dict[str, str]:
    return {
        "code": finding.code,
        "association_id": finding.association_id,
        "association_type": finding.association_type,
        "missing_id": finding.missing_id,
    }


async def _difference(parts: FrameworkParts, tenant: str, framework: Framework, present: Body | None) -> dict[str, Any]:
    """What the package would change against the version imported last."""
    before: dict[str, str] = {}
    edges_before: set[tuple[str, str]] = set()
    if present is not None:
        version = present["imported"]
        known = await parts.curriculum.framework(tenant, version["digest"], version["parts"])
        before = {competency.competency_id: competency.statement for competency in known.competencies}
        edges_before = {(edge.from_id, edge.to_id) for edge in known.prerequisites}
    now = {competency.competency_id: competency.statement for competency in framework.competencies}
    edges = {(edge.from_id, edge.to_id) for edge in framework.prerequisites}
    return {
        "same_package": present is not None and present["imported"]["digest"] == framework.digest,
        "added": len(now.keys() - before.keys()),
        "removed": len(before.keys() - now.keys()),
        "reworded": sum(before[key] != text for key, text in now.items() if key in before),
        "prerequisites_added": len(edges - edges_before),
        "prerequisites_removed": len(edges_before - edges),
    }


def _catalogued(body: Body, adult: bool) -> dict[str, Any]:
    listed = len(body["listed"]) == body["chunks"]
    shown: dict[str, Any] = {
        "framework_id": body["framework_id"],
        "title": body["title"] if adult else without_grades(body["title"]),
        "state": "listed" if listed else "listing",
        "adopted": bool(body["adopted"]["digest"]),
        "up_to_date": body["adopted"]["digest"] == body["imported"]["digest"],
    }
    if adult:
        shown |= {
            "uri": body["uri"],
            "case_version": body["case_version"],
            "package_digest": body["imported"]["digest"],
            "counts": body["counts"],
            "findings": body["findings"],
            "marks": [
                {"from_id": first, "to_id": second, "essential": essential}
                for (first, second), essential in sorted(marks_of(body).items())
            ],
            "imports": body["imports"],
            "imported_by": body["imported_by"],
            "imported_at_ms": body["imported_at"],
        }
    return shown
