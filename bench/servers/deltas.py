"""Posted results to proposed timetable deltas, through all four services as processes on real servers.

work        the sample district with its first day of evidence in a house of four processes, both sites planned; single results of
            learners who are about to show a step (see ``bench.delta``) posted at a steady rate for 10 seconds, at 5, 15, 25, 35 and
            50 a second in turn, each rate after the last one's work is done, until one has a 99th percentile of a second or more.
            ``--count``: so many a second at the most. For each result the time from just before the POST to the plan in
            scheduling's log that it caused, found along the causes by its correlation id. That log is read by this process, which
            looks every 100 ms: a wait may seem so much longer than it was, and looking takes little of what is measured (at every
            20 ms it took a tenth of the two processors)
reference   none: the bound is what is asked
durability  write concern majority with journal; acks=all; every step on the way is a durable commit
ratio       none; the highest rate whose 99th percentile is below a second, with the broker, the database and all processes on this
            machine. A rate at which results lead to no plan any more, or take longer, is not reached
"""

import asyncio
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from atelier_common.documents.mongo import connect
from atelier_common.eventstore.documents import DocumentEventStore

from bench.district import NOW
from bench.measuring import Line, percentile
from bench.posting import poster
from bench.proposals import Proposals
from bench.results import coming_results, plan_sample, post_at_rate
from bench.servers.real import TENANT, Servers, real_servers
from infra.dev.house import House

COUNT = 50
RATES = (5, 15, 25, 35, 50)
SECONDS = 10
_WARM_UP = 20
_LOOKS_EVERY = 0.1
_ROLES = ("district-admin", "operator", "partner", "coach")


def measure(count: int = COUNT) -> list[Line]:
    """All figures. ``count``: the highest rate that is tried."""
    tried = tuple(rate for rate in RATES if rate <= count) or (count,)
    with real_servers() as found, tempfile.TemporaryDirectory() as folder:
        house = House(Path(folder), found.kafka, found.mongo, f"{found.prefix}.")
        try:
            house.start()
            return asyncio.run(_measure(house, found, tried))
        finally:
            house.stop()


async def _measure(house: House, found: Servers, tried: tuple[int, ...]) -> list[Line]:
    (assessment,) = house.of("assessment")
    own = connect(found.mongo, house.database("scheduling"))
    proposals = Proposals(DocumentEventStore(own, sequencing=False), _LOOKS_EVERY)
    headers = {"Authorization": f"Bearer {house.issuer().issue(TENANT, 'measurer', _ROLES, 24 * 60)}"}
    lines: list[Line] = []
    reached = 0
    async with house.client(TENANT, _ROLES) as client, poster(assessment.url, headers) as posting:
        await client.move_clock(NOW)
        sites = await plan_sample(client, days=1)
        coming = iter(await coming_results(client, sites, _WARM_UP + SECONDS * sum(tried)))
        watching = asyncio.create_task(proposals.watch())
        await post_at_rate(posting, [next(coming) for _ in range(_WARM_UP)], tried[0])
        await client.settle()
        for rate in tried:
            proposals.taken()
            posted = await post_at_rate(posting, [next(coming) for _ in range(rate * SECONDS)], rate)
            began = time.monotonic()
            await client.settle()
            await asyncio.sleep(1.0)
            waits = waited(posted, proposals.taken())
            slow = percentile(waits, 0.99) if waits else float("inf")
            lines += [
                Line(f"{rate}/s: from post to proposed plan, 99th percentile", slow, "ms"),
                Line(f"{rate}/s: median", percentile(waits, 0.5) if waits else float("inf"), "ms"),
                Line(f"{rate}/s: results that led to a proposed plan", 100 * len(waits) / len(posted), "%"),
                Line(f"{rate}/s: until all was done after the last post", time.monotonic() - began, "s"),
            ]
            if slow >= 1_000:
                break
            reached = rate
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    for service in ("profile", "assessment", "pathing", "scheduling"):
        database = connect(found.mongo, house.database(service))
        await database.drop()
        await database.close()
    await own.close()
    return [
        Line("highest rate with a 99th percentile below a second", reached, "results/s", at_least=25),
        *lines,
    ]


def waited(posted: Mapping[str, float], proposals: list[dict[str, Any]]) -> list[float]:
    """Milliseconds from each post to the first plan that names it as a cause."""
    seen: dict[str, float] = {}
    for proposal in proposals:
        for key in proposal["posts"]:
            if key in posted:
                seen.setdefault(key, proposal["at"])
    return [1_000 * (at - posted[key]) for key, at in seen.items()]
