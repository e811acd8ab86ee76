"""Edits of a path over HTTP: the learner's own, a coach's, and gates that a named person settles."""

from dataclasses import dataclass
from typing import Any

from atelier_common.clock import Clock
from atelier_common.commands import Commands
from atelier_common.commands import Request as Asked
from atelier_common.commit import Context
from atelier_common.errors import Forbidden
from atelier_common.http.kit import (
    CallerDep,
    JsonResponse,
    command_context,
    etag,
    if_match,
    require,
    require_learner,
    required_if_match,
)
from atelier_common.ids import derive_id
from atelier_common.privacy.keysource import KeySource
from atelier_common.security.tokens import Caller
from atelier_common.timers import Timer, Timers
from fastapi import APIRouter, Request

from atelier_pathing.api.bodies import CoachEdit, Defer, Reorder, TestOut, Waiver
from atelier_pathing.api.paths import NOTE, FrameworkId
from atelier_pathing.api.showing import ADULT_ROLES
from atelier_pathing.curriculum import Taught
from atelier_pathing.domain.path import path_key
from atelier_pathing.domain.path_commands import EditPath, EndDeferrals, PathCommand, SettleGate
from atelier_pathing.domain.path_edits import DAY
from atelier_pathing.domain.path_events import AuthorRole, Tag
from atelier_pathing.reading import Paths

DEFERRAL_ENDS = "pathing.deferral-ends"


@dataclass(frozen=True)
class PathEditors:
    commands: Commands
    paths: Paths
    timers: Timers
    keys: KeySource
    clock: Clock


def edit_routes(editors: PathEditors) -> APIRouter:
    router = APIRouter(prefix="/pathing/v1/learners/{learner_id}", tags=["path edits"])

    @router.post("/path/reorder")
    async def reorder(
        learner_id: str, body: Reorder, request: Request, caller: CallerDep, framework_id: FrameworkId = ""
    ) -> JsonResponse:
        """Choose what comes first among what is ready. Needs If-Match with the path's ETag."""
        context, role = _author(editors, request, caller, learner_id)
        command = EditPath(
            context.now,
            caller.subject,
            role,
            _tag(role),
            context.command_id,
            order=tuple(body.competency_ids),
            seen=required_if_match(request),
        )
        return await _edit(editors, caller, learner_id, framework_id, command, context)

    @router.post("/path/defer")
    async def defer(
        learner_id: str, body: Defer, request: Request, caller: CallerDep, framework_id: FrameworkId = ""
    ) -> JsonResponse:
        """Put something off that is ready; it comes back by itself. Or take that back."""
        context, role = _author(editors, request, caller, learner_id)
        command = EditPath(
            context.now,
            caller.subject,
            role,
            _tag(role),
            context.command_id,
            defer={} if body.resume or body.until_ms is None else {body.competency_id: body.until_ms},
            defer_for={} if body.resume or body.until_ms is not None else {body.competency_id: body.days * DAY},
            resume=(body.competency_id,) if body.resume else (),
            seen=if_match(request),
        )
        return await _edit(editors, caller, learner_id, framework_id, command, context)

    @router.post("/path/test-out")
    async def test_out(
        learner_id: str, body: TestOut, request: Request, caller: CallerDep, framework_id: FrameworkId = ""
    ) -> JsonResponse:
        """Ask to show something without being taught, ready for it or not."""
        context, role = _author(editors, request, caller, learner_id)
        command = EditPath(
            context.now,
            caller.subject,
            role,
            _tag(role),
            context.command_id,
            test_out=(body.competency_id,),
            seen=if_match(request),
        )
        return await _edit(editors, caller, learner_id, framework_id, command, context)

    @router.post("/path/coach-edits")
    async def coach_edit(
        learner_id: str, body: CoachEdit, request: Request, caller: CallerDep, framework_id: FrameworkId = ""
    ) -> JsonResponse:
        """A coach's edit with its reason, all of it or nothing. Needs If-Match with the path's ETag."""
        require(caller, *ADULT_ROLES)
        context, role = _author(editors, request, caller, learner_id)
        command = EditPath(
            context.now,
            caller.subject,
            role,
            body.tag,
            context.command_id,
            order=None if body.order is None else tuple(body.order),
            defer={one.competency_id: one.until_ms for one in body.defer},
            resume=tuple(body.resume),
            test_out=tuple(body.test_out),
            note=await editors.keys.seal(caller.tenant, learner_id, NOTE, body.reason),
            seen=required_if_match(request),
        )
        return await _edit(editors, caller, learner_id, framework_id, command, context)

    @router.post("/waivers")
    async def settle(
        learner_id: str, body: Waiver, request: Request, caller: CallerDep, framework_id: FrameworkId = ""
    ) -> JsonResponse:
        """Waive a prerequisite for this learner, count it as shown elsewhere, or take either back: by a named person."""
        require(caller, *ADULT_ROLES)
        context, role = _author(editors, request, caller, learner_id)
        command = SettleGate(
            context.now,
            caller.subject,
            role,
            context.command_id,
            body.competency_id,
            body.kind,
            await editors.keys.seal(caller.tenant, learner_id, NOTE, body.reason),
            if_match(request),
        )
        path = await editors.paths.open(caller.tenant, learner_id, framework_id)
        return await _execute(editors, path.taught, learner_id, command, context)

    return router


