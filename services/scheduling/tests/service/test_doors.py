"""What the doors of scheduling promise: versions, repeated requests, decisions that are tried before they are stored."""

from typing import Any

import pytest
from atelier_scheduling.domain.override import OverrideGiven
from atelier_scheduling.domain.plan import PlanProposed
from atelier_scheduling.engine.times import minute_of

pytestmark = pytest.mark.asyncio(loop_scope="session")
SITE = "fictional-school"
WEEK = "2026-W38"
BLOCK_ONE = minute_of("2026-09-14", 8 * 60 + 50, "America/Chicago") * 60_000
CIRCLE = minute_of("2026-09-14", 8 * 60 + 30, "America/Chicago") * 60_000


async def test_a_site_that_changed_meanwhile_is_not_overwritten(town: Any) -> None:
    await town.settle_in(count=1)
    tag = (await town.ask("GET", f"/sites/{SITE}")).headers["etag"]
    assert (await town.put_site({"If-Match": tag}, title="Renamed once")).status_code == 200
    late = await town.put_site({"If-Match": tag}, title="Renamed twice")
    assert (late.status_code, late.json()["code"]) == (412, "precondition-failed")
    await town.world.settle()
    assert (await town.ask("GET", f"/sites/{SITE}")).json()["title"] == "Renamed once"


async def test_an_idempotency_key_stands_for_one_description_only(town: Any) -> None:
    await town.settle_in(count=1)
    key = {"Idempotency-Key": "describe-once"}
    first = await town.put_site(key, title="Renamed")
    again = await town.put_site(key, title="Renamed")
    other = await town.put_site(key, title="Renamed differently")
    assert (first.json()["repeated"], again.json()["repeated"]) == (False, True)
    assert again.json()["version"] == first.json()["version"]
    assert (other.status_code, other.json()["code"]) == (422, "command-id-reused")


async def test_a_description_that_is_not_valid_is_refused_with_the_place_of_every_mistake(town: Any) -> None:
    answer = await town.put_site(zones=[{"id": "east", "name": "East", "kind": "room", "seats": "many"}], seed="x")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-input")
    assert {one["pointer"] for one in answer.json()["errors"]} == {"/zones/0/seats", "/seed"}
    assert await town.log(f"site/{SITE}") == []


async def test_a_description_of_another_site_is_refused(town: Any) -> None:
    answer = await town.put_site(site_id="another-school")
    assert (answer.status_code, answer.json()["field"]) == (422, "site_id")


async def test_people_of_the_description_are_stored_by_pseudonym(town: Any) -> None:
    await town.settle_in(count=1, placements=[{"learner": "learner-0", "bell": "blocks"}])
    said = (await town.ask("GET", f"/sites/{SITE}")).json()
    assert said["staff"][0]["adult"] == await town.adult("adult-1")
    assert said["placements"][0]["learner"] == town.learners[0]


async def test_asking_for_a_plan_twice_with_one_key_plans_once(lonely: Any) -> None:
    await lonely.settle_in()
    given: dict[str, Any] = {"params": {"week": WEEK}, "headers": {"Idempotency-Key": "plan-it"}}
    first = await lonely.ask("POST", f"/sites/{SITE}/plans", **given)
    await lonely.world.settle()
    lonely.world.clock.advance(120_000)
    again = await lonely.ask("POST", f"/sites/{SITE}/plans", **given)
    assert (again.status_code, again.json()["repeated"]) == (201, True)
    assert again.json()["result"] == first.json()["result"]
    assert len(await lonely.plans()) == 1


def decision(town: Any, **more: Any) -> dict[str, Any]:
    return {
        "action": "place",
        "reason": "asked for it",
        "starts_at_ms": BLOCK_ONE,
        "ends_at_ms": BLOCK_ONE + 50 * 60_000,
        "learners": [town.learners[0]],
        "zone": "hall",
        "week": WEEK,
        **more,
    }


