"""`atelier plan --check`: the oracle as a command, over a folder that nobody serves."""

import asyncio
import dataclasses
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from atelier_common.commands import Request
from atelier_common.commit import Context
from atelier_scheduling.domain.plan import PLAN, PlanProposed, ProposePlan
from atelier_scheduling.engine.plan import Plan
from atelier_standalone.app import build_app
from atelier_standalone.cli.main import app
from atelier_standalone.folder import DataFolder
from atelier_standalone.sample.people import TIDEWATER, people
from atelier_standalone.sample.roster import oneroster_zip
from atelier_standalone.sample.sites import site_file
from atelier_standalone.system import Atelier
from typer.testing import CliRunner

TENANT = "district"
WEEK = "2026-W38"


async def _plan_a_week(folder: Path) -> None:
    """Eight learners come, their site is described, and a week is proposed."""
    everybody = people(7)
    drawn = dataclasses.replace(everybody, learners=everybody.at(TIDEWATER)[:8])
    atelier = Atelier(DataFolder(folder))
    await atelier.start()
    token = atelier.issuer.issue(TENANT, "administrator", ("district-admin",), 60)
    headers = {"authorization": f"Bearer {token}"}
    transport = httpx.ASGITransport(build_app(atelier))
    async with httpx.AsyncClient(transport=transport, base_url="http://test", headers=headers, timeout=60) as http:
        roster = {"content-type": "application/zip"}
        sent = await http.post("/profile/v1/roster-imports", content=oneroster_zip(drawn), headers=roster)
        sent.raise_for_status()
        await atelier.settle()
        site = json.loads(site_file(drawn, TIDEWATER))
        (await http.put(f"/scheduling/v1/sites/{TIDEWATER}", json=site)).raise_for_status()
        await atelier.settle()
        planned = await http.post(f"/scheduling/v1/sites/{TIDEWATER}/plans", params={"week": WEEK})
        planned.raise_for_status()
        await atelier.settle()
    await atelier.stop()


async def _spoil_it(folder: Path) -> None:
    """The same plan without anybody in charge is proposed, as a broken engine would."""
    atelier = Atelier(DataFolder(folder))
    await atelier.start()
    service = atelier.scheduling.service
    state, _ = await service.commands.load(PLAN, TENANT, f"{TIDEWATER}:{WEEK}")
    proposed: PlanProposed = state.proposed
    plan = Plan.from_json(await service.store.get_part(TENANT, proposed.plan_digest))
    alone = tuple(dataclasses.replace(session, staff=()) for session in plan.sessions)
    digest = await service.store.put_part(TENANT, dataclasses.replace(plan, sessions=alone).to_json())
    given: dict[str, Any] = {one.name: getattr(proposed, one.name, None) for one in dataclasses.fields(ProposePlan)}
    command = ProposePlan(**{**given, "plan_id": "spoiled", "plan_digest": digest, "now": 1})
    context = Context(TENANT, "test", "spoil", 1)
    await service.commands.execute(Request(PLAN, f"{TIDEWATER}:{WEEK}", command, context))
    await atelier.settle()
    await atelier.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("check") / "data"
    asyncio.run(_plan_a_week(made))
    return made


def test_a_plan_is_checked_and_what_is_found_is_said_with_exit_code_7(folder: Path) -> None:
    runner = CliRunner()
    given = ["plan", TIDEWATER, "--check", "--data", str(folder)]
    clean = runner.invoke(app, given)
    assert clean.exit_code == 0, clean.output
    assert "no rule broken" in clean.stdout
    assert runner.invoke(app, [*given, "--diagnose"]).exit_code == 2
    assert runner.invoke(app, [*given, "--week", "2027-W02"]).exit_code == 4

    asyncio.run(_spoil_it(folder))
    found = runner.invoke(app, [*given, "--week", WEEK, "--json"])
    assert found.exit_code == 7, found.output
    verdict = json.loads(found.stdout)
    assert verdict["plan_id"] == "spoiled" and verdict["findings"]
    told = runner.invoke(app, given)
    assert told.exit_code == 7
    assert verdict["findings"][0].split(":")[0] in told.stdout
