"""The door in front of every HTTP app: who calls, how much may come in, which headers go out, what an accident looks
like.

It is one plain ASGI callable and not a stack of middlewares, since every request of a busy day passes it. It stands
before routing, so that no route can forget to ask for a token.
"""

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie

from opentelemetry.trace import SpanKind, StatusCode
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from atelier_common.errors import AtelierError, TooLarge, Unauthenticated
from atelier_common.http.headers import MalformedHeader
from atelier_common.http.problems import problem_of, problem_of_unexpected
from atelier_common.security.tokens import Caller, TokenVerifier
from atelier_common.telemetry import metrics, names, tracing

ONE_MEGABYTE = 1_000_000
_DISCARD_SECONDS = 2.0
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_PROBES = "/health/"
_SECONDS = metrics.histogram(names.METRIC_HTTP_SECONDS)

# For answers meant for programs. A page that needs more sets its own policy, and it is kept.
_SECURITY_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)


@dataclass(frozen=True)
class DoorRules:
    """What one app lets in.

    ``public``: paths that need no token, each with all below it. ``max_body`` bytes of a request body, ``larger`` for
    paths that begin with a prefix (imports). ``session_cookie`` names a cookie that may carry the token instead, for
    reading only: a browser sends cookies to whoever makes it, so a cookie never changes anything.
    """

    verifier: TokenVerifier
    public: tuple[str, ...] = ("/health",)
    max_body: int = ONE_MEGABYTE
    larger: Mapping[str, int] = field(default_factory=dict)
    session_cookie: str | None = None

    def is_public(self, path: str) -> bool:
        return any(path == prefix or path.startswith(prefix.rstrip("/") + "/") for prefix in self.public)

    def limit(self, path: str) -> int:
        return max((size for prefix, size in self.larger.items() if path.startswith(prefix)), default=self.max_body)


class Door:
    """Wraps an ASGI app; the verified caller stands in ``scope["state"]["caller"]``."""

    def __init__(self, app: ASGIApp, rules: DoorRules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._request(scope, receive, send)
        else:
            # No socket is offered; one that is asked for without a token must not reach a route.
            await send({"type": "websocket.close", "code": 1008, "reason": "not offered"})

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = _LimitedBody(receive, self._rules.limit(scope["path"]))
        answer = _Answer(send, body, scope["method"] == "HEAD")
        if tracing.is_recording() and not scope["path"].startswith(_PROBES):
            await self._observed(scope, body, answer)
        else:
            await self._answered(scope, body, answer)

    async def _answered(self, scope: Scope, body: "_LimitedBody", answer: "_Answer") -> None:
        try:
            headers = Headers(scope=scope)
            body.check_announced(headers)
            if not self._rules.is_public(scope["path"]):
                scope.setdefault("state", {})["caller"] = self._caller(scope, headers)
            await self._app(scope, body, answer)
        except AtelierError as error:
            await self._failed(answer, scope, problem_of(error), error)
        except Exception as error:
            await self._failed(answer, scope, problem_of_unexpected(error), error)

    async def _observed(self, scope: Scope, body: "_LimitedBody", answer: "_Answer") -> None:
        began = time.perf_counter()
        observed: dict[str, str | int] = {names.HTTP_METHOD: scope["method"]}
        with tracing.span(
            names.SPAN_HTTP,
            parent=Headers(scope=scope).get("traceparent"),
            kind=SpanKind.SERVER,
            attributes=observed,
        ) as span:
            await self._answered(scope, body, answer)
            # The route's template and never the path, which names people's records.
            observed[names.HTTP_ROUTE] = getattr(scope.get("route"), "path", "")
            observed[names.HTTP_STATUS] = answer.status
            span.set_attributes(observed)
            if answer.status >= 500:
                span.set_status(StatusCode.ERROR)
        _SECONDS.record(time.perf_counter() - began, observed)

    @staticmethod
    async def _failed(answer: "_Answer", scope: Scope, response: ASGIApp, error: Exception) -> None:
        if answer.started:
            # Half an answer is out: breaking the connection is the only way left to say that it is not whole.
            raise error
        await response(scope, _nothing_more, answer)

    def _caller(self, scope: Scope, headers: Headers) -> Caller:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and token.strip():
            return self._rules.verifier.verify(token.strip())
        cookie = self._rules.session_cookie
        if cookie is not None and scope["method"] in _SAFE_METHODS and "cookie" in headers:
            token = _cookie_value(headers.getlist("cookie"), cookie)
            if token:
                return self._rules.verifier.verify(token)
        raise Unauthenticated("send a token: Authorization: Bearer …")


def _cookie_value(lines: Sequence[str], name: str) -> str:
    try:
        found = SimpleCookie("; ".join(lines)).get(name)
    except CookieError:
        return ""
    return found.value if found else ""


async def _nothing_more() -> Message:
    return {"type": "http.disconnect"}


class _LimitedBody:
    """The receiving side: counts what really comes, whatever was announced."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._limit = limit
        self._received = 0
        self._complete = False
        self._waits_for_consent = False
        self.exceeded: TooLarge | None = None

    def check_announced(self, headers: Headers) -> None:
        self._waits_for_consent = headers.get("expect", "").lower() == "100-continue"
        announced = headers.get("content-length", "0")
        if not announced.isdecimal():
            raise MalformedHeader("Content-Length is a number of bytes", header="Content-Length")
        if int(announced) > self._limit:
            raise self._too_large()

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._received += len(message.get("body", b""))
            self._complete = not message.get("more_body", False)
            if self._received > self._limit:
                self.exceeded = self._too_large()
                raise self.exceeded
        return message

    async def discard_the_rest(self) -> None:
        """Read on for a while and keep nothing.

        A client that is still sending reads no answer, and loses it where the connection breaks under its hands.
        """
        if self._waits_for_consent:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DISCARD_SECONDS):
                while not self._complete:
                    message = await self._receive()
                    self._complete = message["type"] != "http.request" or not message.get("more_body", False)

    def _too_large(self) -> TooLarge:
        return TooLarge(f"a request body here has at most {self._limit} bytes", max_bytes=self._limit)


class _Answer:
    """The sending side: adds headers, and replaces what the app makes of a body that was cut off by its limit."""

    def __init__(self, send: Send, body: _LimitedBody, head_only: bool) -> None:
        self._send = send
        self._body = body
        self._head_only = head_only
        self._replaced = False
        self.started = False
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if self._replaced:
            return
        if message["type"] == "http.response.start":
            if self._body.exceeded is not None and not self.started and message["status"] != 413:
                await self._replace(self._body.exceeded)
                return
            self.started = True
            self.status = message["status"]
            if self.status == 413:
                await self._body.discard_the_rest()
            headers = list(message.get("headers", ()))
            present = {name.lower() for name, _ in headers}
            headers += [header for header in _SECURITY_HEADERS if header[0] not in present]
            if message["status"] == 413:
                # Whatever is left of the body is never read, so the connection cannot be used again.
                headers.append((b"connection", b"close"))
            message = {**message, "headers": headers}
        elif self._head_only:
            message = {**message, "body": b""}
        await self._send(message)

    async def _replace(self, error: TooLarge) -> None:
        await problem_of(error)({"type": "http"}, _nothing_more, self)
        self._replaced = True
