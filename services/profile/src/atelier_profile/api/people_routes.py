"""Guardians, adults and the district's own facts."""

from typing import Any

from atelier_common.http.kit import AfterDep, CallerDep, JsonResponse, PageDep, command_context, if_match, require
from fastapi import APIRouter, Request
from starlette.responses import Response

from atelier_profile.api.access import STAFF, SUPPORT_STAFF
from atelier_profile.api.answers import accepted_json, page_json
from atelier_profile.api.bodies import CertificatesBody
from atelier_profile.api.facts import opened
from atelier_profile.domain.adult import RecordCertificates, adult
from atelier_profile.profile import Profile

_END = "\uffff"


def people_routes(profile: Profile) -> APIRouter:
    router = APIRouter(prefix="/profile/v1", tags=["people"])

    @router.get("/learners/{learner_id}/guardians")
    async def list_guardians(learner_id: str, caller: CallerDep, after: AfterDep) -> Response:
        """A learner's guardians; how to reach them is shown to the family and to those who arrange supports."""
        document = await profile.access.learner(caller, learner_id, after)
        keys = [f"guardian/{id}" for id in document["entry"]["guardian_ids"]]
        found = await profile.people.get_many(caller.tenant, keys)
        held = await opened(profile.keyring, caller.tenant, [found[key] for key in keys if key in found])
        reachable = caller.has(*SUPPORT_STAFF) or await profile.access.is_family(caller, document)
        return JsonResponse({"items": [_guardian(one, reachable) for one in held]})

    async def listed(caller: CallerDep, page: PageDep, category: str) -> tuple[list[dict[str, Any]], str]:
        require(caller, *STAFF)
        low = page.start or f"{category}/"
        found = await profile.people.scan(caller.tenant, "_id", low, f"{category}/{_END}", page.wanted)
        documents, cursor = page.cut(found)
        return await opened(profile.keyring, caller.tenant, documents), cursor

    @router.get("/adults")
    async def list_adults(caller: CallerDep, page: PageDep) -> Response:
        adults, cursor = await listed(caller, page, "adult")
        return page_json([_adult(one) for one in adults], cursor)

    @router.put("/adults/{adult_id}/certificates")
    async def record_certificates(
        adult_id: str, body: CertificatesBody, request: Request, caller: CallerDep
    ) -> Response:
        """The certificates an adult holds, as the site's own codes."""
        require(caller, "district-admin", "principal")
        context = command_context(request, caller, profile.clock)
        command = RecordCertificates(adult_id, body.codes, context.now)
        return accepted_json(await profile.execute(adult, adult_id, command, context, if_match(request)))

    @router.get("/sites")
    async def list_sites(caller: CallerDep, page: PageDep) -> Response:
        """Schools and other organisations of the district."""
        sites, cursor = await listed(caller, page, "organisation")
        items = [{"site_id": one["id"], "active": one["active"], **one["organisation"]} for one in sites]
        return page_json(items, cursor)

    @router.get("/academic-sessions")
    async def list_sessions(caller: CallerDep, page: PageDep) -> Response:
        sessions, cursor = await listed(caller, page, "academic_session")
        items = [{"session_id": one["id"], "active": one["active"], **one["session"]} for one in sessions]
        return page_json(items, cursor)

    return router


def _guardian(document: dict[str, Any], reachable: bool) -> dict[str, Any]:
    entry = document["entry"]
    shown = ("display_name", "relation", *(("email", "phone") if reachable else ()))
    return {"guardian_id": document["id"], "active": document["active"], **{name: entry[name] for name in shown}}


def _adult(document: dict[str, Any]) -> dict[str, Any]:
    return {
        "adult_id": document["id"],
        "active": document["active"],
        "display_name": document["entry"]["display_name"],
        "roles": document["entry"]["roles"],
        "certificates": document["certificates"],
    }
