"""The gRPC kit, by a real client over a socket."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from atelier_common.errors import (
    AtelierError,
    ConcurrencyConflict,
    DeadlineMissing,
    Forbidden,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from atelier_common.grpc.kit import (
    DeadlineTooShort,
    GrpcServer,
    GrpcService,
    current_caller,
    error_of,
    neighbour_errors,
    open_channel,
    remaining_seconds,
)
from atelier_common.security.tokens import TokenIssuer
from atelier_common.telemetry import names, tracing
from atelier_common.telemetry.setup import install_tracing
from google.protobuf.wrappers_pb2 import StringValue
from google.rpc.error_details_pb2 import ErrorInfo  # type: ignore[import-untyped]  # ships no stubs
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]  # ships no stubs
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

NAME = "atelier.test.v1.Echo"


class Echo:
    """A servicer whose one unary method does what its argument says."""

    def __init__(self) -> None:
        self.calls = 0
        self.neighbour: Any = None

    async def do(self, request: StringValue, context: Any) -> StringValue:
        self.calls += 1
        match request.value:
            case "who":
                caller = current_caller()
                return StringValue(value=f"{caller.tenant}/{caller.subject}")
            case "missing":
                raise NotFound("no such studio", studio="s-1")
            case "accident":
                raise ValueError("Robin Sample was here")
            case "away once" if self.calls == 1:
                raise Unavailable("starting")
            case "conflict once" if self.calls == 1:
                raise ConcurrencyConflict("try again")
            case "not offered":
                raise NotImplementedError("Method not implemented!")
            case "trace":
                return said(str(tracing.current_traceparent()))
            case "slow":
                await asyncio.sleep(0.3)
            case "never":
                await asyncio.Event().wait()
            case "own refusal":
                await context.abort(grpc.StatusCode.OUT_OF_RANGE, "said by hand")
            case "time left of my neighbour":
                return StringValue(value=(await self.neighbour(said("time left"))).value)
            case "time left":
                return StringValue(value=str(remaining_seconds()))
        return StringValue(value=f"done: {request.value}")

    async def count(self, request: StringValue, _context: Any) -> AsyncIterator[StringValue]:
        for number in range(int(request.value)):
            if number == 3:
                raise Forbidden("only three", roles=["coach"])
            yield StringValue(value=f"{number} for {current_caller().subject}")


def add_echo(echo: Echo, server: Any) -> None:
    messages: dict[str, Any] = {
        "request_deserializer": StringValue.FromString,
        "response_serializer": StringValue.SerializeToString,
    }
    methods = {
        "Do": grpc.unary_unary_rpc_method_handler(echo.do, **messages),
        "Count": grpc.unary_stream_rpc_method_handler(echo.count, **messages),
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(NAME, methods)])


def do(channel: grpc.aio.Channel) -> Any:
    return channel.unary_unary(f"/{NAME}/Do", StringValue.SerializeToString, StringValue.FromString)


def count(channel: grpc.aio.Channel) -> Any:
    return channel.unary_stream(f"/{NAME}/Count", StringValue.SerializeToString, StringValue.FromString)


class House:
    """A running server and ways to reach it."""

    def __init__(self, directory: Path) -> None:
        self.issuer = TokenIssuer(directory)
        self.echo = Echo()
        self.server = GrpcServer([GrpcService(NAME, self.echo, add_echo)], self.issuer.verifier(), drain_seconds=2)
        self.address = ""
        self._channels: list[grpc.aio.Channel] = []

    async def start(self) -> None:
        self.address = f"127.0.0.1:{await self.server.start()}"

    def token(self) -> str:
        return self.issuer.issue("north", "svc-pathing", ["operator"], 5)

    def channel(self, **options: Any) -> grpc.aio.Channel:
        options.setdefault("token", self.token)
        return self._kept(open_channel(self.address, **options))

    def bare_channel(self) -> grpc.aio.Channel:
        """Without anything of the kit: what another program would open."""
        return self._kept(grpc.aio.insecure_channel(self.address))

    def _kept(self, channel: grpc.aio.Channel) -> grpc.aio.Channel:
        self._channels.append(channel)
        return channel

    async def stop(self) -> None:
        for channel in self._channels:
            await channel.close(None)
        await self.server.stop()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = House(tmp_path)
    await house.start()
    yield house
    await house.stop()


def said(value: str) -> StringValue:
    return StringValue(value=value)


async def test_a_servicer_knows_its_caller_from_the_token(house: House) -> None:
    assert (await do(house.channel())(said("who"))).value == "north/svc-pathing"


async def test_a_streaming_servicer_knows_its_caller_too(house: House) -> None:
    answers = [answer.value async for answer in count(house.channel())(said("2"))]
    assert answers == ["0 for svc-pathing", "1 for svc-pathing"]


async def test_a_call_without_a_token_is_refused(house: House) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await do(house.bare_channel())(said("who"), timeout=30)
    assert isinstance(error_of(refused.value), Unauthenticated)
    assert house.echo.calls == 0


async def test_a_call_with_anothers_token_is_refused_and_that_is_not_the_fault_of_who_called_the_caller(
    house: House, tmp_path: Path
) -> None:
    stranger = TokenIssuer(tmp_path / "elsewhere")
    with pytest.raises(Unavailable, match="this service's own token"), neighbour_errors():
        await do(house.channel(token=lambda: stranger.issue("north", "x", ["operator"], 5)))(said("who"))
    assert house.echo.calls == 0


async def test_a_call_without_a_deadline_is_refused(house: House) -> None:
    metadata = (("authorization", f"Bearer {house.token()}"),)
    with pytest.raises(DeadlineMissing), neighbour_errors():
        await do(house.bare_channel())(said("who"), metadata=metadata)
    assert house.echo.calls == 0


async def test_a_call_with_too_little_time_left_is_not_begun(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.server = GrpcServer([GrpcService(NAME, house.echo, add_echo)], house.issuer.verifier(), floor=5.0)
    await house.start()
    with pytest.raises(DeadlineTooShort), neighbour_errors():
        await do(house.channel(timeout=3.0))(said("who"))
    assert house.echo.calls == 0
    await house.stop()


async def test_the_kits_client_sets_a_deadline_on_every_call(house: House) -> None:
    with pytest.raises(Unavailable, match="DEADLINE_EXCEEDED"), neighbour_errors():
        await do(house.channel(timeout=0.1))(said("never"))
    assert 20.0 < float((await do(house.channel(timeout=30.0))(said("time left"))).value) < 30.2


async def test_a_call_made_while_one_is_served_gets_no_more_time_than_is_left(house: House) -> None:
    house.echo.neighbour = do(house.channel(timeout=60.0))
    left = await do(house.channel(timeout=30.0))(said("time left of my neighbour"))
    assert 20.0 < float(left.value) < 30.2


async def test_an_error_arrives_as_the_error_that_was_raised(house: House) -> None:
    with pytest.raises(NotFound, match="no such studio") as caught, neighbour_errors():
        await do(house.channel())(said("missing"))
    assert caught.value.extensions == {"studio": "s-1"}


async def test_a_status_carries_the_code_and_our_domain_for_clients_in_any_language(house: House) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await do(house.channel())(said("missing"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    metadata: Any = caught.value.trailing_metadata()
    [encoded] = [value for key, value in metadata if key == "grpc-status-details-bin"]
    status = Status.FromString(encoded)
    assert (status.code, status.message) == (5, "no such studio")
    info = ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain, dict(info.metadata)) == ("NOT_FOUND", "atelier", {"studio": "s-1"})


async def test_an_error_in_the_middle_of_a_stream_arrives_after_what_was_sent(house: House) -> None:
    seen: list[str] = []

    async def read_on() -> None:
        async for answer in count(house.channel())(said("5")):
            seen.append(answer.value)

    with pytest.raises(Forbidden), neighbour_errors():
        await read_on()
    assert len(seen) == 3


async def test_an_unexpected_error_shows_an_id_and_nothing_of_its_text(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(AtelierError) as caught, neighbour_errors():
        await do(house.channel())(said("accident"))
    assert type(caught.value) is AtelierError
    assert "Robin" not in str(caught.value) + repr(caught.value.extensions)
    assert caught.value.extensions["error_id"] in caplog.text


async def test_a_method_that_a_servicer_does_not_offer_is_unimplemented_and_no_accident(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await do(house.channel())(said("not offered"))
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert caplog.text == ""


async def test_one_trace_leads_from_the_caller_into_the_servicer(house: House) -> None:
    exporter = InMemorySpanExporter()
    install_tracing("test", exporter, immediately=True)
    with tracing.span(names.SPAN_REACT):
        inside = (await do(house.channel())(said("trace"))).value
    tracing.record_with(None)
    spans = {span.name: span for span in exporter.get_finished_spans()}
    assert set(spans) == {"reaction.react", "grpc.call", "grpc.request"}
    served, called, reacted = spans["grpc.request"], spans["grpc.call"], spans["reaction.react"]
    assert inside == tracing.traceparent_of(served.context)
    assert served.parent is not None
    assert called.parent is not None
    assert (served.parent.span_id, called.parent.span_id) == (called.context.span_id, reacted.context.span_id)
    assert called.attributes == {"rpc.method": f"/{NAME}/Do", "rpc.response.status_code": "OK"}


async def test_a_status_set_by_hand_is_left_as_it_is(house: House) -> None:
    with pytest.raises(grpc.aio.AioRpcError, match="said by hand") as caught:
        await do(house.channel())(said("own refusal"))
    assert caught.value.code() is grpc.StatusCode.OUT_OF_RANGE


async def test_unavailable_is_tried_again_where_the_call_is_declared_idempotent(house: House) -> None:
    answer = await do(house.channel(idempotent=[f"{NAME}/Do"]))(said("away once"))
    assert (answer.value, house.echo.calls) == ("done: away once", 2)


async def test_unavailable_is_not_tried_again_where_it_is_not(house: House) -> None:
    with pytest.raises(Unavailable), neighbour_errors():
        await do(house.channel(idempotent=[f"{NAME}/Count"]))(said("away once"))
    assert house.echo.calls == 1


async def test_no_other_error_is_tried_again_even_where_it_is(house: House) -> None:
    with pytest.raises(ConcurrencyConflict), neighbour_errors():
        await do(house.channel(idempotent=[f"{NAME}/Do"]))(said("conflict once"))
    assert house.echo.calls == 1


async def test_health_answers_per_service_without_a_token(house: House) -> None:
    stub = health_pb2_grpc.HealthStub(house.bare_channel())
    serving = health_pb2.HealthCheckResponse.SERVING
    assert (await stub.Check(health_pb2.HealthCheckRequest(service=NAME), timeout=30)).status == serving
    await house.server.set_serving(NAME, False)
    answer = await stub.Check(health_pb2.HealthCheckRequest(service=NAME), timeout=30)
    assert answer.status == health_pb2.HealthCheckResponse.NOT_SERVING
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.Check(health_pb2.HealthCheckRequest(service="atelier.other"), timeout=30)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
async def test_reflection_lists_the_services_to_whoever_has_a_token(house: House, version: str) -> None:
    method = house.bare_channel().stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        reflection_pb2.ServerReflectionRequest.SerializeToString,
        reflection_pb2.ServerReflectionResponse.FromString,
    )
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        [answer async for answer in method(iter([request]), timeout=30)]
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED

    metadata = (("authorization", f"Bearer {house.token()}"),)
    [answer] = [answer async for answer in method(iter([request]), timeout=30, metadata=metadata)]
    names = [service.name for service in answer.list_services_response.service]
    assert NAME in names
    assert "grpc.health.v1.Health" in names


async def test_stopping_lets_a_running_call_finish_and_takes_no_new_one(house: House) -> None:
    channel = house.channel()
    running = asyncio.ensure_future(do(channel)(said("slow")))
    while house.echo.calls == 0:
        await asyncio.sleep(0.01)
    await house.server.stop()
    assert (await running).value == "done: slow"
    with pytest.raises(Unavailable), neighbour_errors():
        await do(house.channel(timeout=0.5))(said("who"))


async def test_a_port_that_is_taken_is_refused_and_not_shared(house: House) -> None:
    port = int(house.address.rpartition(":")[2])
    second = GrpcServer([], house.issuer.verifier(), port=port)
    with pytest.raises(OSError, match="cannot listen"):
        await second.start()
