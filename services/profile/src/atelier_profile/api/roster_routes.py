"""Rosters: sent, previewed, accepted, watched."""

from typing import Annotated

from atelier_common.errors import InvalidInput, NotFound
from atelier_common.http.kit import CallerDep, JsonResponse, PageDep, command_context, require
from fastapi import APIRouter, Query, Request
from starlette.datastructures import UploadFile
from starlette.responses import Response

from atelier_profile.api.access import DISTRICT
from atelier_profile.api.answers import accepted_json, page_json
from atelier_profile.api.bodies import AcceptanceBody
from atelier_profile.domain.roster_import import roster_import
from atelier_profile.importing.rosters import plan_view
from atelier_profile.profile import Profile

PREFIX = "/profile/v1/roster-imports"


def roster_routes(profile: Profile) -> APIRouter:
    router = APIRouter(prefix=PREFIX, tags=["rosters"])

    @router.post("", openapi_extra={"requestBody": {"content": {"application/zip": {}, "multipart/form-data": {}}}})
    async def send_roster(
        request: Request,
        caller: CallerDep,
        preview: Annotated[bool, Query(description="only compare; apply later by accepting")] = False,
        confirm_deactivations: Annotated[
            int | None, Query(description="the exact number, beyond the threshold")
        ] = None,
    ) -> Response:
        """Send a OneRoster 1.2 CSV zip. It is refused whole or compared whole; 202 when it is being applied."""
        require(caller, *DISTRICT)
        received = await profile.rosters.preview(command_context(request, caller, profile.clock), await _zip(request))
        plan = plan_view(received.plan)
        if received.accepted is None:
            return JsonResponse({"import_id": received.import_id, "state": "unchanged", **plan})
        location = f"{PREFIX}/{received.import_id}"
        if preview:
            more = {"import_id": received.import_id, "state": "previewed", **plan}
            return accepted_json(received.accepted, 201, location, **more)
        context = command_context(request, caller, profile.clock, 1)
        accepted = await profile.rosters.accept(context, received.import_id, confirm_deactivations)
        return accepted_json(accepted, 202, location, import_id=received.import_id, state="applying", **plan)

    @router.post("/{import_id}/acceptance")
    async def accept_roster(import_id: str, body: AcceptanceBody, request: Request, caller: CallerDep) -> Response:
        """Let a previewed import be applied."""
        require(caller, *DISTRICT)
        context = command_context(request, caller, profile.clock)
        accepted = await profile.rosters.accept(context, import_id, body.confirm_deactivations)
        return accepted_json(accepted, 202, f"{PREFIX}/{import_id}", import_id=import_id, state="applying")

    @router.get("")
    async def list_imports(caller: CallerDep, page: PageDep) -> Response:
        """Imports by the time of their preview."""
        require(caller, *DISTRICT)
        found = await profile.imports.scan(caller.tenant, "previewed_at", page.start, None, page.wanted)
        return page_json(*page.cut([(document["previewed_at"], document) for _, document in found]))

    @router.get("/{import_id}")
    async def show_import(import_id: str, caller: CallerDep) -> Response:
        """How far an import has come: always up to its last step."""
        require(caller, *DISTRICT)
        _, version = await profile.service.commands.load(roster_import, caller.tenant, import_id)
        if version:
            await profile.imports.caught_up(caller.tenant, f"{roster_import.category}/{import_id}", version)
        document = await profile.imports.get(caller.tenant, import_id)
        if document is None:
            raise NotFound("no such import")
        return JsonResponse(document)

    return router


async def _zip(request: Request) -> bytes:
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        return await request.body()
    async with request.form(max_files=1, max_fields=5) as form:
        sent = form.get("file")
        if not isinstance(sent, UploadFile):
            raise InvalidInput("send the zip as the form field 'file', or as the body itself", field="file")
        return await sent.read()
