"""Scheduling as a process of its own: how it is built from what a host gives."""

from atelier_hosting.host import Host, Hosted

from atelier_scheduling.api.http import LARGER_BODIES
from atelier_scheduling.bootstrap import NAME, build


def hosted(host: Host) -> Hosted:
    """Each replica keeps the published timetables in a folder of its own, and has a solver process of its own."""
    built = build(
        store=host.store,
        documents=host.documents,
        bus=host.bus,
        backfills=host.backfills("profile", "pathing"),
        clock=host.clock,
        keys=host.keys("profile"),
        published=host.data / "published",
        owner=host.owner,
        lease_ms=host.settings.lease_ms,
    )
    return Hosted(
        NAME,
        built.service,
        [built.router],
        LARGER_BODIES,
        built.grpc,
        built.start,
        built.stop,
        built.process.warm_up,
        built.desk.unsafe_plans,
    )
