"""Run the main job: import, stream three days of evidence, plan, publish, ask, override; then serve what came of it."""

import asyncio
import hashlib
import json
import shutil
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from atelier_common import process
from atelier_common.clock import SimulatedClock
from atelier_common.errors import InvalidInput
from atelier_common.security.secret_file import load_or_create_secret

from atelier_standalone.app import build_app
from atelier_standalone.cli.context import console
from atelier_standalone.cli.importing import progress_bar, send_evidence, send_framework, send_roster, send_site
from atelier_standalone.cli.planning import propose, publish_week
from atelier_standalone.client import Client, Refused
from atelier_standalone.demo import telling
from atelier_standalone.folder import DataFolder, default_folder
from atelier_standalone.sample.district import WEEK, SampleDistrict, sample_district
from atelier_standalone.sample.learning import SCHOOL_DAYS
from atelier_standalone.serving import served, until_told
from atelier_standalone.system import Atelier

TENANT = "fictional-harbour"
ROLES = ("district-admin", "operator", "partner", "coach")
SEED = 7
_MARK = "demo.json"
_BATCH = 200
_TRIES = 4
_DAY_ENDS = timedelta(hours=20, minutes=30)


@dataclass
class Results:
    """What the demo found, for people and machines."""

    seconds: float = 0.0
    imported: dict[str, Any] = field(default_factory=dict)
    days: list[dict[str, Any]] = field(default_factory=list)
    plans: dict[str, Any] = field(default_factory=dict)
    studios: dict[str, Any] = field(default_factory=dict)
    week: dict[str, Any] = field(default_factory=dict)
    owed: dict[str, list[Any]] = field(default_factory=dict)
    override: dict[str, Any] = field(default_factory=dict)


def demo_master_key(seed: int) -> bytes:
    """Of a made-up district there is nothing to keep secret, and with the same key its people have the same ids each time."""
    return hashlib.sha256(b"atelier demo %d" % seed).digest()


def fresh_folder(data: Path | None, seed: int) -> DataFolder:
    """The demo's folder, emptied if an earlier demo filled it. Raises InvalidInput on a folder with anything else in it."""
    path = data or default_folder() / "demo"
    folder = DataFolder(path)
    if path.exists() and any(path.iterdir()):
        if not (path / _MARK).exists():
            raise InvalidInput(f"{path} holds other data; the demo wants an empty folder (--data)")
        folder.lock().release()
        shutil.rmtree(path)
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    (path / _MARK).write_text(json.dumps({"made by": "atelier demo"}))
    load_or_create_secret(folder.keys / "master.key", lambda: demo_master_key(seed))
    return folder


async def run_demo(data: Path | None, seed: int, port: int, *, serve_after: bool, as_json: bool) -> None:
    """The demo, told as it goes; with ``serve_after`` its pages are then served until Ctrl-C."""
    began = time.perf_counter()
    folder = fresh_folder(data, seed)
    clock = SimulatedClock(evening_before())
    console.quiet = as_json
    sample = sample_district(seed)
    sample.write(folder.path / "sample")
    atelier = Atelier(folder, clock)
    await atelier.start()
    process.started()
    warming = asyncio.create_task(atelier.scheduling.process.warm_up(), name="warm-up")
    try:
        results = await _in_this_process(atelier, clock, sample)
        results.seconds = round(time.perf_counter() - began, 1)
        telling.the_end(results.seconds, folder.path)
        if as_json:
            sys.stdout.write(json.dumps(results.__dict__, indent=2) + "\n")
        if serve_after:
            token = atelier.issuer.issue(TENANT, "demo", ("district-admin", "coach", "operator"), 12 * 60)
            async with served(atelier, port=port) as (url, _):
                telling.where_the_pages_are(url, token)
                await until_told()
    finally:
        warming.cancel()
        await atelier.stop()


async def _in_this_process(atelier: Atelier, clock: SimulatedClock, sample: SampleDistrict) -> Results:
    async def move_clock(now: int) -> None:
        clock.advance_to(now)

    token = atelier.issuer.issue(TENANT, "demo", ROLES, 120)
    transport = httpx.ASGITransport(build_app(atelier))
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://atelier", headers=headers, timeout=120) as http:
        return await main_job(Client(http, None), move_clock, sample)


def evening_before() -> int:
    """Where the demo's clock begins, milliseconds UTC."""
    first = datetime.combine(SCHOOL_DAYS[0], datetime.min.time(), UTC)
    return int((first - timedelta(hours=6)).timestamp() * 1000)


async def main_job(client: Client, move_clock: Callable[[int], Awaitable[None]], sample: SampleDistrict) -> Results:
    """Everything through the doors of whatever installation the client reaches; ``move_clock`` takes milliseconds UTC."""
    results = Results()
    results.imported = await _bring_in(client, sample)
    telling.what_came_in(results.imported)
    for day, evidence in zip(SCHOOL_DAYS, sample.evidence, strict=True):
        evening = datetime.combine(day, datetime.min.time(), UTC) + _DAY_ENDS
        await move_clock(int(evening.timestamp() * 1000))
        results.days.append(await _a_day(client, day.isoformat(), evidence))
        telling.what_moved(results.days[-1])
    for site in sample.sites:
        results.plans[site] = await _waiting(f"planning {site}", propose(client, site, WEEK))
        telling.what_is_proposed(results.plans[site])
    results.override = await _override(client, next(iter(sample.sites)))
    telling.what_a_person_decided(results.override)
    for site in sample.sites:
        results.plans[site] = await _waiting(f"publishing {site}", publish_week(client, site, WEEK, True))
        results.owed[site] = (await client.get(f"/scheduling/v1/sites/{site}/owed", week=WEEK))["owed"]
        telling.what_is_owed(site, results.owed[site], await _names(client))
    await _show(client, next(iter(sample.sites)), results)
    return results


