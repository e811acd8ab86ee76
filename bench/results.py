"""Results that move timetables: which they are, what must come before them, and how they are posted at a steady rate."""

import asyncio
import json
import random
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from atelier_standalone.cli.planning import propose
from atelier_standalone.client import Client
from atelier_standalone.sample.district import WEEK

from bench.district import NOW, bring_in
from bench.posting import Poster
from bench.showing import Pair, successes, successes_missing, taken_up

EVIDENCE = "/assessment/v1/evidence"
_XAPI = {"X-Experience-API-Version": "1.0.3"}


async def plan_sample(client: Client, days: int = 3) -> list[str]:
    """The sample district with so many of its three days of evidence, both sites planned; the sites."""
    sample = await bring_in(client, sites=True)
    for day in sample.evidence[:days]:
        lines = day.splitlines()
        for start in range(0, len(lines), 200):
            body = b"[" + b",".join(lines[start : start + 200]) + b"]"
            await client.send("/assessment/xapi/statements", body, "application/json", _XAPI)
    await client.settle()
    for site in sample.sites:
        await propose(client, site, WEEK)
    return list(sample.sites)


async def coming_results(
    client: Client, sites: list[str], count: int, lasts: Sequence[int] = (2,)
) -> list[dict[str, Any]]:
    """``count`` results. ``lasts``: so many of the successes that show a step are among them, for one step after another in turn;
    what else the steps take is posted here, as done earlier that day."""
    missing = await missing_successes(client, sites)
    turns = taken_up(missing, lasts, random.Random("results"))
    pairs = list(successes(turns, count))
    worked_on = set(pairs)
    earlier = [turn.pair for turn in turns if turn.pair in worked_on for _ in range(missing[turn.pair] - turn.last)]
    before = results("earlier", earlier, timedelta(minutes=29), timedelta())
    for start in range(0, len(before), 200):
        body = {"evidence": before[start : start + 200]}
        await client.send(EVIDENCE, json.dumps(body).encode(), "application/json")
    await client.settle()
    return results("result", pairs, timedelta(minutes=25), timedelta(seconds=1))


async def missing_successes(client: Client, sites: list[str]) -> dict[Pair, int]:
    """Of all learners and the steps they are seated for in the week, how many successes each step takes yet."""
    monday = datetime.fromisocalendar(int(WEEK[:4]), int(WEEK[-2:]), 1).date()
    pairs: set[Pair] = set()
    for site in sites:
        for day in range(5):
            date = (monday + timedelta(days=day)).isoformat()
            path = f"/scheduling/v1/sites/{site}/days/{date}"
            found = await client.get(path, week=WEEK, proposed=True, studios=True)
            for session in found["sessions"]:
                if session["focus_kind"] == "competency":
                    pairs.update((learner, session["focus"]) for learner in session["members"])
    return {pair: await successes_missing(client, pair) for pair in sorted(pairs)}


def results(name: str, pairs: list[Pair], before: timedelta, apart: timedelta) -> list[dict[str, Any]]:
    """A success each, from so long before now on, and so far apart."""
    at = datetime.fromtimestamp(NOW / 1000, UTC) - before
    return [
        {
            "id": f"{name}-{place}",
            "learner_id": learner,
            "competencies": [competency],
            "item": f"{name}-item-{place}",
            "success": True,
            "score": 1.0,
            "performed_at": (at + place * apart).isoformat(),
        }
        for place, (learner, competency) in enumerate(pairs)
    ]


async def post_at_rate(posting: Poster, some: list[dict[str, Any]], per_second: float) -> dict[str, float]:
    """When each was posted, by the correlation id of all that follows from it."""
    posted: dict[str, float] = {}
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for place, result in enumerate(some):
            await asyncio.sleep(max(0.0, began + place / per_second - time.monotonic()))
            key = str(uuid.uuid4())
            posted[key] = time.monotonic()
            body = json.dumps({"evidence": [result]}).encode()
            group.create_task(posting.post(EVIDENCE, body, {"X-Correlation-Id": key}))
    return posted
