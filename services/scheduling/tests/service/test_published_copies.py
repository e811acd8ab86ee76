"""Every replica has its own copy of what is published, whichever of them was there when it was."""

import asyncio
import shutil
from typing import Any

import pytest
from atelier_common.errors import NotFound

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_replica_whose_folder_is_new_gets_what_was_published_before(lonely: Any) -> None:
    await lonely.settle_in(count=4)
    await lonely.propose()
    await lonely.publish(acknowledge_owed=True)
    learner = lonely.learners[0]
    before = lonely.world.scheduling.files.of_learner(lonely.tenant, learner)
    shutil.rmtree(lonely.world.folder / "published")
    with pytest.raises(NotFound):
        lonely.world.scheduling.files.of_learner(lonely.tenant, learner)
    await lonely.world.restart()
    async with asyncio.timeout(60):
        while not list((lonely.world.folder / "published").glob("*/*/*.json")):
            await asyncio.sleep(0.05)
    assert lonely.world.scheduling.files.of_learner(lonely.tenant, learner) == before


async def test_what_was_published_later_is_not_replaced_by_what_was_before(lonely: Any) -> None:
    await lonely.settle_in(count=4)
    await lonely.propose()
    await lonely.publish(acknowledge_owed=True)
    scheduling, learner = lonely.world.scheduling, lonely.learners[0]
    held = scheduling.files.of_learner(lonely.tenant, learner)
    document = (await lonely.week())["published"]
    plan = (await scheduling.desk.library.plan(lonely.tenant, document["plan_digest"])).plan
    description = await scheduling.desk.library.site(lonely.tenant, held["site_id"])
    await scheduling.files.keep(lonely.tenant, description, plan, "an-earlier-plan", held["published_at_ms"] - 1)
    assert scheduling.files.of_learner(lonely.tenant, learner)["plan_id"] == document["plan_id"]
    await scheduling.files.keep(lonely.tenant, description, plan, "a-later-plan", held["published_at_ms"] + 1)
    assert scheduling.files.of_learner(lonely.tenant, learner)["plan_id"] == "a-later-plan"
