"""The doors of a process: HTTP and gRPC, open for as long as a block lasts, then drained; and when to leave the block."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import asynccontextmanager

import uvicorn
from atelier_common.grpc.kit import GrpcServer, GrpcService
from atelier_common.security.tokens import TokenVerifier
from starlette.types import ASGIApp

_KEEP_ALIVE_SECONDS = 75
"""Longer than clients and ingresses keep a connection that rests: who keeps it longer would send a call into one just closed."""


class _Server(uvicorn.Server):
    """Stops when told by the block that serves; signals are the process's business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class HttpDoor:
    """HTTP at ``url``."""

    def __init__(self, server: _Server, url: str) -> None:
        self.url = url
        self._server = server

    def close(self) -> None:
        """Take no more calls; those that run go on."""
        self._server.should_exit = True


@asynccontextmanager
async def open_http(app: ASGIApp, at: tuple[str, int], drain_seconds: float = 5.0) -> AsyncIterator[HttpDoor]:
    """Serve ``app`` at a host and a port, 0 taking a free one. At the end running calls have ``drain_seconds``.

    Raises OSError where it cannot listen.
    """
    host, port = at
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=max(1, round(drain_seconds)),
    )
    server = _Server(config)
    serving = asyncio.create_task(server.serve(), name="http")
    try:
        while not server.started:
            if serving.done():
                raise OSError(f"cannot listen on {host}:{port}")
            await asyncio.sleep(0.01)
        bound = server.servers[0].sockets[0].getsockname()[1]
        yield HttpDoor(server, f"http://{host}:{bound}")
    finally:
        server.should_exit = True
        with contextlib.suppress(SystemExit):
            await serving


@asynccontextmanager
async def open_grpc(
    services: Sequence[GrpcService], verifier: TokenVerifier, at: tuple[str, int], drain_seconds: float = 5.0
) -> AsyncIterator[int]:
    """Serve ``services`` at a host and a port, 0 taking a free one; gives the port. At the end running calls have
    ``drain_seconds``. Raises OSError where it cannot listen.
    """
    host, port = at
    server = GrpcServer(services, verifier, host=host, port=port, drain_seconds=drain_seconds)
    bound = await server.start()
    try:
        yield bound
    finally:
        await server.stop()


@asynccontextmanager
async def open_doors(
    app: ASGIApp, services: Sequence[GrpcService], verifier: TokenVerifier, http: tuple[str, int], grpc: tuple[str, int]
) -> AsyncIterator[tuple[str, int]]:
    """Both doors for as long as the block lasts: (address of HTTP, port of gRPC). At its end both close at once."""
    async with open_http(app, http) as door, open_grpc(services, verifier, grpc) as grpc_port:
        try:
            yield door.url, grpc_port
        finally:
            door.close()


@contextlib.contextmanager
def told_to_stop() -> Generator[asyncio.Event, None, None]:
    """An event that SIGINT and SIGTERM set while the block lasts."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for which in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(which, told.set)
    try:
        yield told
    finally:
        for which in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(which)
