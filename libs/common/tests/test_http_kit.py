"""The HTTP kit, by calls to an app made with it."""

import asyncio
import base64
import uuid
from collections.abc import AsyncIterator
from typing import Annotated, Any

import httpx
import pytest
import uvicorn
from atelier_common.clock import SimulatedClock
from atelier_common.errors import IdentityTaken, InvalidInput, Unavailable
from atelier_common.http.kit import (
    AfterDep,
    CallerDep,
    JsonResponse,
    PageDep,
    command_context,
    create_app,
    etag,
    if_match,
    must_be_new,
    not_modified,
    require,
    require_learner,
    required_if_match,
)
from atelier_common.security.tokens import TokenIssuer
from fastapi import FastAPI, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse, StreamingResponse

NOW = 1_800_000_000_000
COMMAND = "/v1/studios/s-1/commands"


class Bell(BaseModel):
    """A body with something to get wrong at every depth."""

    name: str = Field(max_length=20)
    rings: list[int]


def studio_app(issuer: TokenIssuer) -> FastAPI:
    """A small service that uses every part of the kit."""
    app = create_app("Studios", issuer.verifier(), max_body=1000, larger={"/v1/imports": 5000}, session_cookie="token")
    clock = SimulatedClock(NOW)

    @app.post("/v1/bells")
    async def post_bell(bell: Bell, minutes: Annotated[int, Query(ge=1)] = 5) -> dict[str, int]:
        return {"rings": len(bell.rings), "minutes": minutes}

    @app.post("/v1/imports/zip")
    async def post_import(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    @app.post("/v1/studios/{studio}/commands")
    async def post_command(studio: str, request: Request, caller: CallerDep) -> list[dict[str, Any]]:
        assert studio
        contexts = [command_context(request, caller, clock, ordinal) for ordinal in range(2)]
        return [
            {
                "id": context.command_id,
                "correlation": context.correlation_id,
                "trace": context.trace,
                "who": f"{context.tenant}/{context.actor}",
                "now": context.now,
            }
            for context in contexts
        ]

    @app.put("/v1/studios/{studio}")
    async def put_studio(studio: str, request: Request) -> dict[str, Any]:
        assert studio
        return {"new": must_be_new(request), "seen": None if must_be_new(request) else required_if_match(request)}

    @app.patch("/v1/studios/{studio}")
    async def patch_studio(studio: str, request: Request) -> dict[str, Any]:
        assert studio
        return {"seen": if_match(request)}

    @app.get("/v1/studios/{studio}")
    async def get_studio(studio: str, request: Request) -> JsonResponse:
        return JsonResponse({"id": studio}, 304 if not_modified(request, 7) else 200, {"ETag": etag(7)})

    @app.get("/v1/studios")
    async def list_studios(page: PageDep, after: AfterDep, site: str = "s") -> dict[str, Any]:
        rows = [(f"{n:04}", f"{site}-{n}") for n in range(1200) if page.start is None or f"{n:04}" >= page.start]
        studios, following = page.cut(rows[: page.wanted])
        return {"studios": studios, "next_cursor": following, "after": str(after) if after else None}

    @app.get("/v1/learners/{learner}")
    async def get_learner(learner: str, caller: CallerDep) -> dict[str, str]:
        require_learner(caller, learner, "coach")
        return {"learner": learner}

    @app.get("/v1/plans")
    async def get_plans(caller: CallerDep) -> dict[str, str]:
        require(caller, "principal", "district-admin")
        return {}

    @app.get("/v1/errors/{kind}")
    async def get_error(kind: str) -> dict[str, str]:
        match kind:
            case "row":
                raise InvalidInput("row 7 has no birth date", row=7, column="birthDate", status="not overridden")
            case "taken":
                raise IdentityTaken("this statement id stands for other content")
            case "away":
                raise Unavailable("the read model is behind")
        raise RuntimeError("Robin Sample, born on 2015-02-03")

    @app.get("/v1/half")
    async def get_half() -> StreamingResponse:
        async def lines() -> AsyncIterator[bytes]:
            yield b"one"
            raise RuntimeError("torn")

        return StreamingResponse(lines())

    @app.get("/page")
    async def get_page() -> HTMLResponse:
        return HTMLResponse("<p>today</p>", headers={"Content-Security-Policy": "default-src 'self'"})

    return app


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> TokenIssuer:
    return TokenIssuer(tmp_path_factory.mktemp("keys"))


@pytest.fixture(scope="module")
def app(issuer: TokenIssuer) -> FastAPI:
    return studio_app(issuer)


@pytest.fixture
async def coach(app: FastAPI, issuer: TokenIssuer) -> AsyncIterator[httpx.AsyncClient]:
    async with as_caller(app, issuer, "coach") as client:
        yield client


@pytest.fixture
async def nobody(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


def as_caller(
    app: FastAPI, issuer: TokenIssuer, *roles: str, subject: str = "adu_1", tenant: str = "north", learners: Any = ()
) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {issuer.issue(tenant, subject, roles, 5, learners)}"}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test", headers=headers)


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document of an answer, after checking what all of them have."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document["status"] == status
    assert document["code"] == code
    assert document["type"] == f"urn:atelier:problem:{code}"
    assert document["title"]
    return document


class TestWhoMayCall:
    @pytest.mark.parametrize(
        "path", ["/v1/studios", "/page", "/openapi.json", "/nowhere", "/", "/healthy", "/v1/plans"]
    )
    async def test_no_call_without_a_token_not_even_to_what_does_not_exist(
        self, nobody: httpx.AsyncClient, path: str
    ) -> None:
        answer = await nobody.get(path)
        problem(answer, 401, "unauthenticated")
        assert answer.headers["www-authenticate"] == 'Bearer realm="atelier"'

    @pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "Bearer abc", "Bearer a.b.c"])
    async def test_what_is_no_valid_bearer_token_is_refused(self, nobody: httpx.AsyncClient, header: str) -> None:
        problem(await nobody.get("/v1/studios", headers={"Authorization": header}), 401, "unauthenticated")

    async def test_health_needs_no_token(self, nobody: httpx.AsyncClient) -> None:
        assert (await nobody.get("/health/live")).json() == {"status": "ok"}
        assert (await nobody.get("/health/ready")).status_code == 200

    async def test_readiness_names_the_part_that_does_not_work(self, issuer: TokenIssuer) -> None:
        async def ready() -> dict[str, bool]:
            return {"log": True, "bus": False}

        app = create_app("Away", issuer.verifier(), ready=ready)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            answer = await client.get("/health/ready")
        assert answer.status_code == 503
        assert answer.json()["parts"] == {"log": True, "bus": False}

    async def test_a_cookie_may_carry_the_token_for_reading_and_never_for_changing(
        self, nobody: httpx.AsyncClient, issuer: TokenIssuer
    ) -> None:
        cookie = {"Cookie": f"token={issuer.issue('north', 'adu_1', ['coach'], 5)}"}
        assert (await nobody.get("/page", headers=cookie)).status_code == 200
        problem(await nobody.post(COMMAND, headers=cookie), 401, "unauthenticated")

    async def test_a_role_that_is_not_enough_is_told_which_is(self, coach: httpx.AsyncClient) -> None:
        document = problem(await coach.get("/v1/plans"), 403, "forbidden")
        assert document["roles"] == ["principal", "district-admin"]

    async def test_a_student_sees_their_own_record_and_finds_no_other(self, app: FastAPI, issuer: TokenIssuer) -> None:
        async with as_caller(app, issuer, "student", learners=["lrn_a"]) as student:
            assert (await student.get("/v1/learners/lrn_a")).status_code == 200
            problem(await student.get("/v1/learners/lrn_b"), 404, "not-found")

    async def test_a_learner_in_the_token_helps_no_other_role(self, app: FastAPI, issuer: TokenIssuer) -> None:
        async with as_caller(app, issuer, "partner", learners=["lrn_a"]) as partner:
            problem(await partner.get("/v1/learners/lrn_a"), 403, "forbidden")

    async def test_a_websocket_is_closed_before_anybody_looks_at_it(self, app: FastAPI) -> None:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "websocket.connect"}

        await app({"type": "websocket", "path": "/", "headers": []}, receive, send)
        assert [message["type"] for message in sent] == ["websocket.close"]


