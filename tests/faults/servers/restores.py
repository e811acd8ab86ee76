"""A fault of machines and people together: a service's database is lost, and put back as it was some time ago."""

import asyncio
import subprocess
from contextlib import suppress
from typing import Any

import httpx
from pymongo import MongoClient

from infra.dev.backup import back_up, put_back
from infra.dev.house import HouseClient, Replica
from tests.faults.servers.scene import Scene

_SERVICES = ("assessment", "pathing", "profile")
"""While all processes of scheduling are stopped for its restore nobody can read a week; that is no fault to be lived through."""
_PATIENCE = 180.0
_ANSWERS_ARRIVE = 1.0
_LOOKS_EVERY = 0.5


async def a_database_put_back(scene: Scene) -> None:
    """One service's database is lost under load and put back from a backup, as docs/operations.md tells an operator.

    What that service acknowledged after the backup began is the one thing that may be gone; its neighbours find together with it.
    """
    service, house = scene.random.choice(_SERVICES), scene.house
    address, database = scene.stage.servers.mongo.address, house.database(service)
    file = house.folder / f"{service}.backup"
    before, compared = set(scene.district.acknowledged), await scene.client.comparisons(service)
    await asyncio.to_thread(back_up, address, database, file)
    await asyncio.sleep(scene.random.uniform(1.0, 5.0))

    for replica in house.of(service):
        replica.process.kill()
    await asyncio.sleep(_ANSWERS_ARRIVE)
    if service == "assessment":
        scene.may_be_gone = set(scene.district.acknowledged) - before
    with MongoClient[Any](address) as client:
        client.drop_database(database)
    await asyncio.to_thread(put_back, address, database, file)
    await asyncio.to_thread(_told_that_it_is_restored, house.of(service)[0])
    for replica in house.of(service):
        replica.process.start(wait=False)
    await scene.stage.whole()
    await _together(scene.client, service, compared)


def _told_that_it_is_restored(replica: Replica) -> None:
    command = [*replica.process.command[:3], "restored", replica.service]
    done = subprocess.run(command, env=replica.process.env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"atelier restored {replica.service} failed: {done.stderr.strip()}")


async def _together(client: HouseClient, service: str, before: dict[tuple[str, str], int]) -> None:
    """Until each of them that has ever met has compared once more. Raises RuntimeError with those that did not."""
    late = {pair: count for pair, count in before.items() if count}
    try:
        async with asyncio.timeout(_PATIENCE):
            while late:
                await asyncio.sleep(_LOOKS_EVERY)
                with suppress(httpx.HTTPError):
                    now = await client.comparisons(service)
                    late = {pair: count for pair, count in late.items() if now[pair] <= count}
    except TimeoutError:
        raise RuntimeError(f"(reader, owner) that did not compare anew: {sorted(late)}") from None
