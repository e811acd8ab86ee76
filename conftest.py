"""Real servers for the tests that ask for them.

Given by environment (``ATELIER_KAFKA`` and ``ATELIER_MONGO``; so also those of ``docker-compose.yml``), else started by
``infra.dev``: with ``--servers=fetch`` in any case, with ``--servers=present`` where they were fetched before. Otherwise those
tests are left out, and the last line of the run says so; with ``--servers=fetch`` they never are.
"""

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from infra.dev import kafka, mongo
from infra.dev.availability import KAFKA, MONGO, available
from infra.dev.cache import NotHere

_LEFT_OUT = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def kafka_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """host:port of a Kafka broker."""
    if given := os.environ.get(KAFKA, ""):
        yield given
        return
    cluster = kafka.start(tmp_path_factory.mktemp("kafka"))
    yield cluster.address
    cluster.stop()


@pytest.fixture(scope="session")
def mongo_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A ``mongodb://`` address."""
    if given := os.environ.get(MONGO, ""):
        yield given
        return
    server = mongo.start(tmp_path_factory.mktemp("mongo"))
    yield server.address
    server.stop()


# How long an example takes says nothing here: what runs beside it may have had the processor.
settings.register_profile("atelier", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("atelier")


def pytest_configure() -> None:
    # Told to end is as Ctrl-C: what fixtures started is stopped. Unasked, pytest would leave servers and services running.
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--servers",
        choices=("none", "present", "fetch"),
        default="none",
        help="tests on real servers: none but on given ones; present: where they were fetched before; fetch: fail without",
    )


@pytest.hookimpl(trylast=True)  # after what -m leaves
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = {item for item in items if item.get_closest_marker("servers") is not None}
    asked = config.getoption("--servers")
    try:
        if not wanted or available(needed=asked == "fetch", if_present=asked == "present"):
            return
    except NotHere as missing:
        raise pytest.UsageError(f"real servers are asked for and cannot be had here: {missing}") from missing
    config.stash[_LEFT_OUT] = (
        f"{len(wanted)} tests on real servers were not run: give {KAFKA} and {MONGO}, or let SERVERS=fetch start them."
    )
    config.hook.pytest_deselected(items=list(wanted))
    items[:] = [item for item in items if item not in wanted]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if said := config.stash.get(_LEFT_OUT, ""):
        terminalreporter.write_line(said)
