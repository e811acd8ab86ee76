"""Signing in with a token from ``atelier token``: it becomes a cookie that reads and never writes."""

from atelier_common.errors import AtelierError
from atelier_common.security.tokens import TokenVerifier
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from atelier_standalone.pages.rendering import page


def sign_in_routes(verifier: TokenVerifier, cookie: str) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/sign-in")
    async def sign_in(request: Request, token: str = "") -> Response:
        """Take a token over into the session cookie; without one, say how to get one."""
        if not token:
            return page("sign_in.html", None, refused="")
        try:
            verifier.verify(token)
        except AtelierError as error:
            return page("sign_in.html", None, 401, refused=error.detail)
        answer = RedirectResponse("/", 303)
        secure = request.url.scheme == "https"
        answer.set_cookie(cookie, token, httponly=True, samesite="strict", path="/", secure=secure)
        return answer

    @router.post("/sign-in/out")
    async def sign_out(request: Request) -> Response:
        """Forget the cookie on this device."""
        answer = RedirectResponse("/sign-in", 303)
        secure = request.url.scheme == "https"
        answer.delete_cookie(cookie, httponly=True, samesite="strict", path="/", secure=secure)
        return answer

    return router
