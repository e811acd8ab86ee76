"""Serving: HTTP and pages on one port, gRPC on another, both on loopback unless told otherwise."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from atelier_common import process
from atelier_common.grpc.kit import GrpcService
from atelier_hosting.doors import open_doors, told_to_stop

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


@asynccontextmanager
async def served(
    atelier: Atelier, host: str = LOOPBACK, port: int = 0, grpc_port: int = 0
) -> AsyncIterator[tuple[str, int]]:
    """Serve a started Atelier for as long as the block lasts: (address of HTTP, port of gRPC). Port 0 takes a free one."""
    async with open_doors(
        build_app(atelier), grpc_services(atelier), atelier.verifier, (host, port), (host, grpc_port)
    ) as (url, bound_grpc):
        atelier.folder.announce(url)
        try:
            yield url, bound_grpc
        finally:
            atelier.folder.withdraw()


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
    with told_to_stop() as told:
        await told.wait()
