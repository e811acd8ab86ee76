"""What goes on while something is broken: a provider that posts evidence, a learner who reads the published week."""

import asyncio
import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from infra.dev.house import House
from tests.support import school

XAPI = {"X-Experience-API-Version": "1.0.3"}
_POSTERS = 3
_PAUSE = 0.25
_LATER_PAUSE = 2.0
_SOON_SLOWER = 40
"""Statements of one poster after which a long fault is kept from costing hours of checking."""
_PATIENCE = 5.0
_LOOKS_EVERY = 0.1
_COPIED_WITHIN = 120.0
_CODES = ("N1", "N2", "W1", "W2")


@dataclass
class Provider:
    """Posts one statement after the other, each until it is acknowledged, as a provider does that loses nothing.

    ``acknowledged`` are the learner of each statement id that was answered with success; ``posted`` what was sent in this run;
    ``surprises`` answers that no fault excuses.
    """

    http: httpx.AsyncClient
    people: Sequence[school.Pupil]
    acknowledged: dict[str, str]
    numbers: Iterator[int]
    refused: int = 0
    posted: dict[str, dict[str, Any]] = field(default_factory=dict)
    surprises: list[str] = field(default_factory=list)
    _waiting: list[dict[str, Any]] = field(default_factory=list)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for _ in range(_POSTERS):
                group.create_task(self._post_on())

    async def _post_on(self) -> None:
        posted = 0
        while True:
            number = next(self.numbers)
            pupil = self.people[number % len(self.people)]
            code = _CODES[number // len(self.people) % len(_CODES)]
            await self._post(school.statement(pupil.sourced_id, code, number, correct=number % 5 > 0))
            posted += 1
            await asyncio.sleep(_PAUSE if posted < _SOON_SLOWER else _LATER_PAUSE)

    async def finish(self, seconds: float) -> None:
        """Post what is not acknowledged yet, until all of it is. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while self._waiting:
                waiting, self._waiting = self._waiting, []
                for statement in waiting:
                    await self._post(statement)
                await asyncio.sleep(_PAUSE if self._waiting else 0)

    def take_back(self, statement_ids: Iterable[str]) -> None:
        """These were acknowledged and are gone: :meth:`finish` posts them again."""
        for statement_id in statement_ids:
            del self.acknowledged[statement_id]
            self._waiting.append(self.posted[statement_id])

    async def _post(self, statement: dict[str, Any]) -> None:
        self._waiting.append(statement)
        self.posted[statement["id"]] = statement
        try:
            answer = await self.http.post(
                "/assessment/xapi/statements",
                json=statement,
                headers=XAPI,
                timeout=_PATIENCE,
            )
        except httpx.TransportError:
            return
        if answer.is_success:
            self._waiting.remove(statement)
            self.acknowledged[statement["id"]] = statement["actor"]["account"]["name"]
        elif answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            self.refused += 1
        else:
            self.surprises.append(f"{answer.status_code} {answer.text[:300]}")


@dataclass
class Reader:
    """A learner who reads their own published week again and again, of whichever replica answers first, as behind an ingress.

    A replica that does not answer within two seconds, or answers that it cannot, is passed over; when none has answered the week was
    not readable at that moment. ``worst`` is the longest such time in seconds.
    """

    house: House
    token: str
    learner_id: str
    reads: int = 0
    failed: int = 0
    worst: float = 0.0
    last_failure: str = ""

    async def run(self) -> None:
        """Until cancelled."""
        last_read = time.monotonic()
        async with self._http() as http:
            for turn in itertools.count():
                replicas = self.house.of("scheduling")
                first = turn % len(replicas)
                for replica in replicas[first:] + replicas[:first]:
                    if await self._read(http, replica.url):
                        self.reads += 1
                        last_read = time.monotonic()
                        break
                else:
                    self.failed += 1
                    self.worst = max(self.worst, time.monotonic() - last_read)
                await asyncio.sleep(_LOOKS_EVERY)

    async def everywhere(self) -> None:
        """Until every replica gives the week by itself. Raises TimeoutError."""
        async with asyncio.timeout(_COPIED_WITHIN), self._http() as http:
            for replica in self.house.of("scheduling"):
                while not await self._read(http, replica.url):
                    await asyncio.sleep(_LOOKS_EVERY)

    def _http(self) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.AsyncClient(headers=headers, timeout=2.0, trust_env=False)

    async def _read(self, http: httpx.AsyncClient, url: str) -> bool:
        try:
            answer = await http.get(f"{url}/scheduling/v1/learners/{self.learner_id}/timetable")
        except httpx.TransportError as error:
            self.last_failure = repr(error)
            return False
        found = answer.is_success and bool(answer.json()["published"] and answer.json()["blocks"])
        if not found:
            self.last_failure = f"{answer.status_code} {answer.text[:200]}"
        return found
