"""Mastery over HTTP: one number for every viewer, opening to the evidence behind it."""

import asyncio
from typing import Any

from atelier_common.commands import Request as Command
from atelier_common.errors import NotFound, Unavailable
from atelier_common.http.kit import (
    After,
    AfterDep,
    CallerDep,
    JsonResponse,
    PageDep,
    command_context,
    etag,
    if_match,
    require,
    require_learner,
)
from atelier_common.security.tokens import Caller
from fastapi import APIRouter, Request
from fastapi.responses import Response

from atelier_assessment.api.bodies import AwardBody, ReasonBody
from atelier_assessment.api.parts import STAFF, Parts, accepted
from atelier_assessment.domain.attempt import Held, attempt
from atelier_assessment.domain.mastery import (
    AwardMastery,
    Mastery,
    WithdrawAward,
    learner_and_competency,
    mastery,
    mastery_key,
)
from atelier_assessment.projections.mastery import shown

_WAIT_SECONDS = 2.0


def routes(parts: Parts) -> APIRouter:
    router = APIRouter(prefix="/assessment/v1/learners/{learner_id}/mastery", tags=["mastery"])

    @router.get("")
    async def list_mastery(learner_id: str, caller: CallerDep, page: PageDep, after: AfterDep) -> Response:
        """Where the learner stands in every competency there is evidence of. The learner sees what the coach sees."""
        await _may_see(parts, caller, learner_id)
        if after is not None:
            await show(parts, caller.tenant, after)
        low, high = mastery_key(learner_id, ""), mastery_key(learner_id, "\uffff")
        rows = await parts.mastery.scan(caller.tenant, low=page.start or low, high=high, limit=page.wanted)
        found = [(key, {"competency_id": learner_and_competency(key)[1], **body}) for key, body in rows]
        standings, following = page.cut(found)
        return JsonResponse({"learner_id": learner_id, "mastery": standings, "next_cursor": following})

    @router.get("/{competency_id}")
    async def get_mastery(learner_id: str, competency_id: str, caller: CallerDep, after: AfterDep) -> Response:
        """One standing, from the log itself."""
        await _may_see(parts, caller, learner_id)
        if after is not None:
            await show(parts, caller.tenant, after)
        state, version = await parts.commands.load(mastery, caller.tenant, mastery_key(learner_id, competency_id))
        if state.standing is None:
            raise NotFound("nothing is known of this learner in this competency")
        body = {"learner_id": learner_id, "competency_id": competency_id, **shown(state.standing)}
        return JsonResponse({**body, "awarded_by": state.awarded_by}, headers={"ETag": etag(version)})

    @router.get("/{competency_id}/evidence")
    async def list_evidence(learner_id: str, competency_id: str, caller: CallerDep, after: AfterDep) -> Response:
        """Every piece of evidence behind the number, in the order in which the work was done."""
        await _may_see(parts, caller, learner_id)
        if after is not None:
            await show(parts, caller.tenant, after)
        state, _ = await parts.commands.load(mastery, caller.tenant, mastery_key(learner_id, competency_id))
        evidence = _evidence(state)
        return JsonResponse({"learner_id": learner_id, "competency_id": competency_id, "evidence": evidence})

    @router.post("/{competency_id}/award")
    async def award(
        learner_id: str, competency_id: str, body: AwardBody, request: Request, caller: CallerDep
    ) -> Response:
        """A named person says that it is earned. No evidence takes it away again."""
        require(caller, "coach", "counselor", "district-admin")
        context = command_context(request, caller, parts.clock)
        at = context.now if body.awarded_at is None else int(body.awarded_at.timestamp() * 1000)
        command = AwardMastery(caller.subject, body.reason, at, context.now)
        key = mastery_key(learner_id, competency_id)
        return accepted(await parts.commands.execute(Command(mastery, key, command, context, if_match(request))))

    @router.post("/{competency_id}/award/withdrawal")
    async def withdraw_award(
        learner_id: str, competency_id: str, body: ReasonBody, request: Request, caller: CallerDep
    ) -> Response:
        """A named person takes an award back, and says why."""
        require(caller, "coach", "counselor", "district-admin")
        context = command_context(request, caller, parts.clock)
        command = WithdrawAward(caller.subject, body.reason, context.now)
        key = mastery_key(learner_id, competency_id)
        return accepted(await parts.commands.execute(Command(mastery, key, command, context, if_match(request))))

    return router


async def _may_see(parts: Parts, caller: Caller, learner_id: str) -> None:
    """Raises NotFound or Forbidden; an erased learner is found by nobody."""
    require_learner(caller, learner_id, *STAFF)
    if await parts.known.is_erased(caller.tenant, learner_id):
        raise NotFound("no such learner")


def _evidence(state: Mastery) -> list[dict[str, Any]]:
    return [
        {
            "evidence_id": each.id,
            "performed_at_ms": each.performed_at,
            "recorded_at_ms": each.recorded_at,
            "score": each.score,
            "success": each.success,
            "kind": each.kind,
            "item": each.item,
            "provider": each.provider,
            "attempt_id": each.attempt,
            "registration": each.registration,
            "conditions": each.conditions,
        }
        for each in state.observations
    ]


async def show(parts: Parts, tenant: str, after: After) -> None:
    """Wait until what was accepted at ``after`` shows in mastery. Raises Unavailable after two seconds.

    Evidence counts through a reaction, so for an attempt the wait is for the standing that it moved.
    """
    category, _, key = after.stream.partition("/")
    if category != attempt.category:
        await parts.mastery.caught_up(tenant, after.stream, after.version, _WAIT_SECONDS)
        return
    state, version = await parts.commands.load(attempt, tenant, key)
    if version < after.version:
        raise NotFound(f"{after} does not exist")
    if not isinstance(state, Held):
        return
    loop = asyncio.get_running_loop()
    until = loop.time() + _WAIT_SECONDS
    for competency in state.counted:
        pair = mastery_key(state.evidence.learner, competency)
        while True:
            counted, reached = await parts.commands.load(mastery, tenant, pair)
            if counted.holds(key):
                break
            if loop.time() > until:
                raise Unavailable("the evidence is recorded, but not estimated yet; read again shortly")
            await asyncio.sleep(0.01)
        await parts.mastery.caught_up(tenant, f"{mastery.category}/{pair}", reached, _WAIT_SECONDS)