def _author(editors: PathEditors, request: Request, caller: Caller, learner_id: str) -> tuple[Context, AuthorRole]:
    """A guardian sees a path and does not change it."""
    require_learner(caller, learner_id, *ADULT_ROLES)
    context = command_context(request, caller, editors.clock)
    if caller.has(*ADULT_ROLES):
        return context, "counselor" if caller.has("counselor") and not caller.has("coach") else "coach"
    if caller.has("student"):
        return context, "learner"
    raise Forbidden("The learner or an adult of the school changes a path.", roles=["student", *ADULT_ROLES])


def _tag(role: AuthorRole) -> Tag:
    return "student-voice" if role == "learner" else "approach"


async def _edit(
    editors: PathEditors, caller: Caller, learner_id: str, framework_id: str, command: EditPath, context: Context
) -> JsonResponse:
    path = await editors.paths.open(caller.tenant, learner_id, framework_id)
    framework = path.taught.framework.framework_id
    for competency_id, until in command.deferrals.items():
        # Before the edit: a timer for a deferral that is then refused ends nothing.
        timer_id = derive_id(caller.tenant, path_key(learner_id, framework), f"{DEFERRAL_ENDS}:{competency_id}", until)
        payload = {"learner_id": learner_id, "framework_id": framework}
        await editors.timers.schedule(caller.tenant, timer_id, until, DEFERRAL_ENDS, payload)
    return await _execute(editors, path.taught, learner_id, command, context)


async def _execute(
    editors: PathEditors, taught: Taught, learner_id: str, command: PathCommand, context: Context
) -> JsonResponse:
    key = path_key(learner_id, taught.framework.framework_id)
    accepted = await editors.commands.execute(Asked(taught.decider, key, command, context))
    result: dict[str, Any] = accepted.result
    return JsonResponse(
        {**result, "stream": accepted.stream, "version": accepted.version, "repeated": accepted.repeated},
        headers={"ETag": etag(result["revision"])},
    )


async def end_deferrals(editors: PathEditors, timer: Timer) -> None:
    """What the timer of a deferral does: offer again what was put off until now."""
    payload = timer.payload
    taught = await editors.paths.taught(timer.tenant, payload["framework_id"])
    key = path_key(payload["learner_id"], payload["framework_id"])
    command = EndDeferrals(timer.due_ms, timer.id)
    await editors.commands.execute(Asked(taught.decider, key, command, timer.context()))
