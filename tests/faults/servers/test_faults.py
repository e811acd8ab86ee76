"""What a district was promised holds while its processes, servers and connections fail."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.servers import faults
from tests.faults.servers.scene import Fault, Stage, house, live_through, servers

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("faults")
    with servers(folder) as running, house(folder / "house", running) as built:
        yield built


async def test_a_process_killed_at_a_random_moment_loses_and_doubles_nothing(stage: Stage) -> None:
    await holds(faults.a_process_killed, stage, 1)


async def test_a_leader_that_slept_through_its_lease_does_no_harm_when_it_wakes(stage: Stage) -> None:
    await holds(faults.a_leader_asleep, stage, 1)


async def holds(fault: Fault, stage: Stage, seed: int) -> None:
    outcome = await live_through(fault, stage, seed)
    assert outcome.wrong == []
    assert outcome.acknowledged > 0
