"""What every call passes before a servicer sees it: a deadline, a token; and after it: errors become statuses."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import grpc
from opentelemetry.trace import SpanKind

from atelier_common.errors import DeadlineMissing, Unauthenticated
from atelier_common.grpc.status import DeadlineTooShort, code_of, status_of
from atelier_common.security.tokens import Caller, TokenVerifier
from atelier_common.telemetry import metrics, names, tracing

Continuation = Callable[[grpc.HandlerCallDetails], Awaitable[Any]]

# A probe of an orchestrator has no token, and a watch of a service's health no end.
_OPEN = ("/grpc.health.v1.Health/",)
_SECONDS = metrics.histogram(names.METRIC_RPC_SECONDS)

_caller: ContextVar[Caller | None] = ContextVar("atelier_grpc_caller", default=None)
_deadline: ContextVar[float | None] = ContextVar("atelier_grpc_deadline", default=None)


def current_caller() -> Caller:
    """Who makes the call that is being served here. Raises Unauthenticated outside of one."""
    caller = _caller.get()
    if caller is None:
        raise Unauthenticated("send a token in the metadata: authorization: Bearer …")
    return caller


def remaining_seconds() -> float | None:
    """What is left of the deadline of the call being served here; None outside of one."""
    deadline = _deadline.get()
    return None if deadline is None else deadline - time.monotonic()


class Guard(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]  # generic in stubs only
    """Refuses a call without a deadline, with less than ``floor`` seconds left, or without a valid token."""

    def __init__(self, verifier: TokenVerifier, floor: float) -> None:
        self._verifier = verifier
        self._floor = floor

    async def intercept_service(self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails) -> Any:
        handler = await continuation(handler_call_details)
        method = handler_call_details.method
        if handler is None or method.startswith(_OPEN):
            return handler
        if handler.response_streaming:
            behaviour = handler.stream_stream if handler.request_streaming else handler.unary_stream
            wrap = (
                grpc.stream_stream_rpc_method_handler
                if handler.request_streaming
                else grpc.unary_stream_rpc_method_handler
            )
            return wrap(self._streaming(method, behaviour), handler.request_deserializer, handler.response_serializer)
        behaviour = handler.stream_unary if handler.request_streaming else handler.unary_unary
        wrap = (
            grpc.stream_unary_rpc_method_handler if handler.request_streaming else grpc.unary_unary_rpc_method_handler
        )
        return wrap(self._single(method, behaviour), handler.request_deserializer, handler.response_serializer)

    def _single(self, method: str, behaviour: Callable[[Any, Any], Awaitable[Any]]) -> Callable[[Any, Any], Any]:
        async def serve(request: Any, context: Any) -> Any:
            try:
                with self._admitted(method, context):
                    return await behaviour(request, context)
            except grpc.aio.AbortError:
                raise
            except Exception as error:
                await context.abort(*status_of(error))

        return serve

    def _streaming(self, method: str, behaviour: Callable[[Any, Any], AsyncIterator[Any]]) -> Callable[[Any, Any], Any]:
        async def serve(request: Any, context: Any) -> AsyncIterator[Any]:
            try:
                with self._admitted(method, context):
                    async for message in behaviour(request, context):
                        yield message
            except grpc.aio.AbortError:
                raise
            except Exception as error:
                await context.abort(*status_of(error))

        return serve

    @contextmanager
    def _admitted(self, method: str, context: Any) -> Iterator[None]:
        metadata = dict(context.invocation_metadata() or ())
        with (
            _measured(method),
            tracing.span(
                names.SPAN_GRPC,
                parent=metadata.get("traceparent"),
                kind=SpanKind.SERVER,
                attributes={names.RPC_METHOD: method},
            ),
        ):
            remaining = context.time_remaining()
            if remaining is None:
                raise DeadlineMissing("set a deadline on the call: it says how long the answer is of use")
            if remaining < self._floor:
                raise DeadlineTooShort(f"less than {self._floor} s are left; nothing was begun")
            # Each call is served in a task of its own, so nothing needs to be set back.
            _deadline.set(time.monotonic() + remaining)
            _caller.set(self._verify(metadata.get("authorization")))
            yield

    def _verify(self, authorization: Any) -> Caller:
        scheme, _, token = authorization.partition(" ") if isinstance(authorization, str) else ("", "", "")
        if scheme.lower() != "bearer" or not token:
            raise Unauthenticated("send a token in the metadata: authorization: Bearer …")
        return self._verifier.verify(token)


@contextmanager
def _measured(method: str) -> Iterator[None]:
    """How long a call took and with which status it ended."""
    if not metrics.is_measuring():
        yield
        return
    began, status = time.perf_counter(), grpc.StatusCode.OK
    try:
        yield
    except BaseException as error:
        status = code_of(error)
        raise
    finally:
        observed = {names.RPC_SYSTEM: "grpc", names.RPC_METHOD: method, names.RPC_STATUS: status.name}
        _SECONDS.record(time.perf_counter() - began, observed)
