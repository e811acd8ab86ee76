"""Profile as a process of its own: how it is built from what a host gives."""

from atelier_hosting.host import Host, Hosted

from atelier_profile.api.http import LARGER_BODIES
from atelier_profile.bootstrap import NAME, build


def hosted(host: Host) -> Hosted:
    """Profile owns the keys, so its keyring is its own."""
    built = build(
        store=host.store,
        documents=host.documents,
        bus=host.bus,
        clock=host.clock,
        keyring=host.keyring(),
        backfills=host.backfills("assessment", "scheduling"),
        owner=host.owner,
        lease_ms=host.settings.lease_ms,
    )
    return Hosted(
        NAME, built.service, [built.router], LARGER_BODIES, built.grpc, built.service.start, built.service.stop
    )
