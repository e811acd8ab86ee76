"""Every fault by name, how often it is tried, and what kind of house those want that cannot share one."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path

from tests.faults.servers import faults, restores, upgrades
from tests.faults.servers.scene import Fault, Stage, house, servers


@dataclass(frozen=True)
class Needs:
    """A house of its own, and how it differs. A disk of a size means servers of its own, as do several brokers."""

    brokers: int = 1
    disk_megabytes: int = 0
    replicas_of: Mapping[str, int] = field(default_factory=lambda: {"assessment": 2, "scheduling": 2})


SHARED: tuple[Fault, ...] = (
    faults.a_process_killed,
    faults.a_leader_asleep,
    faults.the_broker_killed,
    faults.kafka_away_for_long,
    faults.the_database_killed,
    faults.a_service_cut_off_from_its_database,
    faults.one_replica_left_and_no_server,
    faults.a_group_dealt_out_anew,
    upgrades.a_poison_event,
    upgrades.a_reader_behind_its_writer,
    upgrades.a_clock_an_hour_ahead,
    restores.a_database_put_back,
)
"""They leave the house as they found it."""

ALONE: Mapping[Fault, Needs] = {
    faults.one_of_three_brokers_gone: Needs(brokers=3),
    faults.two_replicas_begun_at_once: Needs(
        replicas_of={"profile": 2, "assessment": 2, "pathing": 2, "scheduling": 2}
    ),
    faults.a_full_disk: Needs(disk_megabytes=400),
    upgrades.an_upgrade_readers_first: Needs(),
    upgrades.an_upgrade_writers_first: Needs(),
}

ALL: Mapping[str, Fault] = {fault.__name__: fault for fault in (*SHARED, *ALONE)}

_SELDOM, _SELDOMER, _SELDOMEST = 20, 40, 80


def seeds_of(fault: Fault, seeds: int) -> int:
    """How many seeds a fault has where the commonest has ``seeds``, which is a process killed at any moment: few of those that
    depend little on the moment, fewer of those that need servers of their own or minutes each.
    """
    if fault is faults.a_process_killed:
        return seeds
    if fault is faults.kafka_away_for_long:
        return ceil(seeds / _SELDOMEST)
    return ceil(seeds / (_SELDOMER if fault in ALONE else _SELDOM))


@contextmanager
def stage_for(needs: Needs, folder: Path) -> Iterator[Stage]:
    """Servers and a house as needed, both new."""
    with (
        servers(folder, needs.brokers, needs.disk_megabytes) as running,
        house(folder / "house", running, replicas_of=needs.replicas_of) as stage,
    ):
        yield stage