async def test_a_decision_is_carried_out_by_a_repair_and_its_repeat_changes_nothing(lonely: Any) -> None:
    await lonely.settle_in()
    await lonely.propose()
    key = {"Idempotency-Key": "decide-it"}
    first = await lonely.ask("POST", f"/sites/{SITE}/overrides", json=decision(lonely), headers=key)
    assert first.status_code == 201, first.text
    await lonely.world.settle()
    proposals = [one for one in await lonely.plans() if isinstance(one, PlanProposed)]
    assert [one.reason for one in proposals] == ["request", "override"]
    assert lonely.learners[0] in {move.learner_id for move in proposals[1].moves}
    lonely.world.clock.advance(120_000)
    again = await lonely.ask("POST", f"/sites/{SITE}/overrides", json=decision(lonely), headers=key)
    assert (again.status_code, again.json()) == (201, first.json())
    other = await lonely.ask(
        "POST", f"/sites/{SITE}/overrides", json=decision(lonely, reason="changed my mind"), headers=key
    )
    assert (other.status_code, other.json()["code"]) == (422, "command-id-reused")


async def test_a_decision_that_breaks_safety_names_the_rule_and_stores_nothing(town: Any) -> None:
    await town.settle_in()
    await town.propose()
    before = await town.world.scheduling.service.store.head(town.tenant)
    crowd = decision(town, learners=town.learners, zone="nook")
    answer = await town.ask("POST", f"/sites/{SITE}/overrides", json=crowd)
    assert (answer.status_code, answer.json()["code"]) == (409, "rule-broken")
    assert answer.json()["rule"]
    await town.world.settle()
    store = town.world.scheduling.service.store
    assert await store.head(town.tenant) == before
    assert await store.list_streams(town.tenant, "override/") == []
    assert (await town.ask("GET", f"/sites/{SITE}/overrides")).json()["overrides"] == []


async def test_a_decision_taken_back_is_a_repair_again(town: Any) -> None:
    await town.settle_in()
    await town.propose()
    given = (await town.ask("POST", f"/sites/{SITE}/overrides", json=decision(town))).json()
    await town.world.settle()
    taken = await town.ask("DELETE", f"/sites/{SITE}/overrides/{given['override_id']}", params={"reason": "not needed"})
    assert taken.status_code == 200
    await town.world.settle()
    stored = await town.log(given["stream"])
    assert isinstance(stored[0], OverrideGiven)
    assert stored[0].owner == "principal-1"
    proposals = [one for one in await town.plans() if isinstance(one, PlanProposed)]
    assert [one.reason for one in proposals] == ["request", "override", "override"]


async def test_families_ask_for_no_plans_and_strangers_find_nothing(town: Any) -> None:
    await town.settle_in(count=1)
    refused = await town.ask("POST", f"/sites/{SITE}/plans", roles=("coach",))
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert (await town.ask("GET", "/sites/nowhere")).status_code == 404
    missing = await town.ask("POST", f"/sites/{SITE}/plans", params={"week": "2026-38"})
    assert (missing.status_code, missing.json()["field"]) == (422, "week")


async def test_the_oracle_judges_what_is_stored_and_finds_what_was_spoiled(town: Any) -> None:
    await town.settle_in()
    document = await town.propose()
    verdict = (await town.ask("GET", f"/sites/{SITE}/plans/{WEEK}/verdict")).json()
    assert (verdict["plan_id"], verdict["findings"]) == (document["proposed"]["plan_id"], [])
    await town.spoil()
    newest = (await town.ask("GET", f"/sites/{SITE}/plans/newest/verdict")).json()
    assert newest["plan_id"] == "spoiled"
    assert newest["findings"]
    published = await town.publish(acknowledge_owed=True)
    assert (published.status_code, published.json()["code"]) == (409, "rule-broken")
    missing = await town.ask("GET", f"/sites/{SITE}/plans/2027-W02/verdict")
    assert missing.status_code == 404
    assert (await town.ask("GET", f"/sites/{SITE}/plans/{WEEK}/verdict", roles=("coach",))).status_code == 403
