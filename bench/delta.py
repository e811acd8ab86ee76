"""One posted result to the proposed timetable delta, at 50 results a second.

work        the sample district in a standalone server of its own process, both sites planned; single results posted at a steady 50 a
            second for 20 seconds, whether or not the ones before have come through. A school in which a tenth of the results moves a
            timetable: learners at work on steps that they are seated for next week, 40 of them at a time, each with the last success
            that it takes to show the step, every third one with the last two (where it takes more, those before were posted
            earlier in the day), so that three in four results show one. Whether somebody is moved then is for the engine to find:
            there has to be a session of a step that the learner is ready for, at a time that the learner can spare, with a seat
            that nobody needs more. For five in six of the steps that somebody is newly ready for there is no session that week. The
            master key is the demo's, so that in every run learners have the same ids, weeks the same plans, results the same order.
            For each result the time from just before the POST to the durable commit of the plan in scheduling's log that it caused,
            found by its correlation id along the causes. A plan names as causes the revised paths by which somebody asks for
            something else than before: not those that came in the same breath and say no more than is known of a learner
reference   none: the bound is what a person feels
durability  SQLite, WAL, synchronous FULL; every step on the way is a durable commit
ratio       none; the median and the 99th percentile over all results that led to a proposed plan, and the share of results after
            which their own learner's timetable was another. A result that leads to no plan has no such time and is not counted as
            quick; one that needed the whole week planned again is counted with the time that took
"""

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from atelier_common.security.secret_file import load_or_create_secret
from atelier_standalone.demo.running import SEED, demo_master_key
from atelier_standalone.folder import DataFolder

from bench.district import NOW
from bench.measuring import Line, percentile
from bench.results import coming_results, plan_sample, post_at_rate
from bench.standalone import Standalone, standalone

PER_SECOND = 50
SECONDS = 20
_WARM_UP = 100
_LASTS = (1, 1, 2)
"""So many of the successes that show a step come while it is measured."""


def measure() -> list[Line]:
    """All figures."""
    with tempfile.TemporaryDirectory() as folder:
        load_or_create_secret(DataFolder(Path(folder)).keys / "master.key", lambda: demo_master_key(SEED))
        with standalone(Path(folder), NOW) as server:
            return asyncio.run(_measure(server))


async def _measure(server: Standalone) -> list[Line]:
    async with server.client() as client, server.poster() as posting:
        sites = await plan_sample(client)
        server.ask("watch")
        coming = await coming_results(client, sites, _WARM_UP + PER_SECOND * SECONDS, _LASTS)
        await post_at_rate(posting, coming[:_WARM_UP], PER_SECOND)
        await client.settle()
        server.ask("proposed")
        before = server.ask("figures")["processor"]
        posted = await post_at_rate(posting, coming[_WARM_UP:], PER_SECOND)
        await client.settle()
        processor = server.ask("figures")["processor"] - before
        return _told(posted, server.ask("proposed"), processor)


def _told(posted: dict[str, float], proposals: list[dict[str, Any]], processor: float) -> list[Line]:
    seen: dict[str, float] = {}
    heard: dict[str, float] = {}
    moving: set[str] = set()
    for proposal in proposals:
        for key in proposal["posts"]:
            if key in posted:
                seen.setdefault(key, proposal["at"])
                heard.setdefault(key, proposal["heard"][key])
        moving.update(key for key in proposal["moving"] if key in posted)
    waits = [1_000 * (at - posted[key]) for key, at in seen.items()]
    arrivals = [1_000 * (at - posted[key]) for key, at in heard.items()]
    if not waits:
        return [Line("results that led to a proposed plan", 0, "", at_least=len(posted) / 10)]
    return [
        Line("from post to proposed plan, median", percentile(waits, 0.50), "ms", at_most=150),
        Line("from post to proposed plan, 99th percentile", percentile(waits, 0.99), "ms", at_most=500),
        Line("of that, until scheduling's log had the revised path, median", percentile(arrivals, 0.50), "ms"),
        Line("of that, until scheduling's log had the revised path, 99th percentile", percentile(arrivals, 0.99), "ms"),
        Line("results that led to a proposed plan", 100 * len(waits) / len(posted), "%"),
        Line("results that moved their learner's timetable", 100 * len(moving) / len(posted), "%", at_least=10),
        Line("learners moved per proposal", sum(one["moved"] for one in proposals) / len(proposals), "learners"),
        Line("results posted", len(posted), ""),
        Line("service's processor time per result", 1_000 * processor / len(posted), "ms"),
    ]
