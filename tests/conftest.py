"""Whole systems for tests that cross services: one for everybody, in which each test has a district of its own.

What proves a capability is run twice: in one process, and in processes of their own on real servers.
"""

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.support import school
from tests.support.housed import housed
from tests.support.nursery import Nursery
from tests.support.running import District, System, running

_NUMBERS = itertools.count(1)
_ALONE = "in one process"
_APART = pytest.param("on real servers", marks=pytest.mark.servers)
Start = Callable[[Path], AbstractContextManager[System]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "start" in metafunc.fixturenames:
        proves = metafunc.definition.get_closest_marker("capability") is not None
        ways = [_ALONE, _APART] if proves else [_ALONE]
        metafunc.parametrize("start", ways, indirect=True, scope="session")


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker("whole")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Who shares the one system for everybody comes last: it lives until the session ends, and at rest its processes still take time
    from whatever runs beside it."""
    items.sort(key=lambda item: "system" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def start(request: pytest.FixtureRequest) -> Start:
    """``with start(folder) as system``: an Atelier; another one for a test that stops it or moves its clock."""
    if request.param == _ALONE:
        return running
    kafka, mongo = request.getfixturevalue("kafka_address"), request.getfixturevalue("mongo_address")
    nursery: Nursery = request.getfixturevalue("nursery")
    return lambda folder: housed(folder, kafka, mongo, nursery.launch)


@pytest.fixture(scope="session")
def system(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """An Atelier for all tests. Its clock stands still: who needs another moment starts a system of their own."""
    with start(tmp_path_factory.mktemp("atelier")) as started:
        yield started


@pytest.fixture
def empty(system: System) -> District:
    """A district that knows nobody."""
    return system.district(f"district-{next(_NUMBERS)}")


@pytest.fixture(scope="session")
def planned(system: System) -> District:
    """The fictional school with some evidence of everybody, its week planned and not published. Tests add to it."""
    district = system.district(school.TENANT)
    bring_in_and_plan(district)
    return district


@pytest.fixture
def school_of_its_own(empty: District) -> District:
    """As ``planned``, for one test that changes much."""
    bring_in_and_plan(empty)
    return empty


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """Where houses get their processes from, for as little waiting as can be."""
    started = Nursery(tmp_path_factory.mktemp("nursery") / "log")
    yield started
    started.stop()


def bring_in_and_plan(district: District) -> None:
    people = school.pupils()
    district.bring_in(people, school.site_description(school.studios(), people))
    district.send_evidence(
        [one for who in people for code in ("N1", "W1") for one in school.answers(who.sourced_id, code, 4)]
    )
    district.settle()
    district.plan()
