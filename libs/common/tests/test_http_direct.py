"""Direct routes, by calls to an app that has one: like every other route but for the way there."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from atelier_common.errors import IdentityTaken
from atelier_common.http.kit import (
    CallerDep,
    DirectRoute,
    JsonResponse,
    create_app,
    direct,
    include,
    require,
)
from atelier_common.security.tokens import TokenIssuer
from fastapi import APIRouter, FastAPI, Request
from starlette.responses import Response


def knocking(issuer: TokenIssuer) -> FastAPI:
    """An app whose ``POST /v1/knocks`` is direct, and whose ``GET`` of the same path is not."""
    app = create_app("Knocks", issuer.verifier(), max_body=100)
    router = APIRouter(prefix="/v1")

    @direct(router, "POST", "/knocks", summary="Knock")
    async def knock(request: Request, caller: CallerDep) -> Response:
        require(caller, "coach")
        said = (await request.body()).decode()
        if said == "taken":
            raise IdentityTaken("this knock stands for another")
        if said == "broken":
            raise RuntimeError("Robin Sample")
        return JsonResponse({"said": said, "who": caller.subject})

    @router.get("/knocks")
    async def knocks() -> list[str]:
        return ["knock"]

    include(app, [router])
    return app


@pytest.fixture
def issuer(tmp_path: Path) -> TokenIssuer:
    return TokenIssuer(tmp_path)


@pytest.fixture
async def client(issuer: TokenIssuer) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {issuer.issue('north', 'adu_1', ['coach'], 5)}"}
    transport = httpx.ASGITransport(knocking(issuer))
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers) as connection:
        yield connection


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What FastAPI itself was asked to handle."""
    asked: list[str] = []
    handle = DirectRoute.handle

    async def watched(route: DirectRoute, *given: object) -> None:
        asked.append(route.path)
        await handle(route, *given)  # type: ignore[arg-type]  # the three arguments of ASGI, handed on

    monkeypatch.setattr(DirectRoute, "handle", watched)
    return asked


async def test_its_answer_comes_without_the_framework_between(client: httpx.AsyncClient, ways: list[str]) -> None:
    answer = await client.post("/v1/knocks", content="hello")
    assert (answer.status_code, answer.json()) == (200, {"said": "hello", "who": "adu_1"})
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert ways == []


async def test_other_methods_of_its_path_are_found_as_ever(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/knocks")).json() == ["knock"]
    refused = await client.delete("/v1/knocks")
    assert (refused.status_code, refused.json()["code"]) == (405, "method-not-allowed")


async def test_it_stands_behind_the_door(client: httpx.AsyncClient, issuer: TokenIssuer) -> None:
    without = await client.post("/v1/knocks", headers={"Authorization": ""})
    assert (without.status_code, without.json()["code"]) == (401, "unauthenticated")
    student = {"Authorization": f"Bearer {issuer.issue('north', 'lrn_1', ['student'], 5)}"}
    assert (await client.post("/v1/knocks", headers=student)).status_code == 403


async def test_its_errors_are_problem_documents(client: httpx.AsyncClient) -> None:
    taken = await client.post("/v1/knocks", content="taken")
    assert (taken.status_code, taken.json()["code"]) == (409, IdentityTaken.code)
    assert taken.headers["content-type"] == "application/problem+json"
    broken = await client.post("/v1/knocks", content="broken")
    assert broken.status_code == 500
    assert "Robin" not in broken.text


async def test_its_body_has_the_limit_of_every_body(client: httpx.AsyncClient) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"knocking"

    assert (await client.post("/v1/knocks", content=b"x" * 101)).status_code == 413
    assert (await client.post("/v1/knocks", content=pieces())).status_code == 413


async def test_it_is_described_like_every_other(client: httpx.AsyncClient) -> None:
    described = (await client.get("/openapi.json")).json()["paths"]["/v1/knocks"]
    assert described["post"]["summary"] == "Knock"
    assert "409" in described["post"]["responses"]


def test_a_path_with_parameters_is_refused() -> None:
    with pytest.raises(ValueError, match="has parameters"):
        direct(APIRouter(), "POST", "/knocks/{who}")
