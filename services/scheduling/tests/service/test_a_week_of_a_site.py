"""From facts on the bus to a published week: proposed, repaired, refused, published and read, over a real log and solver."""

import asyncio
import hashlib
import itertools
import os
import signal
import time
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from atelier.scheduling.v1 import events_pb2 as contract
from atelier_common.ids import event_id
from atelier_scheduling.domain.plan import PlanProposed, PlanRefused
from atelier_scheduling.engine import wire
from atelier_scheduling.engine.applying import apply_changes
from atelier_scheduling.engine.changes import Changes, NeedsChanged
from atelier_scheduling.engine.door import plan as solve_again
from atelier_scheduling.engine.door import repair as repair_again
from atelier_scheduling.engine.plan import Plan
from atelier_scheduling.engine.problem import SiteProblem
from atelier_scheduling.oracle import check
from atelier_scheduling.planning.assembling import with_birth_dates
from atelier_scheduling.planning.delta import PlanDelta, apply, difference, in_delta_order

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def opened(town: Any, problem: SiteProblem) -> SiteProblem:
    """The stored problem as the solver saw it."""
    sealed = [one.birth_date for one in problem.learners]
    plain = await town.world.keys.open_many(town.tenant, [("birth_date", one) for one in sealed])
    return with_birth_dates(problem, dict(zip(sealed, plain, strict=True)))


async def replayed(town: Any, proposed: PlanProposed) -> tuple[SiteProblem, Plan]:
    """A whole plan solved again from what is stored."""
    problem = await opened(town, SiteProblem.from_json(await town.part(proposed.problem_digest)))
    made = solve_again(problem, None, proposed.effort, proposed.seed)
    assert isinstance(made, Plan)
    return problem, made


async def test_a_described_site_is_planned_and_published_for_everybody(town: Any) -> None:
    await town.settle_in()
    document = await town.propose()
    held = document["proposed"]
    assert held["safe"]
    assert held["figures"]["learners"] == 12
    assert held["figures"]["needs_served"] > 0
    assert (await town.publish(acknowledge_owed=True)).status_code == 200
    published = await town.week()
    assert published["proposed"] is None
    assert published["published"]["plan_id"] == held["plan_id"]
    for learner in town.learners:
        blocks = (await town.ask("GET", f"/learners/{learner}/timetable")).json()["blocks"]
        assert {block["date"] for block in blocks} == {"2026-09-14", "2026-09-15"}
    (said,) = town.heard(contract.PlanPublished)
    assert (said.plan_digest, said.published_by, said.automatic) == (held["plan_digest"], "principal-1", False)


async def test_a_stored_plan_replays_to_the_byte(town: Any) -> None:
    await town.settle_in()
    await town.propose()
    (proposed,) = await town.plans()
    assert b"2017-03-04" not in await town.part(proposed.problem_digest)
    problem, made = await replayed(town, proposed)
    assert hashlib.sha256(in_delta_order(made).to_json()).hexdigest() == proposed.plan_digest
    assert check(problem, made) == []


async def test_a_path_event_is_answered_by_a_repair_that_names_it_and_moves_whom_it_must(town: Any) -> None:
    await town.settle_in()
    await town.propose()
    learner = town.learners[0]
    await town.path(learner, ("Numbers-1", "Numbers"), ("Words-1", "Words"), revision=2)
    await town.world.settle()
    first, second, superseded = await town.plans()
    assert (superseded.plan_id, superseded.by_plan_id) == (first.plan_id, second.plan_id)
    assert (second.reason, second.previous_plan_id, second.base_digest) == ("path", first.plan_id, first.plan_digest)
    assert {move.learner_id for move in second.moves} == {learner}
    delta = PlanDelta.from_json(await town.part(second.plan_digest))
    assert delta.learners == (learner,)
    (cause,) = second.causes
    store = town.world.scheduling.service.store
    commits = await store.read_log(town.tenant, 0, 1000)
    plan_commit = next(one for one in commits if one.stream.startswith("plan/") and one.version == 2)
    (asking,) = [one for one in commits if one.stream.startswith("planning/")]
    asked = event_id(await store.incarnation(town.tenant), asking.stream, asking.version, 0)
    assert (asking.causation_ids, plan_commit.causation_ids) == ((cause,), (asked,))
    assert asking.correlation_id == plan_commit.correlation_id
    said = town.heard(contract.PlanProposed)[-1]
    assert (list(said.cause_event_ids), said.reason) == ([cause], contract.PLAN_REASON_PATH)


