"""Backfill: how a consumer asks the owner of a log for what it missed."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from atelier_common.bus.envelope import Place
from atelier_common.bus.port import Message
from atelier_common.errors import Unavailable
from atelier_common.publisher import ContractLog


class Backfill(Protocol):
    """One neighbour's log, read over whatever lies between. Every call raises Unavailable when the neighbour is away."""

    async def contract_events(self, tenant: str, stream: str, after: Place) -> list[Message]:
        """The contract events of a stream in order, after ``after``, each exactly as it was or will be published."""
        ...

    async def streams(self, tenant: str, topics: Sequence[str]) -> list[str]:
        """Every stream that travels in these topics."""
        ...

    async def incarnation(self, tenant: str) -> str:
        """The incarnation of the tenant's log."""
        ...


class Neighbours:
    """The in-process way: the contract logs of the services that run in this process, by name.

    ``at(name)`` may be called before the service is there; calls raise Unavailable until it is.
    """

    def __init__(self, logs: Mapping[str, ContractLog] | None = None) -> None:
        self._logs = dict(logs or {})

    def add(self, log: ContractLog) -> None:
        self._logs[log.service] = log

    def at(self, service: str) -> Backfill:
        return _Neighbour(self._logs, service)


class _Neighbour:
    def __init__(self, logs: Mapping[str, ContractLog], service: str) -> None:
        self._logs = logs
        self._service = service

    def _log(self) -> ContractLog:
        if self._service not in self._logs:
            raise Unavailable(f"{self._service} does not run here")
        return self._logs[self._service]

    async def contract_events(self, tenant: str, stream: str, after: Place) -> list[Message]:
        return await self._log().contract_events(tenant, stream, after)

    async def streams(self, tenant: str, topics: Sequence[str]) -> list[str]:
        return await self._log().streams(tenant, topics)

    async def incarnation(self, tenant: str) -> str:
        return await self._log().incarnation(tenant)
