"""Faults of people: releases in the wrong order, messages that nobody can read, clocks that are wrong."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

import httpx
from aiokafka import AIOKafkaProducer
from atelier_hosting.process import SERVICES
from atelier_standalone.client import Refused

from infra.dev.processes import launch
from tests.faults.servers import checkers, releases
from tests.faults.servers.scene import LEASE_MS, Scene

_PATIENCE = 180.0
_AN_HOUR = 3_600
_EVIDENCE = "EvidenceRecorded"


async def a_poison_event(scene: Scene) -> None:
    """Something that is no event comes under a learner's key: the key is parked, others go on, unparked it catches up in order."""
    log = await scene.client.log_of("assessment")
    stream = scene.random.choice(sorted({one["stream"] for one in log if one["stream"].startswith("mastery/")}))
    producer = AIOKafkaProducer(bootstrap_servers=scene.stage.servers.kafka.address)
    await producer.start()
    try:
        key = f"{scene.district.tenant}/{stream}".encode()
        await producer.send_and_wait(f"{scene.house.prefix}assessment.mastery", b"no event", key=key)
    finally:
        await producer.stop()

    async def both_parked() -> bool:
        return {one["service"] for one in await scene.client.parked()} == {"pathing", "profile"}

    await _until(both_parked)
    before = (await scene.client.heads())["pathing"]

    async def others_go_on() -> bool:
        return (await scene.client.heads())["pathing"] > before + 5

    await _until(others_go_on)
    for one in await scene.client.parked():
        given = {name: one[name] for name in ("service", "consumer", "key")}
        answer = await scene.client.http.post("/operator/v1/unpark", json=given, headers={"x-service": one["service"]})
        if not answer.is_success:
            raise Refused(answer.json())


async def a_reader_behind_its_writer(scene: Scene) -> None:
    """A release of pathing that does not know an event yet meets it: its keys are parked, and caught up by the next release."""
    (replica,) = scene.house.of("pathing")
    await scene.stage.exchange(replica, releases.reader_of_an_earlier_contract.__name__)

    async def something_parked() -> bool:
        return any(one["reason"].startswith("unknown-type") for one in await scene.client.parked())

    await _until(something_parked)
    await scene.stage.exchange(replica)


async def an_upgrade_readers_first(scene: Scene) -> None:
    """The release that reads the next schema goes everywhere before the first that writes it; nothing is parked in between."""
    for release in (releases.reads_the_next_schema, releases.writes_the_next_schema):
        for replica in scene.house.of("assessment"):
            await scene.stage.exchange(replica, release.__name__)
            await asyncio.sleep(1.0)
            scene.provider.surprises += await checkers.nothing_parked(scene.client)
    await _until(partial(_written_anew, scene))


async def an_upgrade_writers_first(scene: Scene) -> None:
    """A release that writes the next schema beside one that cannot read it: what it cannot read is parked or refused, not lost."""
    leader = await scene.stage.leader("assessment")
    (other,) = (one for one in scene.house.of("assessment") if one is not leader)
    release = releases.writes_the_next_schema.__name__
    # The one that cannot read it leads, else nothing would be in the way.
    await asyncio.to_thread(leader.process.stop)
    await _until(partial(scene.stage.leads, other))
    await scene.stage.exchange(leader, release)

    async def something_parked() -> bool:
        return any(one["service"] == "assessment" for one in await scene.client.parked())

    await _until(something_parked)
    await scene.stage.exchange(other, release)


async def _written_anew(scene: Scene) -> bool:
    log = await scene.client.log_of("assessment")
    return any(event["type"] == _EVIDENCE and event["version"] > 1 for commit in log for event in commit["events"])


async def a_clock_an_hour_ahead(scene: Scene) -> None:
    """One process believes that it is an hour later, then is set right: time goes back for it, positions do not."""
    replica = scene.random.choice(scene.house.of(scene.random.choice(SERVICES)))
    process, usual = replica.process, (replica.process.command, replica.process.launch)
    await asyncio.to_thread(process.stop)
    process.command = [sys.executable, "-m", "tests.faults.servers.ahead", str(_AN_HOUR), replica.service]
    process.launch = launch
    await asyncio.to_thread(process.start)
    await asyncio.sleep(2 * LEASE_MS / 1000)
    await asyncio.to_thread(process.stop)
    process.command, process.launch = usual
    await asyncio.to_thread(process.start)


async def _until(come: Callable[[], Awaitable[bool]]) -> None:
    """Until it has come about; who cannot be asked now is asked again. Raises TimeoutError."""
    async with asyncio.timeout(_PATIENCE):
        while True:
            with suppress(httpx.HTTPError):
                if await come():
                    return
            await asyncio.sleep(0.2)
