"""Whether real servers can be had here, and from where: given by environment, present in the cache, or fetched into it."""

import os
from concurrent.futures import ThreadPoolExecutor

from infra.dev import kafka, mongo

KAFKA, MONGO = "ATELIER_KAFKA", "ATELIER_MONGO"


def fetch() -> None:
    """Fetch and build both at once. Raises NotHere, which says what is missing."""
    with ThreadPoolExecutor() as both:
        for fetched in [both.submit(server.fetch) for server in (kafka, mongo)]:
            fetched.result()


def available(*, needed: bool = False, if_present: bool = False) -> bool:
    """Whether both are given (so also those of ``docker-compose.yml``) or, where asked for, can be started here.

    ``needed``: fetched where they are absent; raises NotHere where that cannot be. ``if_present``: only if they were fetched before.
    """
    if all(os.environ.get(name) for name in (KAFKA, MONGO)):
        return True
    if needed:
        fetch()
        return True
    return if_present and kafka.present() and mongo.present()
