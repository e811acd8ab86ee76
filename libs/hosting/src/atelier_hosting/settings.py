"""What a process is told by its environment: one table, read and checked at start."""

import os
import socket
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from atelier_common.documents.mongo import DRIVERS


class Misconfigured(ValueError):
    """Variables are missing or wrong; one line for each, naming it."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


@dataclass(frozen=True)
class Address:
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True)
class Variable:
    """``default`` None: it must be given."""

    name: str
    field: str
    default: str | None
    read: Callable[[str], Any]
    meaning: str


@dataclass(frozen=True)
class Settings:
    """Where a service finds its servers and neighbours, and how it behaves. See :data:`VARIABLES` for each."""

    mongo: str
    mongo_driver: str
    database: str
    kafka: str
    kafka_prefix: str
    neighbours: Mapping[str, Address]
    http: Address
    grpc: Address
    keys: Path
    data: Path
    owner: str
    lease_ms: int
    drain_seconds: float
    clock: str
    parts: str
    log_level: str
    collector: str
    telemetry_protocol: str
    telemetry_off: bool
    telemetry_name: str
    metric_interval_ms: int

    @property
    def telemetry(self) -> bool:
        """Whether traces, metrics and logs leave this process."""
        return bool(self.collector) and not self.telemetry_off

    @property
    def has_doors(self) -> bool:
        """Whether the service's own routes are answered here."""
        return self.parts != "log"

    @property
    def follows(self) -> bool:
        """Whether this process may lead: give positions, take in, apply, react, publish."""
        return self.parts != "doors"


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise ValueError("is not host:port")
    return Address(host, int(port))


def _neighbours(text: str) -> Mapping[str, Address]:
    found = {}
    for entry in text.replace(",", " ").split():
        name, equals, address = entry.partition("=")
        if not equals:
            raise ValueError(f"has {entry!r}, which is not name=host:port")
        found[name] = _address(address)
    return found


def _one_of(*allowed: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"is {text!r}; it may be {', '.join(repr(one) for one in allowed)}")
        return text

    return read


def _mongo(text: str) -> str:
    if not text.startswith(("mongodb://", "mongodb+srv://")):
        raise ValueError("does not begin with mongodb://")
    return text


def _url(text: str) -> str:
    if text and not text.startswith(("http://", "https://")):
        raise ValueError("does not begin with http:// or https://")
    return text


def _between(low: float, high: float, kind: type[int] | type[float]) -> Callable[[str], Any]:
    def read(text: str) -> int | float:
        try:
            value = kind(text)
        except ValueError:
            raise ValueError(f"is {text!r} and must be a number") from None
        if not low <= value <= high:
            raise ValueError(f"is {value} and must lie between {low} and {high}")
        return value

    return read


VARIABLES = (
    Variable("ATELIER_MONGO", "mongo", None, _mongo, "Address of the database server, `mongodb://…`."),
    Variable(
        "ATELIER_MONGO_DRIVER",
        "mongo_driver",
        DRIVERS[0],
        _one_of(*DRIVERS),
        "Which client carries it: pymongo, or motor, which it succeeds.",
    ),
    Variable(
        "ATELIER_DATABASE", "database", "", str, "Name of the database; empty: `atelier_` and the service's name."
    ),
    Variable("ATELIER_KAFKA", "kafka", None, str, "Brokers to begin with, `host:port`, several with commas."),
    Variable(
        "ATELIER_KAFKA_PREFIX", "kafka_prefix", "", str, "Stands before every topic and group, to share a broker."
    ),
    Variable(
        "ATELIER_NEIGHBOURS",
        "neighbours",
        "",
        _neighbours,
        "gRPC of the other services, `profile=host:port assessment=host:port …`.",
    ),
    Variable("ATELIER_HTTP", "http", "127.0.0.1:8080", _address, "Where HTTP listens; port 0 takes a free one."),
    Variable("ATELIER_GRPC", "grpc", "127.0.0.1:9090", _address, "Where gRPC listens; port 0 takes a free one."),
    Variable(
        "ATELIER_KEYS", "keys", None, Path, "Folder of the secrets: `token-key.json`; for profile `master.key` too."
    ),
    Variable("ATELIER_DATA", "data", None, Path, "Folder of what a replica keeps itself: published timetables."),
    Variable(
        "ATELIER_OWNER",
        "owner",
        "",
        str,
        "Name of this replica, unique among all alive; empty: host and a random part.",
    ),
    Variable("ATELIER_LEASE_MS", "lease_ms", "10000", _between(500, 120_000, int), "How long a leader may be silent."),
    Variable(
        "ATELIER_DRAIN_SECONDS",
        "drain_seconds",
        "10",
        _between(0, 300, float),
        "How long calls may finish after SIGTERM.",
    ),
    Variable(
        "ATELIER_CLOCK",
        "clock",
        "system",
        _one_of("system", "simulated"),
        "`simulated`: domain time stands still until an operator moves it; for demonstrations and tests.",
    ),
    Variable(
        "ATELIER_PARTS",
        "parts",
        "all",
        _one_of("all", "doors", "log"),
        "`doors`: answers calls and follows nothing; `log`: takes in, follows, publishes, and answers probes and operators alone.",
    ),
    Variable(
        "ATELIER_LOG_LEVEL",
        "log_level",
        "INFO",
        _one_of("DEBUG", "INFO", "WARNING", "ERROR"),
        "Least serious log line.",
    ),
    Variable(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "collector",
        "",
        _url,
        "Where traces, metrics and logs go, `http://collector:4318`; empty: nowhere, and nothing is recorded.",
    ),
    Variable(
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        "telemetry_protocol",
        "http/protobuf",
        _one_of("http/protobuf"),
        "How they go there; there is no other way.",
    ),
    Variable(
        "OTEL_SDK_DISABLED",
        "telemetry_off",
        "false",
        lambda text: _one_of("true", "false")(text.lower()) == "true",
        "`true`: nothing is recorded, whatever else is set.",
    ),
    Variable(
        "OTEL_SERVICE_NAME",
        "telemetry_name",
        "",
        str,
        "What the service is called there; empty: `atelier-` and its name.",
    ),
    Variable(
        "OTEL_METRIC_EXPORT_INTERVAL",
        "metric_interval_ms",
        "60000",
        _between(1_000, 3_600_000, int),
        "Milliseconds between two looks at what is measured.",
    ),
)
"""All there is. ``docs/operations.md`` shows the same table."""


_OTHERS = {"ATELIER_SERVERS", "ATELIER_TENANT"}
"""What the command line and the tools read."""


def read(service: str, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of ``service``. Raises Misconfigured naming every variable that is missing or wrong."""
    faults: list[str] = []
    values: dict[str, Any] = {}
    for variable in VARIABLES:
        given = environment.get(variable.name, "") or variable.default
        if given is None:
            faults.append(f"{variable.name} must be set: {variable.meaning}")
            continue
        try:
            values[variable.field] = variable.read(given)
        except ValueError as fault:
            faults.append(f"{variable.name} {fault}")
    known = {variable.name for variable in VARIABLES} | _OTHERS
    faults += [
        f"{name} is not a setting" for name in sorted(environment) if name.startswith("ATELIER_") and name not in known
    ]
    if faults:
        raise Misconfigured(faults)
    values["database"] = values["database"] or f"atelier_{service}"
    values["telemetry_name"] = values["telemetry_name"] or f"atelier-{service}"
    values["owner"] = values["owner"] or f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
    return Settings(**values)
