"""A profile service on SQLite behind its own HTTP door, and a plainly fictional roster to send to it."""

import asyncio
import csv
import io
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from atelier_common.bus.envelope import Place
from atelier_common.bus.memory import MemoryBus
from atelier_common.bus.port import Message
from atelier_common.clock import SimulatedClock
from atelier_common.documents.memory import MemoryDocuments
from atelier_common.documents.port import Documents
from atelier_common.documents.sqlite import SqliteDocuments
from atelier_common.eventstore.documents import DocumentEventStore
from atelier_common.eventstore.port import EventStore
from atelier_common.eventstore.sqlite import SqliteEventStore
from atelier_common.privacy.keyring import Keyring
from atelier_common.security.tokens import TokenIssuer
from atelier_common.sqlite.database import SqliteDatabase
from atelier_profile.bootstrap import build
from atelier_profile.profile import Profile
from atelier_profile.roster.tables import MANIFEST, SET_ASIDE, TABLES

TENANT = "fictional"
SEPTEMBER_2026 = 1_790_000_000_000


class RosterFiles:
    """The tables of a zip as lists of rows, to be bent by a test before they are packed."""

    def __init__(self, learners: int = 4) -> None:
        self.tables: dict[str, list[dict[str, str]]] = {
            "academicSessions": [
                {"sourcedId": "year", "title": "2026-2027", "type": "schoolYear", "startDate": "2026-09-07",
                 "endDate": "2027-06-18", "schoolYear": "2027"}
            ],
            "orgs": [
                {"sourcedId": "district", "name": "Example District", "type": "district"},
                {"sourcedId": "north", "name": "North Example School", "type": "school", "parentSourcedId": "district"},
                {"sourcedId": "south", "name": "South Example School", "type": "school", "parentSourcedId": "district"},
            ],
            "users": [],
            "roles": [],
            "demographics": [],
        }  # fmt: skip
        self.headers = {name: list(table.columns) for name, table in TABLES.items()}
        self.modes = dict.fromkeys((*TABLES, *SET_ASIDE), "absent") | dict.fromkeys(self.tables, "bulk")
        self.manifest = [["manifest.version", "1.0"], ["oneroster.version", "1.2"]]
        self.more: dict[str, bytes] = {}
        self.person("t1", "Tala", "Example", "teacher", "north")
        self.person("p1", "Pim", "Sample", "parent", "north", email="pim@example.org")
        for place in range(1, learners + 1):
            self.person(f"s{place}", f"Given{place}", f"Family{place}", "student", "north", agentSourcedIds="p1")
            self.tables["demographics"].append(
                {"sourcedId": f"s{place}", "birthDate": f"2016-0{1 + place % 9}-1{place % 9}"}
            )

    def person(self, key: str, given: str, family: str, role: str, site: str, **more: str) -> None:
        user = {
            "sourcedId": key,
            "enabledUser": "true",
            "username": key,
            "givenName": given,
            "familyName": family,
            **more,
        }
        self.tables["users"].append(user)
        held = {
            "sourcedId": f"role-{key}",
            "userSourcedId": key,
            "roleType": "primary",
            "role": role,
            "orgSourcedId": site,
        }
        self.tables["roles"].append(held)

    def row(self, table: str, key: str) -> dict[str, str]:
        return next(row for row in self.tables[table] if row["sourcedId"] == key)

    def without(self, key: str) -> "RosterFiles":
        """The roster after this person has left."""
        for name in ("users", "demographics"):
            self.tables[name] = [row for row in self.tables[name] if row["sourcedId"] != key]
        self.tables["roles"] = [row for row in self.tables["roles"] if row["userSourcedId"] != key]
        return self

    def zip(self, *, leave_out: Iterable[str] = ()) -> bytes:
        buffer = io.BytesIO()
        modes = [[f"file.{name}", mode] for name, mode in sorted(self.modes.items())]
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("manifest.csv", _text([list(MANIFEST), *self.manifest, *modes]))
            for name, rows in self.tables.items():
                if name not in leave_out:
                    header = self.headers[name]
                    archive.writestr(
                        f"{name}.csv", _text([header, *([row.get(column, "") for column in header] for row in rows)])
                    )
            for name, content in self.more.items():
                archive.writestr(name, content)
        return buffer.getvalue()


