"""Evidence over HTTP: batches with an outcome for each piece, and what became of one."""

import hashlib
from typing import Any

from atelier_common.commands import Accepted
from atelier_common.commands import Request as Command
from atelier_common.errors import AtelierError, InvalidInput, NotFound, TooLarge
from atelier_common.http.kit import (
    AfterDep,
    CallerDep,
    JsonResponse,
    PageDep,
    command_context,
    direct,
    etag,
    idempotency_key,
    if_match,
    require,
)
from atelier_common.security.tokens import Caller
from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import ValidationError

from atelier_assessment.api.bodies import LARGEST_BATCH, EvidenceBody, MappingBody, ReasonBody
from atelier_assessment.api.parts import DISTRICT, REPORTERS, Parts, accepted, sender_of
from atelier_assessment.domain.attempt import Held, MapEvidence, Unheard, Voided, VoidEvidence, Voiding, attempt
from atelier_assessment.domain.request import ClaimRequest, claimed_request
from atelier_assessment.recording.report import Report
from atelier_assessment.xapi.batch import parse


def routes(parts: Parts) -> APIRouter:
    router = APIRouter(prefix="/assessment/v1", tags=["evidence"])

    @direct(router, "POST", "/evidence", openapi_extra=_BATCH_BODY)
    async def post_evidence(request: Request, caller: CallerDep) -> Response:
        """Record up to 500 pieces. Each has its own outcome: accepted, repeated, parked with reasons, or refused."""
        require(caller, *REPORTERS)
        context = command_context(request, caller, parts.clock)
        body = await request.body()
        if idempotency_key(request) is not None:
            claim = ClaimRequest(hashlib.sha256(body).hexdigest(), context.now)
            await parts.commands.execute(Command(claimed_request, context.command_id, claim, context, opening=True))
        outcomes, reports = _read(parse(body), context.now)
        recorded = await parts.recorder.record(context, sender_of(caller, "api"), [report for _, report in reports])
        for (place, report), (key, outcome) in zip(reports, recorded, strict=True):
            outcomes[place] = _outcome(report.reference, key, outcome)
        return JsonResponse({"outcomes": outcomes})

    @router.get("/evidence/{evidence_id}")
    async def get_evidence(evidence_id: str, caller: CallerDep) -> Response:
        """One piece of evidence with how it came about, and what became of it."""
        require(caller, "coach", "counselor", "principal", "operator", *REPORTERS)
        state, version = await parts.commands.load(attempt, caller.tenant, evidence_id)
        shown = _shown(state, caller)
        return JsonResponse({"evidence_id": evidence_id, **shown}, headers={"ETag": etag(version)})

    @router.post("/evidence/{evidence_id}/voiding")
    async def void_evidence(evidence_id: str, body: ReasonBody, request: Request, caller: CallerDep) -> Response:
        """Withdraw evidence, with a reason. Its provider may, and the district."""
        require(caller, "partner", *DISTRICT)
        state, _ = await parts.commands.load(attempt, caller.tenant, evidence_id)
        _shown(state, caller)
        context = command_context(request, caller, parts.clock)
        provider = "" if caller.has(*DISTRICT) else caller.subject
        command = VoidEvidence(provider, "", body.reason, context.now)
        return accepted(
            await parts.commands.execute(Command(attempt, evidence_id, command, context, if_match(request)))
        )

    @router.get("/parked")
    async def list_parked(caller: CallerDep, page: PageDep, after: AfterDep) -> Response:
        """Evidence that does not count yet, with its reasons."""
        require(caller, "coach", "counselor", "operator", *DISTRICT)
        if after is not None:
            await parts.parked.caught_up(caller.tenant, after.stream, after.version)
        rows = await parts.parked.scan(caller.tenant, low=page.start, limit=page.wanted)
        shown, following = page.cut([(key, {"evidence_id": key, **body}) for key, body in rows])
        return JsonResponse({"parked": shown, "next_cursor": following})

    @router.post("/parked/{evidence_id}/mapping")
    async def map_parked(evidence_id: str, body: MappingBody, request: Request, caller: CallerDep) -> Response:
        """Say which competencies parked evidence is about. It then counts, as of when it was performed."""
        require(caller, "coach", "counselor", *DISTRICT)
        named = await parts.known.competencies(caller.tenant, body.competencies)
        missing = [target for target in body.competencies if target not in named]
        if missing:
            raise InvalidInput("no framework here lists this competency", field="competencies", unknown=missing)
        context = command_context(request, caller, parts.clock)
        command = MapEvidence(tuple(dict.fromkeys(named.values())), caller.subject, context.now)
        return accepted(
            await parts.commands.execute(Command(attempt, evidence_id, command, context, if_match(request)))
        )

    return router