async def test_what_is_only_known_of_a_learner_proposes_nothing_and_is_no_cause_of_what_is_proposed(town: Any) -> None:
    await town.settle_in()
    await town.propose()
    goes_on, surer = town.learners[:2]
    asked = (("Numbers-1", "Numbers"), ("Words-1", "Words"))
    before = await town.plans()
    await town.path(surer, *asked, revision=2, estimate=0.6)
    await town.world.settle()
    assert await town.plans() == before
    await asyncio.gather(
        town.path(surer, *asked, revision=3, estimate=0.7),
        town.path(goes_on, *asked, revision=2),
    )
    await town.world.settle()
    latest = [one for one in await town.plans() if isinstance(one, PlanProposed)][-1]
    answered = wire.read(Changes, await town.part(latest.changes_digest)).changes
    assert [one.learner for one in answered if isinstance(one, NeedsChanged)] == [goes_on]
    assert len(latest.causes) == 1


async def test_a_chain_of_repairs_replays_to_the_byte(town: Any) -> None:
    await town.settle_in()
    await town.propose()
    for place, learner in enumerate(town.learners[:2]):
        await town.path(learner, (f"Numbers-{1 - place}", "Numbers"), ("Words-2", "Words"), revision=2)
        await town.world.settle()
    proposals = [one for one in await town.plans() if isinstance(one, PlanProposed)]
    assert len(proposals) == 3
    problem, made = await replayed(town, proposals[0])
    made = in_delta_order(made)
    for before, proposed in itertools.pairwise(proposals):
        stored = await town.part(proposed.changes_digest)
        repaired = repair_again(problem, made, wire.read(Changes, stored), proposed.effort, proposed.seed)
        assert isinstance(repaired.plan, Plan)
        answers = proposed.changes_digest
        delta = difference(before.plan_digest, proposed.problem_digest, answers, made, repaired.plan)
        assert hashlib.sha256(delta.to_json()).hexdigest() == proposed.plan_digest
        made = in_delta_order(repaired.plan)
        problem = repaired.problem
        assert check(problem, made) == []


async def test_a_repair_goes_on_where_a_restart_left_it(lonely: Any) -> None:
    await lonely.settle_in()
    await lonely.propose()
    await lonely.path(lonely.learners[0], ("Numbers-1", "Numbers"), revision=2)
    await lonely.world.settle()
    await lonely.world.restart()
    await lonely.path(lonely.learners[1], ("Numbers-0", "Numbers"), revision=2)
    await lonely.world.settle()
    proposals = [one for one in await lonely.plans() if isinstance(one, PlanProposed)]
    assert len(proposals) == 3
    assert proposals[2].base_digest == proposals[1].plan_digest
    problem, made = await replayed(lonely, proposals[0])
    made = in_delta_order(made)
    for proposed in proposals[1:]:
        problem = apply_changes(problem, wire.read(Changes, await lonely.part(proposed.changes_digest)))
        made = apply(made, PlanDelta.from_json(await lonely.part(proposed.plan_digest)))
    assert check(problem, made) == []


async def test_a_killed_solver_only_delays_a_plan(lonely: Any) -> None:
    await lonely.settle_in()
    process = lonely.world.scheduling.process
    solver = await process.run(os.getpid)
    # One piece of work at a time: while this one sleeps, the week's solve is in the solver's hands and cannot end.
    busy = asyncio.create_task(process.run(time.sleep, 0.5))
    planning = asyncio.create_task(lonely.propose())
    await asyncio.sleep(0.3)
    os.kill(solver, signal.SIGKILL)
    assert (await planning)["proposed"]["safe"]
    await busy
    after = await process.run(os.getpid)
    assert after != solver
    os.kill(after, signal.SIGKILL)
    await lonely.path(lonely.learners[0], ("Numbers-1", "Numbers"), revision=2)
    await lonely.world.settle()
    assert (await lonely.week())["proposed"]["reason"] == "path"