async def _waiting(what: str, work: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    with console.status(what):
        return await work


async def _bring_in(client: Client, sample: SampleDistrict) -> dict[str, Any]:
    with console.status("importing framework, roster, supports and sites"):
        framework = await send_framework(client, sample.framework)
        roster = await send_roster(client, sample.roster)
        supports = await client.send("/profile/v1/supports", sample.supports, "application/json")
        for content in sample.sites.values():
            await send_site(client, content)
        await client.settle()
    return {
        "framework": framework["counts"],
        "roster": roster["counts"],
        "supports": supports,
        "sites": sorted(sample.sites),
    }


async def _a_day(client: Client, day: str, evidence: bytes) -> dict[str, Any]:
    """Stream a day's statements and count what they moved, from the logs."""
    before = (await client.heads())["assessment"]
    lines = evidence.splitlines()
    with progress_bar() as bar:
        task = bar.add_task(f"evidence of {day}", total=len(lines))
        await send_evidence(client, lines, _BATCH, lambda done: bar.update(task, completed=done))
        bar.update(task, description=f"evidence of {day}, estimating")
        await client.settle()
    estimates = await _estimates_moved(client, before)
    parked = (await client.get("/assessment/v1/parked", limit=500))["parked"]
    return {"day": day, "statements": len(lines), "parked": len(parked), "estimates": estimates}


async def _estimates_moved(client: Client, after: int) -> int:
    """Counted in the log of assessment. How often paths were revised for them is no result: it depends on what came in one breath."""
    came = await client.get("/operator/v1/logs/assessment/types", after=after)
    return sum(count for name, count in came["types"].items() if name.startswith("MasteryMoved"))


async def _override(client: Client, site: str) -> dict[str, Any]:
    """A person moves one learner; the week is planned again; the decision still holds."""
    document = await client.get(f"/scheduling/v1/sites/{site}/plans/{WEEK}")
    first_day = f"{datetime.strptime(WEEK + '-1', '%G-W%V-%u').date()}"
    day = await client.get(f"/scheduling/v1/sites/{site}/days/{first_day}", week=WEEK, proposed=True, studios=True)
    # Work that needs nothing learned before comes first: there a decision is least likely to break a safety rule.
    for target in sorted(day["sessions"], key=lambda one: one["subject"] != ""):
        if len(target["members"]) >= target["seats"]:
            continue
        others = [one for one in day["sessions"] if one["start"] == target["start"] and one is not target]
        for learner in [member for other in others for member in other["members"]][:_TRIES]:
            given = await _try_override(client, site, learner, target)
            if given is not None:
                await client.settle()
                replanned = await propose(client, site, WEEK)
                week = await client.get(f"/scheduling/v1/learners/{learner}/timetable", week=WEEK, proposed=True)
                block = next(
                    one
                    for one in week["blocks"]
                    if one["starts_at_ms"] <= target["starts_at_ms"] < one["ends_at_ms"] and one["present"]
                )
                return {
                    "site": site,
                    "learner": learner,
                    "moved_to": target["title"],
                    "at": f"{target['date']} {target['start']}",
                    "plan_before": (document["proposed"] or document["published"])["plan_id"],
                    "plan_after": (replanned["proposed"] or replanned["published"])["plan_id"],
                    "holds_after_replanning": block["focus"] == target["focus"],
                    "why": block["why"],
                }
    return {}


def _at(block: dict[str, Any], moment: int) -> bool:
    return bool(block["starts_at_ms"] <= moment < block["ends_at_ms"])


async def _try_override(client: Client, site: str, learner: str, target: dict[str, Any]) -> dict[str, Any] | None:
    body = {
        "action": "place",
        "reason": "asked to work on this with a friend",
        "starts_at_ms": target["starts_at_ms"],
        "ends_at_ms": target["ends_at_ms"],
        "learners": [learner],
        "focus": target["focus"],
        "focus_kind": target["focus_kind"],
        "subject": target["subject"],
        "week": WEEK,
    }
    try:
        given: dict[str, Any] = await client.post(f"/scheduling/v1/sites/{site}/overrides", body)
    except Refused:
        return None
    return given


async def _names(client: Client) -> dict[str, str]:
    """Display names by id, for the terminal of the one who runs this installation."""
    found: dict[str, str] = {}
    for kind, id in (("learners", "learner_id"), ("adults", "adult_id")):
        cursor = ""
        while True:
            page = await client.get(f"/profile/v1/{kind}", cursor=cursor, limit=500)
            found |= {one[id]: str(one["display_name"]) for one in page["items"]}
            cursor = page["next_cursor"]
            if not cursor:
                break
    return found


async def _show(client: Client, site: str, results: Results) -> None:
    names = await _names(client)
    first_day = f"{datetime.strptime(WEEK + '-1', '%G-W%V-%u').date()}"
    results.studios = await client.get(f"/scheduling/v1/sites/{site}/days/{first_day}", week=WEEK, studios=True)
    telling.tomorrows_studios(results.studios, names)
    learner = results.override.get("learner") or next(
        (member for one in results.studios["sessions"] for member in one["members"]), ""
    )
    if learner:
        results.week = await client.get(f"/scheduling/v1/learners/{learner}/timetable", week=WEEK)
        telling.one_learners_week(results.week, names.get(learner, learner))
