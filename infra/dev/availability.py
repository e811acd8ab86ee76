"""Whether real servers can be had here, and from where: given by environment, present in the cache, or fetched into it."""

import os
from concurrent.futures import ThreadPoolExecutor

from infra.dev import kafka, mongo
from infra.dev.cache import NotHere

KAFKA, MONGO = "ATELIER_KAFKA", "ATELIER_MONGO"


def check() -> None:
    """Raises NotHere naming all that this machine lacks to fetch and start both; at once, since nothing is tried."""
    if lacking := [*kafka.lacks(), *mongo.lacks()]:
        raise NotHere(f"it takes Debian, root, Java, Maven and Go; this machine lacks {', '.join(lacking)}")


def fetch() -> None:
    """Fetch and build the parts of both, all at once. Raises NotHere, which says what is missing."""
    check()
    with ThreadPoolExecutor() as parts:
        for fetched in [parts.submit(part) for part in (kafka.fetch, mongo.postgresql, mongo.ferretdb)]:
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
