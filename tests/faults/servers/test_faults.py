"""What a district was promised holds while its processes, servers and connections fail, and while people make mistakes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.servers import faults, upgrades
from tests.faults.servers.catalogue import ALONE, SHARED, Needs, stage_for
from tests.faults.servers.scene import Fault, Stage, live_through

pytestmark = pytest.mark.servers

COMMON = (
    faults.a_process_killed,
    faults.a_leader_asleep,
    faults.one_replica_left_and_no_server,
    upgrades.a_poison_event,
)
"""Run with every `make test`; the others, among them the end of broker or database alone, with `make faults`."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with stage_for(Needs(), tmp_path_factory.mktemp("faults")) as built:
        yield built


def named(fault: Fault) -> str:
    return fault.__name__


@pytest.mark.parametrize("fault", COMMON, ids=named)
async def test_every_promise_holds_through(fault: Fault, stage: Stage) -> None:
    await holds(fault, stage)


@pytest.mark.long
@pytest.mark.parametrize("fault", [fault for fault in SHARED if fault not in COMMON], ids=named)
async def test_every_promise_holds_through_the_rarer(fault: Fault, stage: Stage) -> None:
    await holds(fault, stage)


@pytest.mark.long
async def test_every_promise_holds_while_servers_are_killed_and_one_replica_is_left(stage: Stage) -> None:
    await holds(faults.one_replica_left_and_no_server, stage, long=True)


@pytest.mark.long
@pytest.mark.parametrize("fault", ALONE, ids=named)
async def test_every_promise_holds_in_a_house_of_its_own_through(fault: Fault, tmp_path: Path) -> None:
    with stage_for(ALONE[fault], tmp_path) as stage:
        await holds(fault, stage)


async def holds(fault: Fault, stage: Stage, *, long: bool = False) -> None:
    outcome = await live_through(fault, stage, seed=1, long=long)
    assert outcome.wrong == []
    assert outcome.acknowledged > 0
