"""Assessment as a process of its own: how it is built from what a host gives."""

from atelier_hosting.host import Host, Hosted

from atelier_assessment.bootstrap import NAME, build


def hosted(host: Host) -> Hosted:
    """Assessment opens no key of its own: it asks profile for the pseudonyms of those whom statements name."""
    built = build(
        host.store,
        host.documents,
        host.bus,
        host.backfills("pathing", "profile"),
        host.clock,
        host.keys("profile"),
        host.verifier,
        owner=host.owner,
        lease_ms=host.settings.lease_ms,
    )
    return Hosted(
        NAME,
        built.service,
        built.routers,
        built.larger_bodies,
        [built.grpc],
        built.service.start,
        built.service.stop,
    )