def _text(rows: list[list[str]]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerows(rows)
    return buffer.getvalue()


class QuietNeighbour:
    """What a neighbour answers when it is asked for events that were missed: there are none."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def contract_events(self, _tenant: str, _stream: str, _after: Place) -> list[Message]:
        return []

    async def streams(self, _tenant: str, _topics: Sequence[str]) -> list[str]:
        return []

    async def incarnation(self, _tenant: str) -> str:
        return f"{self.name}-log"


class Rig:
    """A service, its clients by role, and ways to wait."""

    def __init__(self, path: Path, *, on_memory: bool = False) -> None:
        self._on_memory = on_memory
        self.clock = SimulatedClock(SEPTEMBER_2026)
        self.issuer = TokenIssuer(path)
        self.bus = MemoryBus()
        self._path = path
        self._clients: list[httpx.AsyncClient] = []
        self.profile: Profile

    async def start(self) -> None:
        documents: Documents
        store: EventStore
        if self._on_memory:
            documents = MemoryDocuments()
            store = DocumentEventStore(documents, owner="test")
        else:
            database = SqliteDatabase(self._path / "profile.sqlite")
            documents, store = SqliteDocuments(database), SqliteEventStore(database)
        self.built = build(
            store=store,
            documents=documents,
            bus=self.bus,
            clock=self.clock,
            keyring=Keyring(documents, b"k" * 32),
            backfills={name: QuietNeighbour(name) for name in ("assessment", "scheduling")},
            owner="test",
        )
        self.profile = self.built.profile
        await self.profile.service.start()
        self._app = self.built.app(self.issuer.verifier())

    async def stop(self) -> None:
        for client in self._clients:
            await client.aclose()
        self._clients.clear()
        await self.profile.service.stop()

    def client(
        self, *roles: str, subject: str = "someone", tenant: str = TENANT, learners: Iterable[str] = ()
    ) -> httpx.AsyncClient:
        token = self.issuer.issue(tenant, subject, roles, 60, learners)
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(self._app),
            base_url="http://profile.example",
            headers={"Authorization": f"Bearer {token}"},
        )
        self._clients.append(client)
        return client

    @property
    def admin(self) -> httpx.AsyncClient:
        return self.client("district-admin")

    async def learner_id(self, sourced_id: str) -> str:
        return await self.profile.keyring.pseudonym(TENANT, "learner", sourced_id)

    async def events(self) -> int:
        """How many events the log holds."""
        return sum(len(commit.events) for commit in await self.profile.service.store.read_log(TENANT, 0, 100_000))

    async def quiet(self) -> None:
        """Wait until everything in the log is applied, reacted to and published."""
        await self.until(self.profile.service.idle)

    @staticmethod
    async def until(met: Callable[[], Awaitable[bool]], seconds: float = 10.0) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not await met():
            assert loop.time() < end, "this should have happened by now"
            await asyncio.sleep(0.01)

    async def import_roster(self, zipped: bytes, **query: Any) -> dict[str, Any]:
        """Send a roster and wait until it is applied; returns the import's resource."""
        answer = await self.admin.post(
            "/profile/v1/roster-imports", content=zipped, params=query, headers={"Content-Type": "application/zip"}
        )
        assert answer.status_code in (200, 202), answer.text
        if answer.status_code == 200:
            return dict(answer.json())

        async def over() -> bool:
            shown = await self.admin.get(answer.headers["Location"])
            return shown.status_code == 200 and shown.json()["state"] in ("completed", "refused")

        await self.until(over)
        await self.quiet()
        return dict((await self.admin.get(answer.headers["Location"])).json())


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path)
    await rig.start()
    yield rig
    await rig.stop()


@pytest.fixture
async def rig_on_memory(tmp_path: Path) -> AsyncIterator[Rig]:
    """The same service over the document port, as it runs on any document database."""
    rig = Rig(tmp_path, on_memory=True)
    await rig.start()
    yield rig
    await rig.stop()


@pytest.fixture
def roster() -> RosterFiles:
    return RosterFiles()


@pytest.fixture
def roster_of() -> Callable[[int], RosterFiles]:
    return RosterFiles
