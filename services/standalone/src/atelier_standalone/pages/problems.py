"""What went wrong, in words: a problem document becomes a page where a browser asked for one."""

from collections.abc import Callable
from typing import Any

import orjson
from atelier_common.http.kit import MEDIA_TYPE
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from atelier_standalone.pages.rendering import POLICY, page

_WORDS = {
    401: ("Please sign in", "This page needs a token that is still valid. Your session may have ended."),
    403: ("This is not open to you", "Your role does not include this page. Nothing is wrong with your account."),
    404: (
        "There is nothing here",
        "The page does not exist, or it is about somebody whom your account does not concern.",
    ),
    410: ("This was erased", "The personal data of this person was erased on request and cannot be brought back."),
    422: ("The address is not quite right", "Part of the address cannot be understood."),
    503: ("Not available at the moment", "Something that this page needs does not answer. Please try again shortly."),
}
_OTHER = ("Something went wrong here", "It is not your doing, and nothing you entered was lost.")


class ProblemPages:
    """ASGI middleware in front of everything: answers a browser's failed call with a page, leaves every other answer alone.

    Status and headers stay as they are. A browser is whoever prefers ``text/html`` in ``Accept``.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and _is_browser(scope):
            await self._app(scope, receive, _Translation(scope, receive, send))
        else:
            await self._app(scope, receive, send)


def _is_browser(scope: Scope) -> bool:
    return any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])


class _Translation:
    """Holds a problem document back until it is whole, then sends the page instead."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope = scope
        self._receive = receive
        self._send: Callable[[Message], Any] = send
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_problem(message):
            self._start = message
            return
        if self._start is None:
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if not message.get("more_body", False):
            await self._send_page(self._start)

    async def _send_page(self, start: Message) -> None:
        status = int(start["status"])
        document = orjson.loads(self._body) if self._body else {}
        heading, words = _WORDS.get(status, _OTHER)
        made = page(
            "problem.html",
            None,
            status,
            heading=heading,
            words=words,
            detail=document.get("detail", "") if status in (403, 404, 422) else "",
            reference=document.get("error_id", ""),
        )
        ours = {b"content-type", b"content-length", b"content-security-policy"}
        headers = [one for one in start["headers"] if one[0].lower() not in ours]
        headers += [
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-length", str(len(made.body)).encode()),
            (b"content-security-policy", POLICY.encode()),
        ]
        await self._send({**start, "headers": headers})
        body = b"" if self._scope["method"] == "HEAD" else made.body
        await self._send({"type": "http.response.body", "body": body})


def _is_problem(message: Message) -> bool:
    return any(
        name.lower() == b"content-type" and value.startswith(MEDIA_TYPE.encode()) for name, value in message["headers"]
    )
