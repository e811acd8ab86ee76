"""Policy, calibration and providers over HTTP: read by staff, changed by the district, each change a new version."""

from dataclasses import asdict, replace
from typing import Any

from atelier_common.commands import Request as Command
from atelier_common.errors import NotFound
from atelier_common.http.kit import (
    CallerDep,
    JsonResponse,
    command_context,
    etag,
    if_match,
    require,
    required_if_match,
)
from fastapi import APIRouter, Request
from fastapi.responses import Response

from atelier_assessment.api.bodies import CalibrationBody, PolicyBody, ProviderBody
from atelier_assessment.api.parts import DISTRICT, STAFF, Parts, accepted
from atelier_assessment.domain.provider import RegisterProvider, provider
from atelier_assessment.domain.rules import (
    CALIBRATION_KEY,
    POLICY_KEY,
    AdoptCalibration,
    AdoptPolicy,
    calibration,
    policy,
)
from atelier_assessment.engine.calibration import ItemParameters


def routes(parts: Parts) -> APIRouter:
    router = APIRouter(prefix="/assessment/v1", tags=["rules"])

    @router.get("/policy")
    async def get_policy(caller: CallerDep) -> Response:
        """The mastery policy in force."""
        require(caller, *STAFF)
        state, version = await parts.commands.load(policy, caller.tenant, POLICY_KEY)
        return JsonResponse(
            asdict(state) | {"supporting_only": sorted(state.supporting_only)}, headers={"ETag": etag(version)}
        )

    @router.put("/policy")
    async def put_policy(body: PolicyBody, request: Request, caller: CallerDep) -> Response:
        """Adopt a changed policy as the next version. Nothing that was earned is taken away by it."""
        require(caller, *DISTRICT)
        seen = required_if_match(request)
        state, _ = await parts.commands.load(policy, caller.tenant, POLICY_KEY)
        context = command_context(request, caller, parts.clock)
        changed = _given(body)
        for name in ("kind_weights", "assistance_weights"):
            if name in changed:
                changed[name] = {**getattr(state, name), **changed[name]}
        command = AdoptPolicy(replace(state, **changed), caller.subject, body.reason, context.now)
        return accepted(await parts.commands.execute(Command(policy, POLICY_KEY, command, context, seen)))

    @router.get("/calibration")
    async def get_calibration(caller: CallerDep) -> Response:
        """The calibration in force."""
        require(caller, *STAFF)
        state, version = await parts.commands.load(calibration, caller.tenant, CALIBRATION_KEY)
        return JsonResponse(state, headers={"ETag": etag(version)})

    @router.put("/calibration")
    async def put_calibration(body: CalibrationBody, request: Request, caller: CallerDep) -> Response:
        """Adopt a changed calibration as the next version."""
        require(caller, *DISTRICT)
        seen = required_if_match(request)
        state, _ = await parts.commands.load(calibration, caller.tenant, CALIBRATION_KEY)
        context = command_context(request, caller, parts.clock)
        changed = _given(body)
        if "items" in changed:
            changed["items"] = {
                **state.items,
                **{name: ItemParameters(**item) for name, item in changed["items"].items()},
            }
        if "ordinary" in changed:
            changed["ordinary"] = ItemParameters(**changed["ordinary"])
        command = AdoptCalibration(replace(state, **changed), caller.subject, body.reason, context.now)
        return accepted(await parts.commands.execute(Command(calibration, CALIBRATION_KEY, command, context, seen)))

    @router.get("/providers/{provider_id}")
    async def get_provider(provider_id: str, caller: CallerDep) -> Response:
        require(caller, *STAFF)
        state, version = await parts.commands.load(provider, caller.tenant, provider_id)
        if not version:
            raise NotFound("no such provider is registered")
        body = {"provider_id": provider_id, "title": state.title, "only_kind": state.only_kind}
        return JsonResponse(body, headers={"ETag": etag(version)})

    @router.put("/providers/{provider_id}")
    async def put_provider(provider_id: str, body: ProviderBody, request: Request, caller: CallerDep) -> Response:
        """Register a provider under the subject of its token, or change what is registered."""
        require(caller, *DISTRICT)
        context = command_context(request, caller, parts.clock)
        command = RegisterProvider(body.title, body.only_kind or "", caller.subject, context.now)
        return accepted(
            await parts.commands.execute(Command(provider, provider_id, command, context, if_match(request)))
        )

    return router


def _given(body: PolicyBody | CalibrationBody) -> dict[str, Any]:
    return body.model_dump(exclude={"reason"}, exclude_none=True)
