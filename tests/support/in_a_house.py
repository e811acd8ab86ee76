"""The small school in a house of processes: brought in, described, planned, told of answers, each time until all has gone through."""

import asyncio
import json
from collections.abc import Sequence

import httpx
from aiokafka.errors import KafkaError

from infra.dev.house import HouseClient
from tests.support import school
from tests.support.running import JSON, XAPI, ZIP

ROLES = ("district-admin", "operator", "partner", "coach")
PATIENCE = 180.0


async def bring_in(client: HouseClient, people: Sequence[school.Pupil]) -> None:
    """The framework, then these people and their school."""
    await client.send("/pathing/v1/frameworks", school.case_package(), JSON["content-type"])
    await enrol(client, people)


async def enrol(client: HouseClient, people: Sequence[school.Pupil]) -> None:
    """These people, and the school with a place for each; who was there and is among them stays who they were."""
    await client.send("/profile/v1/roster-imports", school.roster_zip(people), ZIP["content-type"])
    await settled(client)
    await client.put(f"/scheduling/v1/sites/{school.SITE}", school.site_description(school.studios(), people))
    await settled(client)


async def post(client: HouseClient, statements: Sequence[school.Data], traceparent: str = "") -> None:
    """Evidence, by the door that providers use."""
    headers = {**XAPI, "traceparent": traceparent} if traceparent else XAPI
    content = json.dumps(list(statements)).encode()
    await client.send("/assessment/xapi/statements", content, JSON["content-type"], headers)


async def plan(client: HouseClient, week: str = school.WEEK) -> None:
    """The week's timetable is proposed."""
    await client.post(f"/scheduling/v1/sites/{school.SITE}/plans", week=week)
    await settled(client)


async def plan_with_a_studio(client: HouseClient) -> None:
    """A school whose week is planned, with a studio in it for what comes after N1 that has room for more."""
    await client.move_clock(school.SATURDAY_BEFORE)
    people = school.pupils()
    await bring_in(client, people)
    shown = [one for who in people for code in ("N1", "W1") for one in school.answers(who.sourced_id, code, 4)]
    shown += [one for who in school.AHEAD for one in school.answers(who, "N1", 6, first=20)]
    await post(client, shown)
    await settled(client)
    await plan(client)


async def settled(client: HouseClient) -> None:
    """Everything accepted has gone all the way through. What cannot be asked yet is asked again; raises TimeoutError in the end."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await client.settle()
                return
            except (httpx.HTTPError, KafkaError):
                await asyncio.sleep(0.3)
