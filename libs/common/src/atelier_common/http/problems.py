"""Problem documents (RFC 9457): how every error leaves by HTTP, with a stable ``code`` and never a personal value."""

import logging
import uuid
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, cast

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from atelier_common.errors import AtelierError, Unauthenticated, Unavailable
from atelier_common.telemetry import names
from atelier_common.telemetry.metrics import counter

MEDIA_TYPE = "application/problem+json"
DOCUMENTED_STATUSES = (400, 401, 403, 404, 409, 412, 413, 422, 428, 500, 503)

_log = logging.getLogger("atelier.http")
_unexpected = counter(names.METRIC_UNEXPECTED)

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "RFC 9457 problem details. Further members depend on the code.",
    "required": ["type", "title", "status", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string", "format": "uri-reference"},
        "code": {"type": "string", "description": "Stable and meant for machines."},
        "errors": {
            "type": "array",
            "description": "Where a request is not valid: each place, as JSON pointer into the body or parameter name.",
            "items": {
                "type": "object",
                "properties": {
                    "in": {"type": "string", "enum": ["body", "query", "path", "header", "cookie"]},
                    "pointer": {"type": "string"},
                    "parameter": {"type": "string"},
                    "detail": {"type": "string"},
                },
            },
        },
    },
    "additionalProperties": True,
}

RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {
        "description": HTTPStatus(status).phrase,
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for status in DOCUMENTED_STATUSES
}
"""What every operation may answer besides success, for OpenAPI."""


def problem(
    status: int,
    code: str,
    title: str,
    detail: str = "",
    headers: Mapping[str, str] | None = None,
    extensions: Mapping[str, Any] | None = None,
) -> Response:
    """A problem response. The standard members cannot be overridden by ``extensions``."""
    document = {
        **(extensions or {}),
        "type": f"urn:atelier:problem:{code}",
        "title": title,
        "status": status,
        "code": code,
    }
    if detail:
        document["detail"] = detail
    body = orjson.dumps(document, default=str, option=orjson.OPT_NON_STR_KEYS)
    return Response(body, status, headers, media_type=MEDIA_TYPE)


def problem_of(error: AtelierError) -> Response:
    headers: dict[str, str] = {}
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="atelier"'
    elif isinstance(error, Unavailable):
        headers["Retry-After"] = "1"
    if error.http_status >= 500 and not isinstance(error, Unavailable):
        _unexpected.add(1)
        _log.error("request failed with %s: %s", error.code, error.detail)
    return problem(error.http_status, error.code, error.title, error.detail, headers, error.extensions)


def problem_of_unexpected(error: Exception) -> Response:
    """A 500 that tells the caller nothing but an id, under which the log tells the operator everything."""
    error_id = str(uuid.uuid4())
    _unexpected.add(1)
    _log.error("unexpected error %s", error_id, exc_info=error)
    detail = "The failure is logged under this id."
    extensions = {"error_id": error_id, "instance": f"urn:uuid:{error_id}"}
    return problem(500, AtelierError.code, AtelierError.title, detail, extensions=extensions)


def invalid_places(errors: Sequence[Any]) -> list[dict[str, str]]:
    """Where a request breaks its schema. What was sent is not repeated: it may be personal."""
    places = []
    for error in errors:
        where, *path = error["loc"]
        place = {"in": str(where), "detail": str(error["msg"])}
        if where == "body":
            # The position of broken JSON is no pointer into it.
            place["pointer"] = "" if error["type"] == "json_invalid" else "".join(f"/{_escaped(step)}" for step in path)
        else:
            place["parameter"] = ".".join(str(step) for step in path)
        places.append(place)
    return places


def _escaped(step: Any) -> str:
    return str(step).replace("~", "~0").replace("/", "~1")


async def _atelier(_request: Request, error: Exception) -> Response:
    return problem_of(cast(AtelierError, error))


async def _invalid(_request: Request, error: Exception) -> Response:
    places = invalid_places(cast(RequestValidationError, error).errors())
    first = places[0]
    where = first.get("parameter") or first.get("pointer") or first["in"]
    detail = f"{where}: {first['detail']}"
    return problem(422, "invalid-input", "The input is not valid", detail, extensions={"errors": places})


async def _refused(_request: Request, error: Exception) -> Response:
    refused = cast(HTTPException, error)
    phrase = HTTPStatus(refused.status_code).phrase
    detail = refused.detail if refused.detail != phrase else ""
    return problem(refused.status_code, phrase.lower().replace(" ", "-"), phrase, detail, refused.headers)


def install_problem_handlers(app: FastAPI) -> None:
    """Every error of an app becomes a problem document; an unexpected one is caught by the door in front of the app."""
    app.add_exception_handler(AtelierError, _atelier)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