class TestProblems:
    async def test_an_error_of_ours_keeps_its_code_detail_and_machine_readable_members(
        self, coach: httpx.AsyncClient
    ) -> None:
        document = problem(await coach.get("/v1/errors/row"), 422, "invalid-input")
        assert document["detail"] == "row 7 has no birth date"
        assert (document["row"], document["column"]) == (7, "birthDate")

    async def test_each_error_has_its_own_status(self, coach: httpx.AsyncClient) -> None:
        problem(await coach.get("/v1/errors/taken"), 409, "identity-taken")
        away = await coach.get("/v1/errors/away")
        problem(away, 503, "unavailable")
        assert away.headers["retry-after"] == "1"

    async def test_an_accident_shows_an_id_and_nothing_else(
        self, coach: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        answer = await coach.get("/v1/errors/accident")
        document = problem(answer, 500, "internal")
        assert "Robin" not in answer.text
        assert "Traceback" not in answer.text
        assert document["error_id"] in caplog.text

    async def test_an_answer_that_breaks_in_the_middle_is_not_made_to_look_whole(
        self, coach: httpx.AsyncClient
    ) -> None:
        with pytest.raises(RuntimeError, match="torn"):
            await coach.get("/v1/half")

    async def test_invalid_input_names_every_place_and_repeats_no_value(self, coach: httpx.AsyncClient) -> None:
        body = {"name": "Robin Sample " * 3, "rings": [1, "two"]}
        answer = await coach.post("/v1/bells?minutes=0", json=body)
        document = problem(answer, 422, "invalid-input")
        assert {(place["in"], place.get("pointer"), place.get("parameter")) for place in document["errors"]} == {
            ("body", "/name", None),
            ("body", "/rings/1", None),
            ("query", None, "minutes"),
        }
        assert "Robin" not in answer.text
        assert "two" not in answer.text

    @pytest.mark.parametrize("body", [b"{", b"", b"[]", b"\xff\xfe", b"nul"])
    async def test_what_is_not_json_is_a_problem_too(self, coach: httpx.AsyncClient, body: bytes) -> None:
        answer = await coach.post("/v1/bells", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in (400, 422)
        problem(answer, answer.status_code, answer.json()["code"])

    async def test_an_unknown_path_and_a_wrong_method_are_problems_too(self, coach: httpx.AsyncClient) -> None:
        problem(await coach.get("/v1/nowhere"), 404, "not-found")
        answer = await coach.delete("/v1/bells")
        problem(answer, 405, "method-not-allowed")
        assert answer.headers["allow"] == "POST"


class TestWhatComesIn:
    @pytest.mark.parametrize(("size", "status"), [(1000, 422), (1001, 413)])
    async def test_a_body_above_the_limit_is_refused_by_what_it_announces(
        self, coach: httpx.AsyncClient, size: int, status: int
    ) -> None:
        assert (await coach.post("/v1/bells", content=b"1" * size)).status_code == status

    @pytest.mark.parametrize("path", ["/v1/bells", "/v1/imports/zip"])
    async def test_a_body_in_chunks_is_counted_as_it_comes(self, coach: httpx.AsyncClient, path: str) -> None:
        async def long() -> AsyncIterator[bytes]:
            for _ in range(1000):
                yield b"x" * 500

        answer = await coach.post(path, content=long())
        limit = 5000 if "imports" in path else 1000
        assert problem(answer, 413, "too-large")["max_bytes"] == limit
        assert answer.headers["connection"] == "close"

    async def test_an_import_may_be_larger(self, coach: httpx.AsyncClient) -> None:
        assert (await coach.post("/v1/imports/zip", content=b"x" * 4999)).json() == {"bytes": 4999}

    async def test_an_understated_length_does_not_help(self, app: FastAPI, coach: httpx.AsyncClient) -> None:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            return {"type": "http.request", "body": b"x" * 6000, "more_body": False}

        headers = [(b"content-length", b"10"), (b"authorization", coach.headers["Authorization"].encode())]
        scope = {"type": "http", "method": "POST", "path": "/v1/imports/zip", "headers": headers, "query_string": b""}
        await app({**scope, "http_version": "1.1", "scheme": "http", "raw_path": b"/v1/imports/zip"}, receive, send)
        assert sent[0]["status"] == 413

    async def test_a_length_that_is_no_number_is_refused(self, coach: httpx.AsyncClient) -> None:
        answer = await coach.post("/v1/bells", content=b"{}", headers={"Content-Length": "ten"})
        problem(answer, 400, "malformed-header")


class TestWhatGoesOut:
    @pytest.mark.parametrize("path", ["/v1/studios", "/v1/nowhere", "/v1/errors/accident", "/health/live"])
    async def test_every_answer_carries_the_security_headers(self, coach: httpx.AsyncClient, path: str) -> None:
        headers = (await coach.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in headers["content-security-policy"]

    async def test_a_page_keeps_the_policy_it_sets_itself(self, coach: httpx.AsyncClient) -> None:
        assert (await coach.get("/page")).headers.get_list("content-security-policy") == ["default-src 'self'"]


class TestIdempotency:
    async def command(self, client: httpx.AsyncClient, key: str | None, path: str = COMMAND, **headers: str) -> Any:
        if key is not None:
            headers["Idempotency-Key"] = key
        answer = await client.post(path, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def test_the_same_key_is_the_same_command_quoted_or_bare(self, coach: httpx.AsyncClient) -> None:
        first = await self.command(coach, '"8e03978e"')
        assert await self.command(coach, "8e03978e") == first
        assert await self.command(coach, ' "8e03978e" ') == first
        assert await self.command(coach, '"8e03978f"') != first

    async def test_escapes_in_a_quoted_key_are_read(self, coach: httpx.AsyncClient) -> None:
        assert await self.command(coach, r'"a\"b\\"') == await self.command(coach, r'"a\"b\\"')
        assert await self.command(coach, r'"a\\b"') != await self.command(coach, '"ab"')

    async def test_the_same_key_of_another_caller_path_or_tenant_is_another_command(
        self, app: FastAPI, issuer: TokenIssuer, coach: httpx.AsyncClient
    ) -> None:
        ids = [
            (await self.command(coach, "k"))[0]["id"],
            (await self.command(coach, "k", "/v1/studios/s-2/commands"))[0]["id"],
        ]
        for options in ({"subject": "adu_2"}, {"tenant": "south"}):
            async with as_caller(app, issuer, "coach", **options) as other:
                ids.append((await self.command(other, "k"))[0]["id"])
        assert len(set(ids)) == 4

    async def test_without_a_key_every_request_is_a_new_command(self, coach: httpx.AsyncClient) -> None:
        one, two = await self.command(coach, None), await self.command(coach, None)
        assert one[0]["id"] != two[0]["id"]
        assert uuid.UUID(one[0]["id"]).version == 4

    async def test_the_commands_of_one_request_differ_and_belong_together(self, coach: httpx.AsyncClient) -> None:
        for key in (None, "k"):
            first, second = await self.command(coach, key)
            assert first["id"] != second["id"]
            assert first["correlation"] == second["correlation"] == first["id"]

    async def test_the_context_names_tenant_actor_domain_time_and_the_callers_correlation(
        self, coach: httpx.AsyncClient
    ) -> None:
        [first, _] = await self.command(coach, "k", **{"X-Correlation-Id": "import-2027-01"})
        assert (first["who"], first["now"], first["correlation"]) == ("north/adu_1", NOW, "import-2027-01")

    async def test_the_trace_a_request_came_with_goes_on_even_where_nobody_records(
        self, coach: httpx.AsyncClient
    ) -> None:
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        assert (await self.command(coach, "k", traceparent=trace))[0]["trace"] == trace
        assert (await self.command(coach, "k", traceparent="00-nonsense"))[0]["trace"] is None

    @pytest.mark.parametrize("key", ["", '""', '"open', "two words", "x" * 256, 'a"b', r'"bad\escape"', "a,b"])
    async def test_a_malformed_key_is_refused(self, coach: httpx.AsyncClient, key: str) -> None:
        answer = await coach.post(COMMAND, headers={"Idempotency-Key": key})
        assert problem(answer, 400, "malformed-header")["header"] == "Idempotency-Key"

    @pytest.mark.parametrize("given", ["", "a b", "x" * 129, "a/b"])
    async def test_a_malformed_correlation_id_is_refused(self, coach: httpx.AsyncClient, given: str) -> None:
        answer = await coach.post(COMMAND, headers={"X-Correlation-Id": given})
        assert problem(answer, 400, "malformed-header")["header"] == "X-Correlation-Id"


class TestEntityTags:
    async def test_an_edit_says_which_version_it_saw(self, coach: httpx.AsyncClient) -> None:
        tag = (await coach.get("/v1/studios/s-1")).headers["etag"]
        assert tag == '"7"'
        assert (await coach.put("/v1/studios/s-1", headers={"If-Match": tag})).json()["seen"] == 7

    @pytest.mark.parametrize("headers", [{}, {"If-Match": "*"}])
    async def test_an_edit_that_does_not_say_it_is_refused(
        self, coach: httpx.AsyncClient, headers: dict[str, str]
    ) -> None:
        problem(await coach.put("/v1/studios/s-1", headers=headers), 428, "precondition-required")

    @pytest.mark.parametrize("tag", ['W/"7"', '"seven"', '""', '"-1"', '"7000000000000000000"'])
    async def test_a_tag_that_can_match_nothing_is_stale(self, coach: httpx.AsyncClient, tag: str) -> None:
        problem(await coach.put("/v1/studios/s-1", headers={"If-Match": tag}), 412, "precondition-failed")

    @pytest.mark.parametrize("tag", ["7", '"7', '"7", "8"', "W/7"])
    async def test_what_is_not_one_tag_is_malformed(self, coach: httpx.AsyncClient, tag: str) -> None:
        problem(await coach.put("/v1/studios/s-1", headers={"If-Match": tag}), 400, "malformed-header")

    async def test_where_a_version_may_be_named_it_need_not_be(self, coach: httpx.AsyncClient) -> None:
        assert (await coach.patch("/v1/studios/s-1")).json() == {"seen": None}
        assert (await coach.patch("/v1/studios/s-1", headers={"If-Match": '"3"'})).json() == {"seen": 3}

    async def test_a_creation_may_demand_that_nothing_is_there(self, coach: httpx.AsyncClient) -> None:
        answer = await coach.put("/v1/studios/s-1", headers={"If-None-Match": "*"})
        assert answer.json() == {"new": True, "seen": None}

    @pytest.mark.parametrize(("tags", "status"), [('"7"', 304), ('"6", W/"7"', 304), ("*", 304), ('"6"', 200)])
    async def test_a_read_of_what_is_known_already_says_so(
        self, coach: httpx.AsyncClient, tags: str, status: int
    ) -> None:
        assert (await coach.get("/v1/studios/s-1", headers={"If-None-Match": tags})).status_code == status


class TestPaging:
    async def test_following_the_cursors_shows_every_row_once(self, coach: httpx.AsyncClient) -> None:
        seen: list[str] = []
        cursor, pages = "", 0
        while pages == 0 or cursor:
            answer = (await coach.get("/v1/studios", params={"limit": 500, "cursor": cursor})).json()
            seen += answer["studios"]
            cursor, pages = answer["next_cursor"], pages + 1
        assert pages == 3
        assert len(seen) == len(set(seen)) == 1200

    @pytest.mark.parametrize(("limit", "rows"), [(-3, 1), (0, 1), (7, 7), (501, 500), (10**9, 500)])
    async def test_a_limit_is_clamped_and_never_an_error(self, coach: httpx.AsyncClient, limit: int, rows: int) -> None:
        assert len((await coach.get("/v1/studios", params={"limit": limit})).json()["studios"]) == rows

    async def test_a_cursor_belongs_to_its_query_and_caller(
        self, app: FastAPI, issuer: TokenIssuer, coach: httpx.AsyncClient
    ) -> None:
        cursor = (await coach.get("/v1/studios?site=a&limit=3")).json()["next_cursor"]
        assert (await coach.get(f"/v1/studios?site=a&limit=9&cursor={cursor}")).status_code == 200
        problem(await coach.get(f"/v1/studios?site=b&limit=3&cursor={cursor}"), 400, "invalid-cursor")
        for options in ({"tenant": "south"}, {"subject": "adu_2"}):
            async with as_caller(app, issuer, "coach", **options) as other:
                problem(await other.get(f"/v1/studios?site=a&limit=3&cursor={cursor}"), 400, "invalid-cursor")

    async def test_a_cursor_that_was_changed_to_begin_elsewhere_is_refused(self, coach: httpx.AsyncClient) -> None:
        cursor = (await coach.get("/v1/studios?limit=3")).json()["next_cursor"]
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        assert raw.endswith(b'"0003"')
        forged = base64.urlsafe_b64encode(raw.replace(b'"0003"', b'"0000"')).decode().rstrip("=")
        problem(await coach.get(f"/v1/studios?limit=3&cursor={forged}"), 400, "invalid-cursor")

    async def test_replicas_that_share_a_key_continue_each_others_pages(self, issuer: TokenIssuer) -> None:
        pages: list[httpx.Response] = []
        for key in (b"k" * 32, b"k" * 32, None):
            app = studio_app(issuer)
            app.state.cursor_key = key or app.state.cursor_key
            async with as_caller(app, issuer, "coach") as client:
                pages.append(
                    await client.get(
                        "/v1/studios", params={"limit": 3, "cursor": pages[0].json()["next_cursor"] if pages else ""}
                    )
                )
        assert [page.status_code for page in pages] == [200, 200, 400]

    @pytest.mark.parametrize("cursor", ["abc", "!!!", "bnVsbA", "WyJhIl0", "é", "e30", "W251bGwsbnVsbF0"])
    async def test_a_made_up_cursor_is_refused(self, coach: httpx.AsyncClient, cursor: str) -> None:
        problem(await coach.get("/v1/studios", params={"cursor": cursor}), 400, "invalid-cursor")

    async def test_a_read_can_ask_for_what_was_just_written(self, coach: httpx.AsyncClient) -> None:
        answer = await coach.get("/v1/studios", params={"after": "studio/a@b/c@12"})
        assert answer.json()["after"] == "studio/a@b/c@12"

    @pytest.mark.parametrize("after", ["", "studio", "studio@", "@3", "studio@-1", "studio@x", "studio@1.5", "s@²"])
    async def test_a_malformed_after_is_refused(self, coach: httpx.AsyncClient, after: str) -> None:
        problem(await coach.get("/v1/studios", params={"after": after}), 422, "invalid-input")


class TestDescription:
    async def test_openapi_documents_the_bearer_scheme_and_problems_everywhere(self, coach: httpx.AsyncClient) -> None:
        document = (await coach.get("/openapi.json")).json()
        assert document["openapi"].startswith("3.1")
        assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
        assert document["security"] == [{"bearer": []}]
        assert "HTTPValidationError" not in document["components"]["schemas"]
        for path, operations in document["paths"].items():
            for operation in operations.values():
                assert operation.get("security") == ([] if path.startswith("/health") else None)
                for status in ("401", "404", "409", "412", "413", "422", "428", "503"):
                    content = operation["responses"][status]["content"]
                    assert content["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/Problem"}

    async def test_the_problem_schema_describes_a_real_problem(self, coach: httpx.AsyncClient) -> None:
        schema = (await coach.get("/openapi.json")).json()["components"]["schemas"]["Problem"]
        document = problem(await coach.post("/v1/bells", json={}), 422, "invalid-input")
        assert set(schema["required"]) <= document.keys() <= set(schema["properties"])


async def test_calls_at_once_are_not_mixed_up(app: FastAPI, issuer: TokenIssuer) -> None:
    async def who(number: int) -> str:
        async with as_caller(app, issuer, "coach", subject=f"adu_{number}") as client:
            return str((await client.post(COMMAND)).json()[0]["who"])

    assert await asyncio.gather(*(who(n) for n in range(50))) == [f"north/adu_{n}" for n in range(50)]


@pytest.fixture
async def address(app: FastAPI) -> AsyncIterator[str]:
    """The app behind a real server on a real socket."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await serving


class TestOverASocket:
    @pytest.mark.parametrize("announced", [True, False])
    async def test_a_client_that_sends_far_too_much_still_gets_its_answer(
        self, address: str, coach: httpx.AsyncClient, announced: bool
    ) -> None:
        async def long() -> AsyncIterator[bytes]:
            for _ in range(200):
                yield b"x" * 100_000

        headers = {"Authorization": coach.headers["Authorization"], "Content-Type": "application/json"}
        async with httpx.AsyncClient(base_url=address, headers=headers) as client:
            answer = await client.post("/v1/bells", content=b"x" * 20_000_000 if announced else long())
            problem(answer, 413, "too-large")
            assert (await client.post("/v1/bells", json={"name": "noon", "rings": []})).status_code == 200

    async def test_a_client_that_asks_first_is_refused_before_it_sends(
        self, address: str, coach: httpx.AsyncClient
    ) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2]))
        writer.write(
            b"POST /v1/bells HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 200000000\r\n"
            b"Authorization: " + coach.headers["Authorization"].encode() + b"\r\n\r\n"
        )
        assert (await asyncio.wait_for(reader.readline(), 1)).startswith(b"HTTP/1.1 413")
        writer.close()
        await writer.wait_closed()