_BATCH_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["evidence"],
                    "properties": {
                        "evidence": {
                            "type": "array",
                            "maxItems": LARGEST_BATCH,
                            "items": EvidenceBody.model_json_schema(mode="validation"),
                        }
                    },
                }
            }
        },
    }
}


def _read(body: Any, now: int) -> tuple[list[dict[str, Any]], list[tuple[int, Report]]]:
    """Outcomes, with those of malformed pieces filled in, and (place, report) of the others."""
    listed = body.get("evidence") if isinstance(body, dict) else None
    if not isinstance(listed, list):
        raise InvalidInput('the body is {"evidence": [ … ]}', field="evidence")
    if len(listed) > LARGEST_BATCH:
        raise TooLarge(f"a batch has at most {LARGEST_BATCH} pieces of evidence", max_pieces=LARGEST_BATCH)
    outcomes: list[dict[str, Any]] = [{}] * len(listed)
    reports: list[tuple[int, Report]] = []
    for place, piece in enumerate(listed):
        try:
            reports.append((place, EvidenceBody.model_validate(piece).report(now)))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = ".".join(str(step) for step in first["loc"])
            outcomes[place] = _refused(
                piece, InvalidInput(f"{field}: {first['msg']}" if field else first["msg"], field=field)
            )
        except InvalidInput as error:
            outcomes[place] = _refused(piece, error)
    return outcomes, reports


def _refused(piece: Any, error: AtelierError) -> dict[str, Any]:
    given = piece.get("id") if isinstance(piece, dict) else None
    reference = given if isinstance(given, str) else ""
    return {"id": reference, "status": "refused", "code": error.code, "detail": error.detail, **error.extensions}


def _outcome(reference: str, key: str, outcome: Accepted | AtelierError) -> dict[str, Any]:
    if isinstance(outcome, AtelierError):
        return {**_refused({}, outcome), "id": reference, "evidence_id": key}
    status = outcome.result["status"]
    return {
        "id": reference,
        "evidence_id": key,
        "status": "repeated" if outcome.repeated or not outcome.events else status,
        "reasons": outcome.result["reasons"],
        "stream": outcome.stream,
        "version": outcome.version,
    }


def _shown(state: Any, caller: Caller) -> dict[str, Any]:
    """What this caller may see of an attempt. Raises NotFound for nothing, and for another provider's."""
    match state:
        case Held(evidence=evidence):
            more: dict[str, Any] = {"status": "parked" if state.reasons else "counted", "reasons": state.reasons}
            more |= {"competencies": state.counted, "unresolved": state.unresolved, "recorded_at_ms": state.recorded_at}
        case Voided(evidence=evidence) if evidence is not None:
            more = {"status": "voided"}
        case Unheard() | Voided() | Voiding():
            raise NotFound("no such evidence")
        case _:
            raise TypeError(type(state).__name__)
    if caller.has("partner") and not caller.has(*DISTRICT) and evidence.provider != caller.subject:
        raise NotFound("no such evidence")
    return {"evidence": evidence, **more}
