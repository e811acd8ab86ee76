"""The doors of a process: HTTP and gRPC, open for as long as a block lasts, then drained; and when to leave the block."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import asynccontextmanager

import uvicorn
from atelier_common.grpc.kit import GrpcServer, GrpcService
from atelier_common.security.tokens import TokenVerifier
from fastapi import FastAPI


class _Server(uvicorn.Server):
    """Stops when told by the block that serves; signals are the process's business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


@asynccontextmanager
async def open_doors(
    app: FastAPI,
    services: Sequence[GrpcService],
    verifier: TokenVerifier,
    http: tuple[str, int],
    grpc: tuple[str, int],
    drain_seconds: float = 5.0,
) -> AsyncIterator[tuple[str, int]]:
    """Serve ``app`` at ``http`` and ``services`` at ``grpc``, each a host and a port, 0 taking a free one.

    Gives (address of HTTP, port of gRPC). At its end no new call is taken and running ones have ``drain_seconds``. Raises
    OSError where it cannot listen.
    """
    host, port = http
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=max(1, round(drain_seconds)),
    )
    server = _Server(config)
    grpc_server = GrpcServer(services, verifier, host=grpc[0], port=grpc[1], drain_seconds=drain_seconds)
    grpc_port = await grpc_server.start()
    serving = asyncio.create_task(server.serve(), name="http")
    try:
        while not server.started:
            if serving.done():
                raise OSError(f"cannot listen on {host}:{port}")
            await asyncio.sleep(0.01)
        bound = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://{host}:{bound}", grpc_port
    finally:
        server.should_exit = True
        await grpc_server.stop()
        with contextlib.suppress(SystemExit):
            await serving


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
