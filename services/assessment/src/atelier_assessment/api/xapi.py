"""The xAPI statement resource: PUT, POST of one or many, GET by id."""

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from atelier_common.commit import Context
from atelier_common.errors import AtelierError, Forbidden, NotFound
from atelier_common.http.direct import Handler
from atelier_common.http.kit import CallerDep, DirectRoute, JsonResponse, command_context, direct, require
from atelier_common.http.problems import problem_of
from atelier_common.security.tokens import Caller
from fastapi import APIRouter, Request
from fastapi.responses import Response
from fastapi.routing import APIRoute

from atelier_assessment.api.parts import DISTRICT, REPORTERS, STAFF, Parts, sender_of
from atelier_assessment.domain.attempt import Held, Voided, Voiding, attempt
from atelier_assessment.recording.report import Report
from atelier_assessment.xapi.answer import moment, statement_of, voiding_statement
from atelier_assessment.xapi.batch import parse, read_batch, read_named
from atelier_assessment.xapi.malformed import MalformedRequest
from atelier_assessment.xapi.statement import VoidingReport
from atelier_assessment.xapi.values import a_uuid
from atelier_assessment.xapi.version import CONSISTENT, HEADER, negotiated

_GET_PARAMETERS = frozenset({"statementId", "voidedStatementId", "format", "attachments"})


def _versioned(handle: Handler) -> Handler:
    """Answers, errors too, carry the xAPI version; requests without it are refused."""

    async def versioned(request: Request) -> Response:
        version = "2.0.0"
        try:
            request.state.xapi = version = negotiated(request.headers)
            response = await handle(request)
        except AtelierError as error:
            response = problem_of(error)
        response.headers[HEADER] = version
        return response

    return versioned


class _Route(APIRoute):
    def get_route_handler(self) -> Handler:
        return _versioned(super().get_route_handler())


class _DirectRoute(DirectRoute):
    def get_route_handler(self) -> Handler:
        return _versioned(super().get_route_handler())


def routes(parts: Parts) -> APIRouter:
    router = APIRouter(prefix="/assessment/xapi", tags=["xapi"], route_class=_Route)

    @direct(router, "POST", "/statements", _DirectRoute)
    async def post_statements(request: Request, caller: CallerDep) -> Response:
        """Store one statement or an array of them: all or, where one is malformed or its id taken, none. Answers their ids."""
        require(caller, *REPORTERS)
        _only_json(request)
        context = command_context(request, caller, parts.clock)
        read = read_batch(parse(await request.body()), context)
        headers = await _store(parts, context, caller, read)
        return JsonResponse([report.reference for report in read], headers=headers)

    @router.put("/statements")
    async def put_statement(request: Request, caller: CallerDep, statementId: str = "") -> Response:  # xAPI names it so
        """Store the statement under this id. The same again changes nothing; other content under a known id is refused."""
        require(caller, *REPORTERS)
        _only_json(request)
        if not statementId:
            raise MalformedRequest("PUT names its statement: ?statementId=", parameter="statementId")
        context = command_context(request, caller, parts.clock)
        report = read_named(parse(await request.body()), statementId, context.now)
        return Response(status_code=204, headers=await _store(parts, context, caller, [report]))

    @router.get("/statements")
    async def get_statement(request: Request, caller: CallerDep) -> Response:
        """One statement by ``statementId`` or ``voidedStatementId``, with its learner by pseudonym."""
        require(caller, *REPORTERS, *STAFF)
        query = request.query_params
        wanted, voided = query.get("statementId"), query.get("voidedStatementId")
        if (wanted is None) == (voided is None) or not query.keys() <= _GET_PARAMETERS:
            raise MalformedRequest("ask by statementId or by voidedStatementId, one of them and nothing else")
        statement_id = a_uuid(wanted if wanted is not None else voided, "statementId")
        key = parts.recorder.statement_key(caller.tenant, statement_id)
        state, _ = await parts.commands.load(attempt, caller.tenant, key)
        recorded = (await parts.store.read_stream(caller.tenant, f"attempt/{key}", 0, 1))[:1]
        at = recorded[0].recorded_at if recorded else 0
        statement = _statement(state, voided is not None, caller, at, request.state.xapi)
        return JsonResponse(
            statement,
            headers={
                "Last-Modified": format_datetime(datetime.fromtimestamp(at / 1000, UTC), usegmt=True),
                CONSISTENT: moment(parts.clock.now()),
            },
        )

    return router


async def _store(
    parts: Parts, context: Context, caller: Caller, read: Sequence[Report | VoidingReport]
) -> dict[str, str]:
    """Store all of them, or raise what refuses them. Headers of the answer."""
    sender = sender_of(caller, "xapi")
    reports = [report for report in read if isinstance(report, Report)]
    evidence = iter(await parts.recorder.requests(context, sender, reports))
    requests = []
    for report in read:
        if isinstance(report, Report):
            requests.append(next(evidence))
        else:
            voiding = parts.recorder.voiding(context, sender, report.reference, report.target, report.performed_at)
            await _may_void(parts, voiding.command.target, caller)
            requests.append(voiding)
    stored = await parts.recorder.record_all(requests)
    last = f"{stored[-1].stream}@{stored[-1].version}" if stored else ""
    return {CONSISTENT: moment(context.now), "X-Atelier-After": last}


async def _may_void(parts: Parts, key: str, caller: Caller) -> None:
    state, _ = await parts.commands.load(attempt, caller.tenant, key)
    if isinstance(state, Voiding):
        raise MalformedRequest("a voiding statement cannot be voided")
    evidence = getattr(state, "evidence", None)
    if evidence is not None and evidence.provider != caller.subject and not caller.has(*DISTRICT):
        raise Forbidden("a provider voids its own statements; the district may void any")


def _only_json(request: Request) -> None:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise MalformedRequest(
            "statements come as application/json; attachments are not kept here", header="Content-Type"
        )


def _statement(state: Any, as_voided: bool, caller: Caller, stored: int, version: str) -> dict[str, Any]:
    match state:
        case Held() if not as_voided:
            found = statement_of(state.evidence, state.recorded_at, version)
        case Voided() if as_voided and state.evidence is not None:
            found = statement_of(state.evidence, stored, version)
        case Voiding() if not as_voided:
            found = voiding_statement(state.stated, stored, version)
        case _:
            raise NotFound("no such statement")
    if caller.has("partner") and not caller.has(*STAFF) and found["authority"]["account"]["name"] != caller.subject:
        raise NotFound("no such statement")
    return found
