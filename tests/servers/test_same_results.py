"""From the same inputs, clock and cuts four processes on real servers publish what one process on SQLite publishes, to the byte."""

import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from atelier_common.clock import SimulatedClock
from atelier_common.decider import canonical
from atelier_common.security.secret_file import load_or_create_secret
from atelier_standalone.app import build_app
from atelier_standalone.client import Client
from atelier_standalone.demo.running import ROLES, SEED, TENANT, demo_master_key, evening_before, main_job
from atelier_standalone.folder import DataFolder
from atelier_standalone.sample.district import WEEK, SampleDistrict, sample_district
from atelier_standalone.sample.learning import answers, evidence_ndjson
from atelier_standalone.sample.people import TIDEWATER
from atelier_standalone.sample.roster import oneroster_zip
from atelier_standalone.system import Atelier

from infra.dev.house import House
from infra.dev.same import differences, without_names_of_its_own
from tests.support.nursery import Nursery

pytestmark = pytest.mark.servers
_DAILY = 250
"""Statements of each of the three days."""
MoveClock = Callable[[int], Awaitable[None]]


async def test_what_is_published_is_the_same_in_one_process_and_in_four(
    tmp_path: Path, kafka_address: str, mongo_address: str, nursery: Nursery
) -> None:
    sample = one_site_of_the_sample()
    alone = await on_the_standalone(tmp_path / "alone", sample)
    apart = await in_a_house(tmp_path / "house", kafka_address, mongo_address, nursery, sample)
    assert alone.keys() == apart.keys()
    for what, found in alone.items():
        assert list(differences(found, apart[what], what)) == []
        assert canonical(found) == canonical(apart[what]), what
    assert len(alone["mastery"]) == len(sample.people.learners)
    assert sum(len(one) for one in alone["mastery"].values()) > len(sample.people.learners)
    assert alone["plan"]["figures"]["studios"] > 0
    assert all(alone["timetables"].values())


def one_site_of_the_sample() -> SampleDistrict:
    """The smaller of the two sites, and a part of what its learners did."""
    whole = sample_district(SEED)
    here = whole.people.at(TIDEWATER)
    names = {learner.sourced_id for learner in here}
    families = {learner.guardian for learner in here}
    people = replace(
        whole.people,
        learners=here,
        guardians=tuple(one for one in whole.people.guardians if one.sourced_id in families),
    )
    supports = json.loads(whole.supports)
    supports["learners"] = [one for one in supports["learners"] if one["sourced_id"] in names]
    days = (evidence_ndjson(day).splitlines()[:_DAILY] for day in answers(people, SEED))
    return replace(
        whole,
        people=people,
        roster=oneroster_zip(people),
        supports=json.dumps(supports).encode(),
        evidence=tuple(b"\n".join(lines) for lines in days),
        sites={TIDEWATER: whole.sites[TIDEWATER]},
    )


async def on_the_standalone(path: Path, sample: SampleDistrict) -> dict[str, Any]:
    folder, clock = DataFolder(path), SimulatedClock(evening_before())
    load_or_create_secret(folder.keys / "master.key", lambda: demo_master_key(SEED))
    atelier = Atelier(folder, clock)
    await atelier.start()

    async def move_clock(now: int) -> None:
        clock.advance_to(now)

    headers = {"Authorization": f"Bearer {atelier.issuer.issue(TENANT, 'administrator', ROLES, 120)}"}
    transport = httpx.ASGITransport(build_app(atelier))
    try:
        async with httpx.AsyncClient(
            transport=transport, base_url="http://atelier", headers=headers, timeout=300
        ) as http:
            return await published(Client(http, None), move_clock, sample)
    finally:
        await atelier.stop()


async def in_a_house(folder: Path, kafka: str, mongo: str, nursery: Nursery, sample: SampleDistrict) -> dict[str, Any]:
    prefix, key = f"same-{time.time_ns():x}.", demo_master_key(SEED)
    house = House(folder, kafka, mongo, prefix, master_key=key, launch=nursery.launch)
    try:
        house.start()
        async with house.client(TENANT, ROLES) as client:
            await client.move_clock(evening_before())
            return await published(client, client.move_clock, sample)
    finally:
        house.stop()


async def published(client: Client, move_clock: MoveClock, sample: SampleDistrict) -> dict[str, Any]:
    """Do the main job, then read what everybody may see."""
    results = await main_job(client, move_clock, sample)
    learners = await _learners(client)
    monday = date.fromisocalendar(int(WEEK[:4]), int(WEEK[-2:]), 1)
    days = [(monday + timedelta(days=day)).isoformat() for day in range(5)]
    site = f"/scheduling/v1/sites/{TIDEWATER}"
    found = {
        "mastery": {one: await _mastery(client, one) for one in learners},
        "paths": {one: await client.get(f"/pathing/v1/learners/{one}/frontier") for one in learners},
        "plan": results.plans[TIDEWATER]["published"],
        "studios": {day: await client.get(f"{site}/days/{day}", week=WEEK, studios=True) for day in days},
        "timetables": {
            one: await client.get(f"/scheduling/v1/learners/{one}/timetable", week=WEEK) for one in learners
        },
        "owed": results.owed,
        "override": results.override,
        "imported": results.imported,
    }
    return {what: without_names_of_its_own(one) for what, one in found.items()}


async def _learners(client: Client) -> list[str]:
    return sorted(one["learner_id"] for one in (await client.get("/profile/v1/learners", limit=500))["items"])


async def _mastery(client: Client, learner: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = await client.get(f"/assessment/v1/learners/{learner}/mastery", limit=500, cursor=cursor)
        found += page["mastery"]
        cursor = page["next_cursor"]
        if not cursor:
            return found
