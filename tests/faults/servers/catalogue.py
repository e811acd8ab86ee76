"""Every fault by name, and what kind of house those want that cannot share one."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.servers import faults, upgrades
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


@contextmanager
def stage_for(needs: Needs, folder: Path) -> Iterator[Stage]:
    """Servers and a house as needed, both new."""
    with (
        servers(folder, needs.brokers, needs.disk_megabytes) as running,
        house(folder / "house", running, replicas_of=needs.replicas_of) as stage,
    ):
        yield stage
