"""A channel to a neighbour: a deadline on every call, the token and the trace sent along, retries only where harmless."""

import json
from collections.abc import Callable, Collection
from typing import Any

import grpc
from opentelemetry.trace import SpanKind

from atelier_common.grpc.guard import remaining_seconds
from atelier_common.grpc.server import MAX_MESSAGE
from atelier_common.telemetry import names, tracing

_KEEPALIVE_MS = 30_000
_MAX_ATTEMPTS = 4


def open_channel(
    address: str,
    token: Callable[[], str],
    *,
    idempotent: Collection[str] = (),
    timeout: float = 2.0,
    credentials: grpc.ChannelCredentials | None = None,
) -> grpc.aio.Channel:
    """A channel for generated stubs; close it when done.

    ``token`` gives the bearer token of each call. A call without a ``timeout`` of its own gets ``timeout`` seconds; one made while a
    call is served gets no more than is left of that one's deadline. Methods in ``idempotent`` (``package.Service/Method``,
    or ``package.Service`` for all of one) are tried again when the neighbour is UNAVAILABLE; no other status is.
    """
    interceptors: list[Any] = [_UnaryCalls(token, timeout), _StreamedAnswers(token, timeout)]
    options: list[tuple[str, Any]] = [
        ("grpc.service_config", _service_config(idempotent)),
        ("grpc.enable_retries", 1),
        ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", 5_000),
        ("grpc.max_receive_message_length", MAX_MESSAGE),
        ("grpc.max_send_message_length", MAX_MESSAGE),
        # Started long after its neighbour or long before: the first calls must not wait out a minute of back-off.
        ("grpc.max_reconnect_backoff_ms", 2_000),
    ]
    if credentials is None:
        return grpc.aio.insecure_channel(address, options=options, interceptors=interceptors)
    return grpc.aio.secure_channel(address, credentials, options=options, interceptors=interceptors)


def _service_config(idempotent: Collection[str]) -> str:
    named = []
    for entry in sorted(idempotent):
        service, _, method = entry.partition("/")
        named.append({"service": service, "method": method} if method else {"service": service})
    if not named:
        return "{}"
    retry = {
        "maxAttempts": _MAX_ATTEMPTS,
        "initialBackoff": "0.05s",
        "maxBackoff": "1s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    return json.dumps({"methodConfig": [{"name": named, "retryPolicy": retry}]})


class _Outgoing:
    def __init__(self, token: Callable[[], str], timeout: float) -> None:
        self._token = token
        self._timeout = timeout

    def completed(self, details: Any) -> grpc.aio.ClientCallDetails:
        left = remaining_seconds()
        timeout = details.timeout if details.timeout is not None else self._timeout
        metadata = grpc.aio.Metadata(*(details.metadata or ()))
        metadata.add("authorization", f"Bearer {self._token()}")
        traceparent = tracing.current_traceparent()
        if traceparent is not None:
            metadata.add("traceparent", traceparent)
        return grpc.aio.ClientCallDetails(
            details.method,
            timeout if left is None else max(0.0, min(timeout, left)),
            metadata,
            details.credentials,
            details.wait_for_ready,
        )


class _UnaryCalls(_Outgoing, grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[type-arg]  # generic in stubs only
    async def intercept_unary_unary(
        self, continuation: Callable[[Any, Any], Any], client_call_details: Any, request: Any
    ) -> Any:
        if not tracing.is_recording():
            return await continuation(self.completed(client_call_details), request)
        with tracing.span(
            names.SPAN_GRPC_CALL,
            kind=SpanKind.CLIENT,
            attributes={names.RPC_METHOD: _text(client_call_details.method)},
        ) as span:
            call = await continuation(self.completed(client_call_details), request)
            span.set_attribute(names.RPC_STATUS, (await call.code()).name)
            return call


class _StreamedAnswers(_Outgoing, grpc.aio.UnaryStreamClientInterceptor):  # type: ignore[type-arg]  # generic in stubs only
    async def intercept_unary_stream(
        self, continuation: Callable[[Any, Any], Any], client_call_details: Any, request: Any
    ) -> Any:
        return await continuation(self.completed(client_call_details), request)


def _text(method: str | bytes) -> str:
    return method.decode() if isinstance(method, bytes) else method
