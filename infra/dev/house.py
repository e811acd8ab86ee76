"""All four services as processes of their own on real servers, on this machine: started, killed, paused, asked, stopped."""

import asyncio
import itertools
import os
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from atelier_common.security.secret_file import load_or_create_secret
from atelier_common.security.tokens import TokenIssuer
from atelier_hosting.process import SERVICES
from atelier_hosting.topics import declared
from atelier_standalone.client import Client

from infra.dev.processes import Process, Running, free_port, launch

_COMMITS_AT_ONCE = 500
_ASKED_AGAIN = 30


@dataclass
class Replica:
    """One process of one service."""

    service: str
    number: int
    http: int
    grpc: int
    process: Process

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http}"


@dataclass
class House:
    """``replicas`` processes of each service over one broker and one database server, all in ``folder``.

    ``prefix`` keeps its topics, groups and databases apart from those of other houses on the same servers. ``replicas_of`` and
    ``settings_of`` say what differs for single services.
    """

    folder: Path
    kafka: str
    mongo: str
    prefix: str
    replicas: int = 1
    lease_ms: int = 10_000
    simulated: bool = True
    master_key: bytes | None = None
    """What profile wraps its keys with; none: a new one, and with it other pseudonyms."""
    settings: Mapping[str, str] = field(default_factory=dict)
    replicas_of: Mapping[str, int] = field(default_factory=dict)
    settings_of: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    launch: Callable[[Process], Running] = launch
    running: list[Replica] = field(default_factory=list)

    def start(self) -> None:
        """Start all of them at once and wait until each is ready. Raises RuntimeError naming the one that is not."""
        self.begin()
        for replica in self.running:
            replica.process.wait()

    def begin(self, *services: str) -> None:
        """Make all of them known, and start those of ``services`` (none: all) without waiting for any."""
        addresses = {
            (service, number): (free_port(), free_port())
            for service in SERVICES
            for number in range(self.replicas_of.get(service, self.replicas))
        }
        neighbours = " ".join(f"{service}=127.0.0.1:{addresses[service, 0][1]}" for service in SERVICES)
        (self.folder / "keys").mkdir(parents=True, exist_ok=True)
        self.issuer()
        if (master_key := self.master_key) is not None:
            load_or_create_secret(self.folder / "keys" / "master.key", lambda: master_key)
        for (service, number), (http, grpc) in addresses.items():
            self.running.append(self._replica(service, number, http, grpc, neighbours))
        for replica in self.running:
            if not services or replica.service in services:
                replica.process.start(wait=False)

    def of(self, service: str) -> list[Replica]:
        """The replicas of a service, dead or alive."""
        return [one for one in self.running if one.service == service]

    def database(self, service: str) -> str:
        """The name of a service's database."""
        return f"{self.prefix}{service}".replace(".", "_")

    def add(self, service: str) -> Replica:
        """One more replica, not started. Who removes it from ``running`` stops it first."""
        like = self.of(service)
        number = max(one.number for one in like) + 1
        assert like[0].process.env is not None
        neighbours = like[0].process.env["ATELIER_NEIGHBOURS"]
        replica = self._replica(service, number, free_port(), free_port(), neighbours)
        self.running.append(replica)
        return replica

    def _replica(self, service: str, number: int, http: int, grpc: int, neighbours: str) -> Replica:
        data = self.folder / f"{service}-{number}"
        data.mkdir(parents=True, exist_ok=True)
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ATELIER_")},
            "ATELIER_MONGO": self.mongo,
            "ATELIER_DATABASE": self.database(service),
            "ATELIER_KAFKA": self.kafka,
            "ATELIER_KAFKA_PREFIX": self.prefix,
            "ATELIER_NEIGHBOURS": neighbours,
            "ATELIER_HTTP": f"127.0.0.1:{http}",
            "ATELIER_GRPC": f"127.0.0.1:{grpc}",
            "ATELIER_KEYS": str(self.folder / "keys"),
            "ATELIER_DATA": str(data),
            "ATELIER_OWNER": f"{service}-{number}",
            "ATELIER_LEASE_MS": str(self.lease_ms),
            "ATELIER_CLOCK": "simulated" if self.simulated else "system",
            **self.settings,
            **self.settings_of.get(service, {}),
        }
        command = [sys.executable, "-m", "atelier_standalone", "serve", service]
        process = Process(
            f"{service} {number}",
            command,
            data / "log",
            lambda: is_ready(f"http://127.0.0.1:{http}"),
            environment,
            launch=self.launch,
        )
        return Replica(service, number, http, grpc, process)

    def stop(self) -> None:
        """Ask all to end at once, then wait for each."""
        for replica in self.running:
            replica.process.ask_to_end()
        for replica in self.running:
            replica.process.stop()

    def issuer(self) -> TokenIssuer:
        """Signs with the key that all of them trust."""
        return TokenIssuer(self.folder / "keys")

    @asynccontextmanager
    async def client(
        self, tenant: str, roles: tuple[str, ...], subject: str = "administrator"
    ) -> AsyncIterator["HouseClient"]:
        """Calls as from outside: each path goes to the service it belongs to, by turns to its replicas."""
        headers = {"Authorization": f"Bearer {self.issuer().issue(tenant, subject, roles, 24 * 60)}"}
        async with httpx.AsyncClient(
            transport=_Ingress(self), base_url="http://house", headers=headers, timeout=600, trust_env=False
        ) as http:
            client = HouseClient(http, self)
            try:
                yield client
            finally:
                await client.close()