async def test_nothing_is_proposed_where_nobody_can_supervise_and_the_log_says_so_in_words(town: Any) -> None:
    staff = [{"adult": "adult-1", "hours": [{"weekday": 1, "start": "08:00", "end": "13:00"}]}]
    await town.settle_in(staff=staff)
    document = await town.propose()
    assert document["proposed"] is None
    (refused,) = await town.plans()
    assert isinstance(refused, PlanRefused)
    assert refused.diagnosis
    assert all(line.partition(": ")[2] for line in refused.diagnosis)
    assert (await town.publish()).status_code == 404
    assert town.heard(contract.PlanProposed) == []


async def test_what_is_owed_leaves_as_an_event_when_published_and_goes_to_nothing_when_met(town: Any) -> None:
    await town.settle_in()
    speech = {"service_id": "s1", "kind": "speech", "minutes_per_week": 30, "provider_role": "speech", "source": "iep"}
    learner = await town.enrol("learner-0", services=[speech])
    await town.world.settle()
    document = await town.propose()
    assert document["proposed"]["figures"]["obligations_owed"] >= 1
    assert town.heard(contract.ObligationOwed) == []
    refused = await town.publish()
    assert (refused.status_code, refused.json()["code"]) == (409, "rule-broken")
    assert (await town.publish(acknowledge_owed=True)).status_code == 200
    owed = [one for one in town.heard(contract.ObligationOwed) if one.learner_id == learner]
    assert [(one.minutes_required, one.minutes_owed) for one in owed] == [(30, 30)]
    await town.hire("adult-3", "teacher", "speech")
    await town.world.settle()
    assert (await town.publish(acknowledge_owed=True)).status_code == 200
    last = [one for one in town.heard(contract.ObligationOwed) if one.obligation_id == owed[0].obligation_id][-1]
    assert (last.minutes_scheduled, last.minutes_owed) == (30, 0)
    listed = (await town.ask("GET", "/sites/fictional-school/owed", params={"week": "2026-W38"})).json()["owed"]
    assert not [one for one in listed if one["owed_to"] == learner]


async def test_at_its_cut_off_a_week_is_published_where_the_site_asks_for_it_by_then(lonely: Any) -> None:
    # What each site asks for when its week is proposed, and at the cut-off.
    asked = {"automatic": ("automatic",) * 2, "reviewed": ("reviewed",) * 2}
    asked |= {"trusting": ("reviewed", "automatic"), "careful": ("automatic", "reviewed")}
    towns = {name: type(lonely)(lonely.world, name) for name in asked}
    for name, town in towns.items():
        await town.settle_in(count=4, publishing=asked[name][0])
        await town.propose()
        await town.put_site(publishing=asked[name][1])
    await lonely.world.settle()
    cut_off = int(datetime(2026, 9, 11, 21, 0, tzinfo=UTC).timestamp() * 1000)

    async def at(moment: int) -> None:
        lonely.world.clock.advance_to(moment)
        lonely.world.scheduling.service.timers.wake()
        await asyncio.sleep(0.5)
        await lonely.world.settle()

    async def published() -> dict[str, Any]:
        weeks = {name: (await town.week())["published"] for name, town in towns.items()}
        return {name: one for name, one in weeks.items() if one}

    await at(cut_off - 1)
    assert await published() == {}
    await at(cut_off)
    async with asyncio.timeout(60):
        while len(held := await published()) < 2:
            await asyncio.sleep(0.05)
    assert held.keys() == {"automatic", "trusting"}
    told = held["automatic"]
    assert (told["by"], told["automatic"], told["published_at"]) == ("timer:cut-off", True, cut_off)


async def test_a_published_timetable_is_read_after_the_databases_are_gone(lonely: Any) -> None:
    await lonely.settle_in()
    await lonely.propose()
    await lonely.publish(acknowledge_owed=True)
    for path in lonely.world.folder.glob("*.sqlite*"):
        path.unlink()
    answer = await lonely.ask("GET", f"/learners/{lonely.learners[0]}/timetable")
    assert answer.status_code == 200
    assert orjson.loads(answer.content)["blocks"]
