"""Serving: HTTP and pages on one port, gRPC on another, both on loopback unless told otherwise."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager

import uvicorn
from atelier_common import process
from atelier_common.grpc.kit import GrpcServer, GrpcService

from atelier_standalone.app import build_app
from atelier_standalone.folder import LOOPBACK, DataFolder
from atelier_standalone.system import Atelier


def grpc_services(atelier: Atelier) -> list[GrpcService]:
    """The gRPC doors of all four services."""
    return [
        *atelier.profile.grpc,
        atelier.assessment.grpc,
        *atelier.pathing.grpc,
        *atelier.scheduling.grpc,
    ]


class _Server(uvicorn.Server):
    """Stops when told by the block that serves; signals are the command line's business."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


@asynccontextmanager
async def served(
    atelier: Atelier, host: str = LOOPBACK, port: int = 0, grpc_port: int = 0
) -> AsyncIterator[tuple[str, int]]:
    """Serve a started Atelier for as long as the block lasts: (address of HTTP, port of gRPC). Port 0 takes a free one."""
    config = uvicorn.Config(
        build_app(atelier),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=5,
    )
    server = _Server(config)
    grpc_server = GrpcServer(grpc_services(atelier), atelier.verifier, host=host, port=grpc_port)
    bound_grpc = await grpc_server.start()
    serving = asyncio.create_task(server.serve(), name="http")
    try:
        while not server.started:
            if serving.done():
                raise OSError(f"cannot listen on {host}:{port}")
            await asyncio.sleep(0.01)
        bound = server.servers[0].sockets[0].getsockname()[1]
        url = f"http://{host}:{bound}"
        atelier.folder.announce(url)
        yield url, bound_grpc
    finally:
        atelier.folder.withdraw()
        server.should_exit = True
        await grpc_server.stop()
        with contextlib.suppress(SystemExit):
            await serving


async def serve(
    folder: DataFolder,
    host: str,
    port: int,
    grpc_port: int,
    announce: Callable[[Atelier, str, int], Awaitable[None] | None],
) -> None:
    """Open the folder and serve until interrupted or terminated."""
    atelier = Atelier(folder)
    await atelier.start()
    warming = asyncio.create_task(atelier.scheduling.process.warm_up(), name="warm-up")
    try:
        async with served(atelier, host, port, grpc_port) as (url, bound_grpc):
            process.started()
            told = announce(atelier, url, bound_grpc)
            if told is not None:
                await told
            await until_told()
    finally:
        warming.cancel()
        await atelier.stop()


async def until_told() -> None:
    """Wait for SIGINT or SIGTERM."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for which in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(which, told.set)
    try:
        await told.wait()
    finally:
        for which in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(which)
