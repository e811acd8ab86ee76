"""Backfill over gRPC: the servicer that every service adds for its own log, and the client that a consumer asks."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
from atelier.kernel.v1 import backfill_pb2, backfill_pb2_grpc

from atelier_common.bus.envelope import Place, decode
from atelier_common.bus.port import Message
from atelier_common.errors import NotFound
from atelier_common.eventstore.port import EventStore
from atelier_common.grpc.guard import current_caller
from atelier_common.grpc.server import GrpcService
from atelier_common.grpc.status import neighbour_errors
from atelier_common.http.auth import require
from atelier_common.publisher import ContractLog

SERVICE = "atelier.kernel.v1.BackfillService"
_STREAM_SECONDS = 30.0


class BackfillServicer(backfill_pb2_grpc.BackfillServiceServicer):
    """Serves the contract events of one service's log to operators and services of the same tenant."""

    def __init__(self, log: ContractLog, store: EventStore) -> None:
        self._log = log
        self._store = store

    async def ContractEvents(
        self, request: backfill_pb2.ContractEventsRequest, _context: Any
    ) -> AsyncIterator[backfill_pb2.ContractEventsResponse]:
        tenant = _admitted(request.tenant)
        after = (request.after_version, request.after_ordinal)
        for message in await self._log.contract_events(tenant, request.stream, after):
            yield backfill_pb2.ContractEventsResponse(
                key=message.key.encode(),
                headers=[backfill_pb2.Header(name=name, value=value) for name, value in message.headers],
                value=message.value,
            )

    async def Streams(
        self, request: backfill_pb2.StreamsRequest, _context: Any
    ) -> AsyncIterator[backfill_pb2.StreamsResponse]:
        tenant = _admitted(request.tenant)
        for stream in await self._names(tenant, request.topic, request.after_stream):
            told = await self._log.contract_events(tenant, stream)
            if told:
                version, ordinal = decode(told[-1]).place
                yield backfill_pb2.StreamsResponse(stream=stream, last_version=version, last_ordinal=ordinal)

    async def _names(self, tenant: str, topic: str, after: str) -> list[str]:
        if topic:
            return [stream for stream in await self._log.streams(tenant, [topic]) if stream > after]
        found: list[str] = []
        while page := await self._store.list_streams(tenant, "", found[-1] if found else after):
            found += page
        return found

    async def Incarnation(
        self, request: backfill_pb2.IncarnationRequest, _context: Any
    ) -> backfill_pb2.IncarnationResponse:
        tenant = _admitted(request.tenant)
        incarnation, position = await self._log.incarnation(tenant), await self._store.head(tenant)
        return backfill_pb2.IncarnationResponse(incarnation=incarnation, position=position)


def backfill_service(log: ContractLog, store: EventStore) -> GrpcService:
    """What a server registers so that neighbours can ask for what they missed."""
    return GrpcService(SERVICE, BackfillServicer(log, store), backfill_pb2_grpc.add_BackfillServiceServicer_to_server)


class RemoteBackfill:
    """The :class:`~atelier_common.backfill.Backfill` of a neighbour in another process, over a channel of :func:`open_channel`."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = backfill_pb2_grpc.BackfillServiceStub(channel)

    async def contract_events(self, tenant: str, stream: str, after: Place) -> list[Message]:
        request = backfill_pb2.ContractEventsRequest(
            tenant=tenant, stream=stream, after_version=after[0], after_ordinal=after[1]
        )
        with neighbour_errors():
            return [
                Message(told.key.decode(), told.value, tuple((header.name, header.value) for header in told.headers))
                async for told in self._stub.ContractEvents(request, timeout=_STREAM_SECONDS)
            ]

    async def streams(self, tenant: str, topics: Sequence[str]) -> list[str]:
        found: list[str] = []
        with neighbour_errors():
            for topic in topics:
                request = backfill_pb2.StreamsRequest(tenant=tenant, topic=topic)
                found += [told.stream async for told in self._stub.Streams(request, timeout=_STREAM_SECONDS)]
        return found

    async def incarnation(self, tenant: str) -> str:
        with neighbour_errors():
            answer = await self._stub.Incarnation(backfill_pb2.IncarnationRequest(tenant=tenant))
        return str(answer.incarnation)


def _admitted(tenant: str) -> str:
    caller = current_caller()
    require(caller, "operator")
    if tenant != caller.tenant:
        raise NotFound("there is no such district")
    return tenant
