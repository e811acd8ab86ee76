"""Pathing as a process of its own: how it is built from what a host gives."""

from atelier_hosting.host import Host, Hosted

from atelier_pathing.bootstrap import LARGER_BODIES, NAME, build


def hosted(host: Host) -> Hosted:
    built = build(
        store=host.store,
        documents=host.documents,
        bus=host.bus,
        backfills=host.backfills("profile", "assessment"),
        clock=host.clock,
        keys=host.keys("profile"),
        owner=host.owner,
        lease_ms=host.settings.lease_ms,
    )
    return Hosted(
        NAME, built.service, [built.router], LARGER_BODIES, built.grpc, built.service.start, built.service.stop
    )
