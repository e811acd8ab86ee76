"""A whole Atelier in a test: HTTP and gRPC on loopback, in a thread with an event loop of its own."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

import httpx
from atelier_common import process
from atelier_common.clock import SimulatedClock
from atelier_common.security.tokens import TokenIssuer
from atelier_standalone.folder import DataFolder
from atelier_standalone.serving import served
from atelier_standalone.system import Atelier

from tests.support import school

XAPI = {"X-Experience-API-Version": "1.0.3"}
_PATIENCE = 60.0
Found = TypeVar("Found")


class StandingClock(Protocol):
    """Domain time that moves only when told; milliseconds UTC."""

    def now(self) -> int: ...
    def advance_to(self, moment: int) -> None: ...


class System:
    """A running Atelier: its addresses, its clock, and a door to each district in it."""

    def __init__(
        self,
        issuer: TokenIssuer,
        clock: StandingClock,
        url: str,
        grpc_port: int = 0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.issuer = issuer
        self.clock = clock
        self.url = url
        self.grpc_port = grpc_port
        self._transport = transport
        self._clients: dict[Any, httpx.Client] = {}

    def district(self, tenant: str) -> "District":
        """A district of this name; one that nobody used before knows nobody."""
        return District(self, tenant)

    def with_token(self, token: str) -> httpx.Client:
        """An HTTP client with this token."""
        if token not in self._clients:
            headers = {"Authorization": f"Bearer {token}"}
            self._clients[token] = httpx.Client(
                base_url=self.url, headers=headers, timeout=2 * _PATIENCE, trust_env=False, transport=self._transport
            )
        return self._clients[token]

    def settle(self, district: "District") -> None:
        """Wait until everything that was accepted has gone all the way through."""
        settled = district.post("/operator/v1/settle", seconds=_PATIENCE)["settled"]
        assert settled, district.get("/operator/v1/parked")

    def logs(self, district: "District") -> dict[str, dict[str, Any]]:
        """Head, incarnation and backlog of the district's log in each service."""
        return {one["service"]: one for one in district.get("/operator/v1/logs")["logs"]}

    def verify(self, district: "District") -> dict[str, Any]:
        """What `atelier events verify` says."""
        report: dict[str, Any] = district.post("/operator/v1/verify")
        return report

    def close(self) -> None:
        for client in self._clients.values():
            client.close()


