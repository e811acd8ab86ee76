"""What learners say: goals, requests and objections with their answers, reflections."""

from typing import Any

from atelier_common.errors import NotFound
from atelier_common.http.kit import AfterDep, CallerDep, JsonResponse, PageDep, command_context, require
from atelier_common.security.tokens import Caller
from fastapi import APIRouter, Request
from starlette.responses import Response

from atelier_profile.api.access import STAFF, only_family
from atelier_profile.api.answers import accepted_json, page_json
from atelier_profile.api.bodies import (
    AnswerBody,
    GoalBody,
    GoalClosingBody,
    GoalLogBody,
    ReflectionBody,
    RequestBody,
)
from atelier_profile.api.facts import opened
from atelier_profile.api.supports import provenance, sealed_text
from atelier_profile.domain.goal import CloseGoal, Goal, GoalCommand, LogGoalProgress, Measure, SetGoal, goal, progress
from atelier_profile.domain.provenance import Provenance, Visibility
from atelier_profile.domain.reflection import WriteReflection, reflection
from atelier_profile.domain.request import AnswerRequest, FileRequest, Subject, request
from atelier_profile.profile import Profile
from atelier_profile.projections.learner_progress import progress_key
from atelier_profile.projections.learner_voice import voice_key


def voice_routes(profile: Profile) -> APIRouter:
    router = APIRouter(prefix="/profile/v1", tags=["voice"])

    async def said(caller: Caller, learner_id: str, category: str, after: AfterDep) -> list[dict[str, Any]]:
        await profile.access.learner(caller, learner_id)
        if after is not None:
            await profile.voice.caught_up(caller.tenant, after.stream, after.version)
        found = await profile.voice.all(caller.tenant, "learner", learner_id, learner_id)
        mine = [document for _, document in found if document["category"] == category]
        return await opened(profile.keyring, caller.tenant, mine)

    async def held(caller: Caller, category: str, id: str) -> dict[str, Any]:
        """One thing said, if this caller may see its learner."""
        document = await profile.voice.get(caller.tenant, voice_key(category, id))
        if document is None:
            raise NotFound(f"no such {category}")
        await profile.access.learner(caller, document["learner"])
        return document

    @router.get("/learners/{learner_id}/goals")
    async def list_goals(learner_id: str, caller: CallerDep, after: AfterDep) -> Response:
        """Goals, with progress computed from what was shown."""
        goals = await said(caller, learner_id, "goal", after)
        named = [competency for one in goals for competency in one["goal"]["measure"]["competency_ids"]]
        keys = [progress_key(learner_id, competency) for competency in named]
        shown = await profile.progress.get_many(caller.tenant, keys)
        mastery = {one["competency_id"]: (one["estimate"], one["earned"]) for one in shown.values()}
        return JsonResponse({"items": [_goal_view(one, mastery) for one in goals]})

    @router.post("/learners/{learner_id}/goals")
    async def set_goal(learner_id: str, body: GoalBody, http: Request, caller: CallerDep) -> Response:
        """Set a goal. Refused unless it says how it is measured, what is aimed at and by when."""
        await profile.access.learner(caller, learner_id)
        context = command_context(http, caller, profile.clock)
        statement, digest = await sealed_text(profile.keyring, caller.tenant, learner_id, "statement", body.statement)
        told = body.measure
        measure = Measure(told.kind, told.competency_ids, told.unit) if told is not None else None
        command = SetGoal(
            goal_id=context.command_id,
            learner_id=learner_id,
            statement=statement,
            statement_digest=digest,
            measure=measure,
            target=body.target,
            due=body.due,
            horizon=body.horizon,
            provenance=provenance(body, caller, Visibility.FAMILY),
            now=context.now,
        )
        accepted = await profile.execute(goal, command.goal_id, command, context)
        return accepted_json(accepted, 201, goal_id=command.goal_id)

    async def on_goal(goal_id: str, command: GoalCommand, http: Request, caller: Caller) -> Response:
        await held(caller, "goal", goal_id)
        context = command_context(http, caller, profile.clock)
        return accepted_json(await profile.execute(goal, goal_id, command, context))

    @router.post("/goals/{goal_id}/log")
    async def log_goal(goal_id: str, body: GoalLogBody, http: Request, caller: CallerDep) -> Response:
        """Add to what a counted goal counts."""
        return await on_goal(goal_id, LogGoalProgress(goal_id, body.amount, profile.clock.now()), http, caller)

    @router.post("/goals/{goal_id}/closing")
    async def close_goal(goal_id: str, body: GoalClosingBody, http: Request, caller: CallerDep) -> Response:
        """Close a goal: met, missed or dropped."""
        return await on_goal(goal_id, CloseGoal(goal_id, body.outcome, profile.clock.now()), http, caller)

    @router.get("/learners/{learner_id}/requests")
    async def list_requests(learner_id: str, caller: CallerDep, after: AfterDep) -> Response:
        """Requests and objections, with their answers."""
        items = [_request_view(one) for one in await said(caller, learner_id, "request", after)]
        return JsonResponse({"items": items})

    @router.post("/learners/{learner_id}/requests")
    async def file_request(learner_id: str, body: RequestBody, http: Request, caller: CallerDep) -> Response:
        """Ask for something, or object to it. It gets a recorded answer."""
        only_family(caller, learner_id)
        await profile.access.learner(caller, learner_id)
        context = command_context(http, caller, profile.clock)
        text, digest = await sealed_text(profile.keyring, caller.tenant, learner_id, "text", body.text)
        command = FileRequest(
            request_id=context.command_id,
            learner_id=learner_id,
            kind=body.kind,
            about=Subject(body.about.kind, body.about.id),
            text=text,
            text_digest=digest,
            filed_by=caller.subject,
            now=context.now,
        )
        accepted = await profile.execute(request, command.request_id, command, context)
        return accepted_json(accepted, 201, request_id=command.request_id)

    @router.get("/requests")
    async def list_waiting(caller: CallerDep, page: PageDep) -> Response:
        """Requests that wait for an answer, the oldest first."""
        await profile.access.site(caller, None)
        found = await profile.voice.scan(caller.tenant, "waiting_since", page.start, None, page.wanted)
        documents, cursor = page.cut([(document["waiting_since"], document) for _, document in found])
        return page_json(
            [_request_view(one) for one in await opened(profile.keyring, caller.tenant, documents)], cursor
        )

    @router.post("/requests/{request_id}/answer")
    async def answer_request(request_id: str, body: AnswerBody, http: Request, caller: CallerDep) -> Response:
        """Answer, with the reason; the learner sees both."""
        require(caller, *STAFF)
        filed = await held(caller, "request", request_id)
        context = command_context(http, caller, profile.clock)
        text, digest = await sealed_text(profile.keyring, caller.tenant, filed["learner"], "text", body.text)
        command = AnswerRequest(request_id, body.answer, text, digest, caller.subject, context.now)
        return accepted_json(await profile.execute(request, request_id, command, context))

    @router.get("/learners/{learner_id}/reflections")
    async def list_reflections(learner_id: str, caller: CallerDep, after: AfterDep) -> Response:
        items = [one["reflection"] for one in await said(caller, learner_id, "reflection", after)]
        return JsonResponse({"items": items})

    @router.post("/learners/{learner_id}/reflections")
    async def write_reflection(learner_id: str, body: ReflectionBody, http: Request, caller: CallerDep) -> Response:
        """Look back, linked to the evidence it is about."""
        only_family(caller, learner_id)
        await profile.access.learner(caller, learner_id)
        context = command_context(http, caller, profile.clock)
        text, digest = await sealed_text(profile.keyring, caller.tenant, learner_id, "text", body.text)
        command = WriteReflection(
            reflection_id=context.command_id,
            learner_id=learner_id,
            text=text,
            text_digest=digest,
            evidence_ids=body.evidence_ids,
            competency_ids=body.competency_ids,
            written_by=caller.subject,
            now=context.now,
        )
        accepted = await profile.execute(reflection, command.reflection_id, command, context)
        return accepted_json(accepted, 201, reflection_id=command.reflection_id)

    return router


def _goal_view(document: dict[str, Any], mastery: dict[str, tuple[float, bool]]) -> dict[str, Any]:
    held = document["goal"]
    measure = Measure(held["measure"]["kind"], tuple(held["measure"]["competency_ids"]), held["measure"]["unit"])
    told = held["provenance"]
    known = Provenance(told["source"], told["observed_at"], told["confidence"], Visibility(told["visibility"]))
    aim = Goal(document["learner"], measure, held["target"], held["due"], held["horizon"], known)
    reached = progress(aim, document["logged"], mastery)
    return {
        "goal_id": document["id"],
        **{name: held[name] for name in ("statement", "measure", "target", "due", "horizon")},
        "provenance": told,
        "reached": reached,
        "share": min(1.0, reached / held["target"]),
        "outcome": document["outcome"],
    }


def _request_view(document: dict[str, Any]) -> dict[str, Any]:
    return {"state": document["state"], **document["request"], "answer": document["answer"]}
