"""From a request to a command's context: ``Idempotency-Key`` becomes the command id, so that a repeat is recognised."""

import re
import uuid

from fastapi import Request

from atelier_common.clock import Clock
from atelier_common.commit import Context
from atelier_common.http.headers import MalformedHeader
from atelier_common.ids import derive_id
from atelier_common.security.tokens import Caller
from atelier_common.telemetry import tracing

# A structured-field string (RFC 9651, section 3.3.3): printable ASCII in double quotes, of which \ and " are escaped.
_QUOTED = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
_BARE = re.compile(r"[!#-+\--:<-~]+")
_CORRELATION = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_MAX_KEY = 255


def idempotency_key(request: Request) -> str | None:
    """The key, given as a quoted structured-field string or bare. Raises :class:`MalformedHeader`."""
    given = request.headers.get("idempotency-key")
    if given is None:
        return None
    given = given.strip()
    quoted = _QUOTED.fullmatch(given)
    key = re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else given
    if not 1 <= len(key) <= _MAX_KEY or not (quoted or _BARE.fullmatch(given)):
        raise MalformedHeader(f"Idempotency-Key is 1 to {_MAX_KEY} printable characters", header="Idempotency-Key")
    return key


def command_context(request: Request, caller: Caller, clock: Clock, ordinal: int = 0) -> Context:
    """The context of the command that a request carries; of its ``ordinal``-th, where it carries several.

    The same caller, method, path and ``Idempotency-Key`` always give the same command id; without a key every request
    is a new command. The correlation id is ``X-Correlation-Id`` or the first command id; the trace is the open span's,
    or else the one the request came with. Raises :class:`MalformedHeader`.
    """
    root = _command_root(request, caller)
    return Context(
        tenant=caller.tenant,
        actor=caller.subject,
        command_id=root if ordinal == 0 else derive_id(caller.tenant, root, "part", ordinal),
        now=clock.now(),
        correlation_id=_correlation_id(request) or root,
        trace=tracing.current_traceparent() or _incoming_trace(request),
    )


def _command_root(request: Request, caller: Caller) -> str:
    state = request.scope.setdefault("state", {})
    known = state.get("command_id")
    if isinstance(known, str):
        return known
    key = idempotency_key(request)
    if key is None:
        root = str(uuid.uuid4())
    else:
        operation = f"{request.method} {request.scope['path']}"
        root = derive_id(caller.tenant, f"{caller.subject}\x1f{operation}", key)
    # Remembered, so that the commands of one request without a key still belong together.
    state["command_id"] = root
    return root


def _correlation_id(request: Request) -> str | None:
    given = request.headers.get("x-correlation-id")
    if given is not None and not _CORRELATION.fullmatch(given):
        raise MalformedHeader("X-Correlation-Id is 1 to 128 letters, digits and . _ : -", header="X-Correlation-Id")
    return given


def _incoming_trace(request: Request) -> str | None:
    found = tracing.parse_traceparent(request.headers.get("traceparent"))
    return tracing.traceparent_of(found) if found else None
