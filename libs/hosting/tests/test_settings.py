"""A process's settings are read from its environment; whatever is wrong is named."""

from pathlib import Path

import pytest
from atelier_hosting.settings import VARIABLES, Address, Misconfigured, read

GIVEN = {
    "ATELIER_MONGO": "mongodb://127.0.0.1:27017/",
    "ATELIER_KAFKA": "127.0.0.1:9092",
    "ATELIER_KEYS": "/keys",
    "ATELIER_DATA": "/data",
}


def test_what_must_be_given_is_enough() -> None:
    settings = read("pathing", GIVEN)
    assert settings.database == "atelier_pathing"
    assert settings.http == Address("127.0.0.1", 8080)
    assert settings.neighbours == {}
    assert settings.lease_ms == 10_000
    assert settings.owner != read("pathing", GIVEN).owner


def test_neighbours_are_named_with_their_addresses() -> None:
    settings = read("pathing", {**GIVEN, "ATELIER_NEIGHBOURS": "profile=a:1, assessment=b.example:22"})
    assert settings.neighbours == {"profile": Address("a", 1), "assessment": Address("b.example", 22)}


def test_telemetry_is_on_where_a_collector_is_given_and_nobody_switched_it_off() -> None:
    collector = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}
    assert not read("pathing", GIVEN).telemetry
    assert read("pathing", {**GIVEN, **collector}).telemetry
    assert not read("pathing", {**GIVEN, **collector, "OTEL_SDK_DISABLED": "true"}).telemetry


def test_everything_that_is_missing_is_named_at_once() -> None:
    with pytest.raises(Misconfigured) as refused:
        read("pathing", {})
    assert [fault.partition(" ")[0] for fault in refused.value.faults] == list(GIVEN)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ATELIER_MONGO", "127.0.0.1:27017", "ATELIER_MONGO does not begin with mongodb://"),
        ("ATELIER_MONGO_DRIVER", "other", "ATELIER_MONGO_DRIVER is 'other'; it may be 'pymongo', 'motor'"),
        ("ATELIER_HTTP", "8080", "ATELIER_HTTP is not host:port"),
        ("ATELIER_NEIGHBOURS", "profile", "ATELIER_NEIGHBOURS has 'profile', which is not name=host:port"),
        ("ATELIER_LEASE_MS", "10", "ATELIER_LEASE_MS is 10 and must lie between 500 and 120000"),
        ("ATELIER_LEASE_MS", "soon", "ATELIER_LEASE_MS is 'soon' and must be a number"),
        ("ATELIER_CLOCK", "fast", "ATELIER_CLOCK is 'fast'; it may be 'system', 'simulated'"),
        ("ATELIER_MONGOD", "mongodb://", "ATELIER_MONGOD is not a setting"),
        (
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "c:4317",
            "OTEL_EXPORTER_OTLP_ENDPOINT does not begin with http:// or https://",
        ),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "OTEL_EXPORTER_OTLP_PROTOCOL is 'grpc'; it may be 'http/protobuf'"),
        ("OTEL_SDK_DISABLED", "yes", "OTEL_SDK_DISABLED is 'yes'; it may be 'true', 'false'"),
    ],
)
def test_what_is_wrong_is_named_with_what_it_may_be(name: str, value: str, said: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        read("pathing", {**GIVEN, name: value})
    assert refused.value.faults == [said]


def test_the_table_for_operators_is_the_table_that_is_read() -> None:
    page = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()
    section = page.partition("## What a process reads from its environment")[2].partition("\n## ")[0]
    rows = [row for row in section.splitlines() if row.startswith(("| `ATELIER_", "| `OTEL_"))]
    told = [
        f"| `{one.name}` | {'required' if one.default is None else f'`{one.default}`' if one.default else 'empty'} | {one.meaning} |"
        for one in VARIABLES
    ]
    assert rows == told
