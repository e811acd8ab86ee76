"""Planning is asked for in the log and done a site at a time: one site's solver keeps no other waiting, nothing asked is forgotten."""

import asyncio
import copy
from datetime import UTC, datetime
from typing import Any

import pytest
from atelier_common.commands import Commands, Request
from atelier_common.commit import Context
from atelier_scheduling.domain.plan import PlanProposed
from atelier_scheduling.domain.planning import (
    PLANNING,
    AskForPlanning,
    PlanningAnswered,
    PlanningAsked,
    planning_key,
)
from atelier_scheduling.engine.changes import LearnerLeft

pytestmark = pytest.mark.asyncio(loop_scope="session")
OTHER = "other-school"
CHANGED = (("Numbers-1", "Numbers"), ("Words-1", "Words"))


async def open_another_school(town: Any, week: str) -> list[str]:
    """A second site of the town with six learners and the same adults, its week planned."""
    learners = [await town.enrol(f"pupil-{number}", site_ids=[OTHER]) for number in range(6)]
    for number, learner in enumerate(learners):
        await town.path(learner, (f"Numbers-{number % 2}", "Numbers"), (f"Words-{number % 2}", "Words"))
    described = (await town.ask("GET", f"/sites/{(await town.week())['site']}")).json()
    (await town.ask("PUT", f"/sites/{OTHER}", json={**described, "site_id": OTHER})).raise_for_status()
    await town.world.settle()
    answer = await town.ask("POST", f"/sites/{OTHER}/plans", params={"week": week})
    assert answer.status_code == 201, answer.text
    return learners


class HeldBack:
    """Repairs of one site wait until they are let go."""

    def __init__(self, planner: Any, site: str) -> None:
        self.waiting, self.gate = asyncio.Event(), asyncio.Event()
        self._planner, self._site, self._repair = planner, site, planner.repair
        planner.repair = self

    async def __call__(self, tenant: str, site_id: str, *more: Any) -> Any:
        if site_id == self._site:
            self.waiting.set()
            await self.gate.wait()
        return await self._repair(tenant, site_id, *more)


async def proposals(town: Any, site: str, week: str) -> int:
    return sum(isinstance(one, PlanProposed) for one in await town.log(f"plan/{site}:{week}"))


async def test_the_repair_of_one_site_keeps_no_other_waiting(lonely: Any) -> None:
    await lonely.settle_in(6)
    await lonely.propose()
    document = await lonely.week()
    site, week = document["site"], document["week"]
    elsewhere = await open_another_school(lonely, week)
    await lonely.world.settle()
    held = HeldBack(lonely.world.scheduling.desk.planner, site)
    here = next(one for number, one in enumerate(lonely.learners) if number % 2 == 0)
    await asyncio.gather(
        lonely.path(here, *CHANGED, revision=2),
        lonely.path(elsewhere[0], *CHANGED, revision=2),
    )
    async with asyncio.timeout(60):
        await held.waiting.wait()
        while await proposals(lonely, OTHER, week) < 2:
            await asyncio.sleep(0.01)
    assert await proposals(lonely, site, week) == 1
    assert not await lonely.world.scheduling.service.idle()
    held.gate.set()
    await lonely.world.settle()
    assert await proposals(lonely, site, week) == 2


async def test_what_was_asked_and_not_done_when_the_process_ended_is_done_by_the_next(lonely: Any) -> None:
    await lonely.settle_in(6)
    await lonely.propose()
    document = await lonely.week()
    site, week = document["site"], document["week"]
    held = HeldBack(lonely.world.scheduling.desk.planner, site)
    await lonely.path(lonely.learners[0], *CHANGED, revision=2)
    async with asyncio.timeout(60):
        await held.waiting.wait()
    await lonely.world.restart()
    await lonely.world.settle()
    assert await proposals(lonely, site, week) == 2
    day = datetime.fromtimestamp(lonely.world.clock.now() / 1000, UTC).date().isoformat()
    asked = await lonely.log(f"planning/{site}:{day}")
    answered = await lonely.log(f"planned/{site}:{day}")
    assert all(isinstance(one, PlanningAsked) for one in asked)
    assert all(isinstance(one, PlanningAnswered) for one in answered)
    assert answered[-1].until == len(asked)
    assert await lonely.world.scheduling.service.parked(lonely.tenant) == []


async def test_a_fact_that_comes_while_a_week_is_planned_is_in_the_plan_in_the_end(lonely: Any) -> None:
    await lonely.settle_in(6)
    service, planner = lonely.world.scheduling.service, lonely.world.scheduling.desk.planner
    site, week, now = "fictional-school", "2026-W38", lonely.world.clock.now()
    made, gate, propose = asyncio.Event(), asyncio.Event(), planner.propose

    async def slowly(*given: Any) -> Any:
        command = await propose(*given)
        made.set()
        await gate.wait()
        return command

    planner.propose = slowly
    command = AskForPlanning(site, week, "cadence", (), now)
    context = Context(lonely.tenant, "timer:cadence", "a round", now)
    await service.commands.execute(Request(PLANNING, planning_key(site, "2026-09-09"), command, context))
    async with asyncio.timeout(60):
        await made.wait()
        await lonely.path(lonely.learners[0], *CHANGED, revision=2)
        while (await service.waiting(lonely.tenant))["planning"] < 2:
            await asyncio.sleep(0.01)
    assert await proposals(lonely, site, week) == 0
    gate.set()
    await lonely.world.settle()
    first, second, _ = await lonely.log(f"plan/{site}:{week}")
    assert (first.reason, second.reason) == ("cadence", "path")
    assert {move.learner_id for move in second.moves} == {lonely.learners[0]}


async def test_what_another_process_planned_meanwhile_is_what_a_repair_mends(lonely: Any) -> None:
    await lonely.settle_in(6)
    await lonely.propose()
    document = await lonely.week()
    site, week, now = document["site"], document["week"], lonely.world.clock.now()
    service, planner = lonely.world.scheduling.service, lonely.world.scheduling.desk.planner
    elsewhere = copy.copy(planner)
    elsewhere._commands = Commands(service.store)
    first = (await planner.latest(lonely.tenant, site, week)).plan_digest
    left = [LearnerLeft(lonely.learners[1])]
    mended = await elsewhere.repair(lonely.tenant, site, week, left, "forced", [], now)
    assert mended.base_digest == first
    await lonely.path(lonely.learners[0], *CHANGED, revision=2)
    await lonely.world.settle()
    second = (await planner.latest(lonely.tenant, site, week)).plan_digest
    assert second != first
    mended = await elsewhere.repair(lonely.tenant, site, week, left, "forced", [], now)
    assert mended.base_digest == second