def is_ready(url: str) -> bool:
    """What the readiness probe of a process says."""
    try:
        with urllib.request.urlopen(f"{url}/health/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


class ByPath:
    """What an ingress does: the first part of a path names the service, whose replicas that live take turns."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._turns = {service: itertools.count() for service in SERVICES}

    def send_on(self, request: httpx.Request) -> None:
        """Give a request the address of the replica that shall answer it."""
        parts = request.url.path.split("/")
        service = parts[1] if parts[1] in SERVICES else request.headers.get("x-service", "") or parts[4]
        alive = [one for one in self._house.of(service) if one.process.alive] or self._house.of(service)
        replica = alive[next(self._turns[service]) % len(alive)]
        request.url = request.url.copy_with(host="127.0.0.1", port=replica.http)


class _Ingress(httpx.AsyncBaseTransport):
    def __init__(self, house: House) -> None:
        self._by_path = ByPath(house)
        self._inner = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._by_path.send_on(request)
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


class HouseClient(Client):
    """A client of all four; what concerns all logs is asked of each."""

    def __init__(self, http: httpx.AsyncClient, house: House) -> None:
        super().__init__(http, None)
        self.http = http
        self._house = house
        self._waiting = Waiting(house.kafka, house.prefix)

    async def close(self) -> None:
        """Let go of Kafka; the HTTP client is its owner's."""
        await self._waiting.close()

    async def logs(self) -> dict[str, dict[str, Any]]:
        """Head and backlog of each service's log."""
        found = {}
        for service in SERVICES:
            for one in (await self.ask(service, "/operator/v1/logs"))["logs"]:
                found[one["service"]] = one
        return found

    async def ask(self, service: str, path: str) -> Any:
        """What one service answers at a path that all have."""
        answer = await self.http.get(path, headers={"x-service": service})
        answer.raise_for_status()
        return answer.json()

    async def log_of(self, service: str) -> list[dict[str, Any]]:
        """Every commit of a service's log, in its order."""
        found: list[dict[str, Any]] = []
        while page := await self._commits(service, found[-1]["position"] if found else 0):
            found += page
        return found

    async def _commits(self, service: str, after: int) -> list[dict[str, Any]]:
        path = f"/operator/v1/logs/{service}/events"
        return list((await self.get(path, after=after, limit=_COMMITS_AT_ONCE))["events"])

    async def parked(self) -> list[dict[str, Any]]:
        """Every parked key of every service."""
        return [one for service in SERVICES for one in (await self.ask(service, "/operator/v1/parked"))["parked"]]

    async def comparisons(self, service: str) -> dict[tuple[str, str], int]:
        """How often each reader of ``service``, and it as a reader, has compared all it holds with the owner: (reader, owner)."""
        found: dict[tuple[str, str], int] = {}
        for reader, log in (await self.logs()).items():
            owners = {topic.partition(".")[0] for topics in log["reads"].values() for topic in topics}
            streams = [one["stream"] for one in await self.log_of(reader)]
            for owner in owners if reader == service else owners & {service}:
                found[reader, owner] = streams.count(f"{owner}/@log")
        return found

    async def heads(self) -> dict[str, int]:
        return {name: one["head"] for name, one in (await self.logs()).items()}

    async def move_clock(self, now: int) -> None:
        """Let domain time go on in every process."""
        async with httpx.AsyncClient(headers=self.http.headers, trust_env=False) as http:
            for replica in self._house.running:
                (await http.post(f"{replica.url}/operator/v1/clock", json={"now_ms": now})).raise_for_status()

    async def settle(self) -> None:
        """Until no commit waits for its position, no follower and no consumer group has anything before it, and no log grows,
        twice in a row.
        """
        quiet = 0
        before: dict[str, int] = {}
        while quiet < 2:
            logs = await self.logs()
            heads = {name: one["head"] for name, one in logs.items()}
            still = heads == before and not any(one["backlog"] or one["pending"] for one in logs.values())
            reads = {group: topics for one in logs.values() for group, topics in one["reads"].items()}
            quiet = quiet + 1 if still and not await self._waiting.count(reads) else 0
            before = heads
            await asyncio.sleep(0.05)

    async def violations(self) -> dict[str, list[Any]]:
        """What ``atelier events verify`` finds, by service. A neighbour that has just begun may not be reached yet: asked again."""
        found: dict[str, list[Any]] = {}
        for service in SERVICES:
            for _ in range(_ASKED_AGAIN):
                answer = await self.http.post("/operator/v1/verify", headers={"x-service": service})
                if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    break
                await asyncio.sleep(1.0)
            if answer.status_code != 404:
                answer.raise_for_status()
                found |= answer.json()["violations"]
        return found


class Waiting:
    """What consumer groups have before them. It stays connected: the first look at a topic takes a second."""

    def __init__(self, kafka: str, prefix: str) -> None:
        self._kafka, self._prefix = kafka, prefix
        self._connected: tuple[AIOKafkaAdminClient, AIOKafkaConsumer] | None = None

    async def count(self, reads: Mapping[str, Sequence[str]]) -> int:
        """How many messages wait for these groups: ``reads`` are the topics of each. Raises KafkaError; it may be asked again."""
        try:
            admin, consumer = await self._connect()
            places = [
                TopicPartition(self._prefix + topic.name, number)
                for topic in declared()
                for number in range(topic.partitions)
            ]
            ends = await consumer.end_offsets(places)
            waiting = 0
            for group, topics in reads.items():
                done = await admin.list_consumer_group_offsets(self._prefix + group)
                waiting += sum(
                    end - max(0, done[place].offset if place in done else 0)
                    for place, end in ends.items()
                    if place.topic.removeprefix(self._prefix) in topics
                )
        except KafkaError:
            await self.close()
            raise
        return waiting

    async def _connect(self) -> tuple[AIOKafkaAdminClient, AIOKafkaConsumer]:
        if self._connected is None:
            self._connected = (
                AIOKafkaAdminClient(bootstrap_servers=self._kafka),
                AIOKafkaConsumer(bootstrap_servers=self._kafka),
            )
            for one in self._connected:
                await one.start()
        return self._connected

    async def close(self) -> None:
        connected, self._connected = self._connected, None
        if connected is not None:
            admin, consumer = connected
            await consumer.stop()
            await admin.close()