class District:
    """One tenant of a system, reached through the public doors alone."""

    def __init__(self, system: System, tenant: str) -> None:
        self.system = system
        self.tenant = tenant
        self._tokens: dict[Any, str] = {}

    def token(self, *roles: str, subject: str = "", learners: Sequence[str] = (), minutes: float = 60) -> str:
        return self.system.issuer.issue(self.tenant, subject or f"the-{roles[0]}", roles, minutes, learners)

    def client(self, *roles: str, subject: str = "", learners: Sequence[str] = ()) -> httpx.Client:
        """An HTTP client that acts in these roles."""
        who = (roles, subject, tuple(learners))
        if who not in self._tokens:
            self._tokens[who] = self.token(*roles, subject=subject, learners=learners)
        return self.system.with_token(self._tokens[who])

    @property
    def admin(self) -> httpx.Client:
        return self.client("district-admin", "operator", subject="administrator")

    @property
    def provider(self) -> httpx.Client:
        return self.client("partner", subject="answers-app")

    def get(self, path: str, **query: Any) -> Any:
        """As the administrator, the JSON of a successful answer."""
        return answered(self.admin.get(path, params=query))

    def post(self, path: str, body: Any = None, **query: Any) -> Any:
        return answered(self.admin.post(path, json=body, params=query))

    def settle(self) -> None:
        """Wait until everything that was accepted has gone all the way through."""
        self.system.settle(self)

    def send_evidence(self, statements: Sequence[Any]) -> None:
        answered(self.provider.post("/assessment/xapi/statements", json=list(statements), headers=XAPI))

    def bring_in(self, people: Sequence[school.Pupil], *descriptions: dict[str, Any], roster: bytes = b"") -> None:
        """Framework, roster and sites, through the doors that a district uses."""
        answered(self.admin.post("/pathing/v1/frameworks", content=school.case_package(), headers=JSON))
        sent = roster or school.roster_zip(people)
        answered(self.admin.post("/profile/v1/roster-imports", content=sent, headers=ZIP))
        self.settle()
        for description in descriptions:
            self.describe(description)
        self.settle()

    def describe(self, description: dict[str, Any]) -> None:
        answered(self.admin.put(f"/scheduling/v1/sites/{description['site_id']}", json=description))

    def plan(self, site_id: str = school.SITE, week: str = school.WEEK) -> dict[str, Any]:
        """Have a week planned; its document."""
        accepted = self.post(f"/scheduling/v1/sites/{site_id}/plans", week=week)
        return self.document(site_id, week, after=f"{accepted['stream']}@{accepted['version']}")

    def document(self, site_id: str = school.SITE, week: str = school.WEEK, **query: Any) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/scheduling/v1/sites/{site_id}/plans/{week}", **query)
        return found

    def publish(self, site_id: str = school.SITE, week: str = school.WEEK) -> dict[str, Any]:
        """Publish the proposal, answering for what it owes; the week's document once everybody has it."""
        self.post(f"/scheduling/v1/sites/{site_id}/plans/{week}/publication", {"acknowledge_owed": True})
        self.settle()
        return self.document(site_id, week)

    def timetable(self, learner_id: str, week: str = school.WEEK, *, proposed: bool = True) -> list[dict[str, Any]]:
        """The blocks of a learner's week in which they are present."""
        path = f"/scheduling/v1/learners/{learner_id}/timetable"
        return [one for one in self.get(path, week=week, proposed=proposed)["blocks"] if one["present"]]

    def sessions(self, date: str, site_id: str = school.SITE, **query: Any) -> list[dict[str, Any]]:
        """What is proposed for a date."""
        path = f"/scheduling/v1/sites/{site_id}/days/{date}"
        found: list[dict[str, Any]] = self.get(path, proposed=True, **query)["sessions"]
        return found

    def learner_ids(self) -> dict[str, str]:
        """Atelier ids by the name that the roster gave."""
        found: dict[str, str] = {}
        cursor = ""
        while True:
            page = self.get("/profile/v1/learners", **({"cursor": cursor} if cursor else {}))
            found |= {one["display_name"]: one["learner_id"] for one in page["items"]}
            cursor = page.get("next_cursor") or ""
            if not cursor:
                return found

    def log(self, service: str, after: int = 0) -> list[dict[str, Any]]:
        """Every commit of a service's log after a position."""
        found: list[dict[str, Any]] = []
        while page := self.get(f"/operator/v1/logs/{service}/events", after=after, limit=500)["events"]:
            found += page
            after = page[-1]["position"]
        return found

    def heads(self) -> dict[str, int]:
        return {name: one["head"] for name, one in self.system.logs(self).items()}

    def incarnations(self) -> dict[str, str]:
        return {name: one["incarnation"] for name, one in self.system.logs(self).items()}

    def verify(self) -> dict[str, Any]:
        """What `atelier events verify` says."""
        return self.system.verify(self)


ZIP = {"content-type": "application/zip"}
JSON = {"content-type": "application/json"}


def answered(response: httpx.Response) -> Any:
    """The JSON of a successful answer; fails the test with the problem document otherwise."""
    assert response.is_success, (
        f"{response.request.method} {response.request.url}: {response.status_code} {response.text}"
    )
    return response.json() if response.content else None


def until(look: Callable[[], Found]) -> Found:
    """What ``look`` finds, as soon as it finds anything. Fails the test after a minute."""
    deadline = time.monotonic() + _PATIENCE
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)
    return found


def until_it_holds(look: Callable[[], object]) -> None:
    """Until nothing that ``look`` asserts fails any more. Fails as it does where that takes longer than a minute."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            look()
        except AssertionError:
            if time.monotonic() > deadline:
                raise
        else:
            return
        time.sleep(0.05)


@contextmanager
def running(folder: Path, now: int = school.SATURDAY_BEFORE) -> Iterator[System]:
    """Start an Atelier on a folder, and stop it when the block ends. Its clock moves only when told."""
    clock = SimulatedClock(now)
    up: list[System] = []
    ready, failures = threading.Event(), list[BaseException]()
    stop: list[Callable[[], object]] = []

    async def serve() -> None:
        atelier = Atelier(DataFolder(folder), clock)
        await atelier.start()
        try:
            async with served(atelier) as (url, grpc_port):
                told = asyncio.Event()
                loop = asyncio.get_running_loop()
                stop.append(lambda: loop.call_soon_threadsafe(told.set))
                up.append(System(atelier.issuer, clock, url, grpc_port))
                ready.set()
                await told.wait()
        finally:
            await atelier.stop()

    def run() -> None:
        try:
            process.run(serve())
        except BaseException as failure:
            failures.append(failure)
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="atelier")
    thread.start()
    ready.wait(_PATIENCE)
    try:
        if failures:
            raise failures[0]
        yield up[0]
    finally:
        for each in up:
            each.close()
        for tell in stop:
            tell()
        thread.join(_PATIENCE)
