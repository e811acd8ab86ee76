"""A gRPC server as all services run it: guarded, with health per service and reflection, drained before it stops."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection, reflection_pb2
from grpc_reflection.v1alpha._async import ReflectionServicer

from atelier_common.grpc.guard import Guard
from atelier_common.security.tokens import TokenVerifier

LOOPBACK = "127.0.0.1"
MAX_MESSAGE = 4_000_000
_KEEPALIVE_MS = 30_000
# The messages of the two versions are the same bytes; the library only knows the older name.
_REFLECTION_V1 = "grpc.reflection.v1.ServerReflection"


@dataclass(frozen=True)
class GrpcService:
    """One service to serve: its full name, its servicer, and the generated ``add_…Servicer_to_server``."""

    name: str
    servicer: Any
    add: Callable[[Any, Any], None]


class GrpcServer:
    """Serves ``services`` on ``host:port``, on loopback unless told; port 0 takes a free one.

    Every call needs a deadline of at least ``floor`` seconds and a token; :func:`current_caller` gives the servicer its caller. The
    health service alone is open. Servicers answer by a coroutine, or an async generator where they stream.
    """

    def __init__(
        self,
        services: Sequence[GrpcService],
        verifier: TokenVerifier,
        *,
        host: str = LOOPBACK,
        port: int = 0,
        floor: float = 0.01,
        drain_seconds: float = 5.0,
        credentials: grpc.ServerCredentials | None = None,
    ) -> None:
        self._services = services
        self._verifier = verifier
        self._host = host
        self._port = port
        self._floor = floor
        self._drain_seconds = drain_seconds
        self._credentials = credentials
        self._health = HealthServicer()
        self._server: grpc.aio.Server | None = None

    async def start(self) -> int:
        """Begin to serve; returns the port. Raises OSError where it cannot be bound."""
        self._server = server = grpc.aio.server(
            interceptors=[Guard(self._verifier, self._floor)],
            options=[
                ("grpc.max_receive_message_length", MAX_MESSAGE),
                ("grpc.max_send_message_length", MAX_MESSAGE),
                ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
                ("grpc.http2.min_ping_interval_without_data_ms", _KEEPALIVE_MS // 2),
                # Two processes on one port would share the calls between them, unnoticed.
                ("grpc.so_reuseport", 0),
            ],
        )
        for service in self._services:
            service.add(service.servicer, server)
            await self.set_serving(service.name, True)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        self._add_reflection(server)
        address = f"{self._host}:{self._port}"
        try:
            if self._credentials is None:
                self._port = server.add_insecure_port(address)
            else:
                self._port = server.add_secure_port(address, self._credentials)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {address}") from error
        await server.start()
        return self._port

    async def set_serving(self, service: str, serving: bool) -> None:
        """What the health service says of one service."""
        states = health_pb2.HealthCheckResponse
        await self._health.set(service, states.SERVING if serving else states.NOT_SERVING)

    async def stop(self) -> None:
        """Say *not serving*, take no new calls, let running ones finish for ``drain_seconds``, then cut them off."""
        if self._server is not None:
            await self._health.enter_graceful_shutdown()
            await self._server.stop(self._drain_seconds)
            self._server = None

    def _add_reflection(self, server: grpc.aio.Server) -> None:
        names = [
            *(service.name for service in self._services),
            health.SERVICE_NAME,
            reflection.SERVICE_NAME,
            _REFLECTION_V1,
        ]
        servicer = ReflectionServicer(names)
        method = grpc.stream_stream_rpc_method_handler(
            servicer.ServerReflectionInfo,
            request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
            response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
        )
        server.add_generic_rpc_handlers(
            [
                grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": method})
                for name in (reflection.SERVICE_NAME, _REFLECTION_V1)
            ]
        )
