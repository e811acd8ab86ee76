"""A house in which nothing happens asks its database next to nothing, and the first thing that happens finds it awake."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from atelier_common.documents.mongo import connect
from atelier_common.documents.port import SYSTEM
from atelier_common.lease import LEASES

from infra.dev.house import House, HouseClient, Replica
from tests.support import school
from tests.support.asked import Asking, asking
from tests.support.in_a_house import ROLES, plan_with_a_studio
from tests.support.nursery import Nursery
from tests.support.running import XAPI

pytestmark = pytest.mark.servers

WINDOW = 10.0
AT_MOST_A_SECOND = 20.0
FIRST_RESULT_WITHIN = 3.0


class Place:
    """A house with a school in it whose week is planned, and what its database is asked. Of assessment there are two processes:
    one that leads and one that stands by.
    """

    def __init__(self, house: House, asked: Asking, server: str) -> None:
        self.house = house
        self.asked = asked
        self._server = server

    @asynccontextmanager
    async def client(self) -> AsyncIterator[HouseClient]:
        async with self.house.client(school.TENANT, ROLES) as client:
            yield client

    async def bring_in_and_plan(self) -> None:
        async with self.client() as client:
            await plan_with_a_studio(client)

    async def be_quiet(self) -> None:
        """Until a second passes in which the loops have backed off."""
        async with asyncio.timeout(60):
            while True:
                self.asked.forget()
                await asyncio.sleep(1.0)
                if self.asked.count() <= 3 * AT_MOST_A_SECOND:
                    return

    async def owner(self, service: str, lease: str) -> str:
        documents = connect(self._server, self.house.database(service))
        try:
            held = await documents.find(SYSTEM, LEASES, lease)
        finally:
            await documents.close()
        assert held is not None
        return str(held["owner"])

    async def standing_by(self, service: str) -> Replica:
        """A process of the service that gives no positions."""
        leader = await self.owner(service, "sequencer")
        return next(one for one in self.house.of(service) if f"{service}-{one.number}" != leader)


@pytest.fixture(scope="module")
def place(
    kafka_address: str, mongo_address: str, nursery: Nursery, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    with asking(mongo_address) as asked:
        prefix = f"idle-{time.time_ns():x}."
        house = House(
            tmp_path_factory.mktemp("idle"),
            kafka_address,
            asked.address,
            prefix,
            replicas_of={"assessment": 2},
            launch=nursery.launch,
        )
        try:
            house.start()
            started = Place(house, asked, mongo_address)
            asyncio.run(started.bring_in_and_plan())
            yield started
        finally:
            house.stop()


async def test_what_is_asked_is_counted(mongo_address: str) -> None:
    with asking(mongo_address) as asked:
        documents = connect(asked.address, "nobody_s_database")
        for number in range(30):
            assert await documents.find(school.TENANT, "nothing", str(number)) is None
        await documents.close()
        assert asked.of("nobody_s_database")["find", "nothing"] == 30


async def test_an_idle_house_asks_the_database_at_most_twenty_times_a_second(place: Place) -> None:
    await place.be_quiet()
    place.asked.forget()
    began = time.perf_counter()
    await asyncio.sleep(WINDOW)
    seconds = time.perf_counter() - began
    a_second = {what: count / seconds for what, count in place.asked.commands.most_common()}
    assert any(command == "update" and of == LEASES for _, command, of in a_second), "its leaders were not seen to lead"
    assert sum(a_second.values()) <= AT_MOST_A_SECOND, a_second


async def test_the_first_result_after_idling_is_on_the_timetable_within_three_seconds(place: Place) -> None:
    async with place.client() as client:
        names = {one["display_name"]: one["learner_id"] for one in (await client.get("/profile/v1/learners"))["items"]}
        learner = names["Pupil Number03"]

        async def foci() -> set[Any]:
            path = f"/scheduling/v1/learners/{learner}/timetable"
            blocks = (await client.get(path, week=school.WEEK, proposed="true"))["blocks"]
            return {one["focus"] for one in blocks if one["present"]}

        before = await foci()
        await place.be_quiet()
        posting = await place.standing_by("assessment")
        answers = school.answers("pupil-03", "N1", 10)
        headers = {**client.http.headers, **XAPI}
        async with httpx.AsyncClient(base_url=posting.url, headers=headers, trust_env=False) as door:
            began = time.perf_counter()
            (await door.post("/assessment/xapi/statements", json=answers)).raise_for_status()
            while await foci() == before:
                assert time.perf_counter() - began < 60, "the timetable did not change"
                await asyncio.sleep(0.05)
            seconds = time.perf_counter() - began
        assert school.competency("N2") in await foci()
        assert seconds < FIRST_RESULT_WITHIN
