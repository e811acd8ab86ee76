"""Channels to the other services: one per neighbour and tenant, each call with a token that this process signs itself."""

import time
from collections.abc import Mapping, Sequence

import grpc
from atelier_common.backfill import Backfill
from atelier_common.bus.envelope import Place
from atelier_common.bus.port import Message
from atelier_common.errors import Unavailable
from atelier_common.grpc.backfill import SERVICE as BACKFILL_SERVICE
from atelier_common.grpc.backfill import RemoteBackfill
from atelier_common.grpc.kit import open_channel
from atelier_common.security.tokens import TokenIssuer

from atelier_hosting.keys import KEY_SERVICE
from atelier_hosting.settings import Address

_TOKEN_MINUTES = 10.0
_ROLES = ("operator",)


class NeighbourChannels:
    """Where ``service`` calls its neighbours. Raises Unavailable for one whose address was not given."""

    def __init__(self, service: str, addresses: Mapping[str, Address], issuer: TokenIssuer) -> None:
        self._service = service
        self._addresses = addresses
        self._issuer = issuer
        self._channels: dict[tuple[str, str], grpc.aio.Channel] = {}
        self._tokens: dict[str, tuple[float, str]] = {}

    def to(self, neighbour: str, tenant: str) -> grpc.aio.Channel:
        """The channel for calls in ``tenant``; made at first use, kept until :meth:`close`."""
        slot = (neighbour, tenant)
        if slot not in self._channels:
            address = self._addresses.get(neighbour)
            if address is None:
                raise Unavailable(f"ATELIER_NEIGHBOURS does not say where {neighbour} is")
            self._channels[slot] = open_channel(
                str(address), lambda: self._token(tenant), idempotent=(BACKFILL_SERVICE, KEY_SERVICE), timeout=5.0
            )
        return self._channels[slot]

    def _token(self, tenant: str) -> str:
        until, token = self._tokens.get(tenant, (0.0, ""))
        if time.time() > until:
            token = self._issuer.issue(tenant, f"service:{self._service}", _ROLES, _TOKEN_MINUTES)
            self._tokens[tenant] = (time.time() + _TOKEN_MINUTES * 30, token)
        return token

    async def close(self) -> None:
        for channel in self._channels.values():
            await channel.close(None)
        self._channels.clear()


class NeighbourBackfill(Backfill):
    """What a neighbour's log said, asked of the neighbour."""

    def __init__(self, channels: NeighbourChannels, neighbour: str) -> None:
        self._channels = channels
        self._neighbour = neighbour

    def _at(self, tenant: str) -> RemoteBackfill:
        return RemoteBackfill(self._channels.to(self._neighbour, tenant))

    async def contract_events(self, tenant: str, stream: str, after: Place) -> list[Message]:
        return await self._at(tenant).contract_events(tenant, stream, after)

    async def streams(self, tenant: str, topics: Sequence[str]) -> list[str]:
        return await self._at(tenant).streams(tenant, topics)

    async def incarnation(self, tenant: str) -> str:
        return await self._at(tenant).incarnation(tenant)
