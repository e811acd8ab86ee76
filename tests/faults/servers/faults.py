"""The faults: each breaks something for a while, and returns when the house can be whole again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from atelier_hosting.process import SERVICES

from tests.faults.servers.scene import LEASE_MS, Scene, Stage

_PATIENCE = 180.0


async def a_process_killed(scene: Scene) -> None:
    """kill -9 of any process of any service, at any moment, a few times."""
    for _ in range(1 + 2 * scene.long):
        replica = scene.random.choice(scene.house.running)
        replica.process.kill()
        await asyncio.sleep(scene.random.uniform(0.0, 1.0))
        replica.process.start(wait=False)
        await asyncio.to_thread(replica.process.wait)
        await asyncio.sleep(scene.random.uniform(0.0, 1.0))


async def a_leader_asleep(scene: Scene) -> None:
    """SIGSTOP of a leader for three lease times, then SIGCONT: it wakes up believing that it leads."""
    service = scene.random.choice(("assessment", "scheduling"))
    leader = await scene.stage.leader(service, scene.random.choice((f"{service}:followers", "sequencer")))
    leader.process.pause()
    await asyncio.sleep(3 * LEASE_MS / 1000)
    leader.process.resume()
    await asyncio.sleep(1.0)


async def the_broker_killed(scene: Scene) -> None:
    """kill -9 of the one broker, and its start a moment later."""
    (broker,) = scene.stage.servers.kafka.nodes
    broker.kill()
    await asyncio.sleep(scene.random.uniform(0.0, 3.0))
    await asyncio.to_thread(broker.start)


async def kafka_away_for_long(scene: Scene) -> None:
    """No broker for longer than the producer waits; evidence is accepted all the while."""
    (broker,) = scene.stage.servers.kafka.nodes
    broker.kill()
    try:
        before = len(scene.district.acknowledged)
        await asyncio.sleep(120.0 if scene.long else 15.0)
        if len(scene.district.acknowledged) <= before or scene.provider.refused:
            scene.provider.surprises.append("evidence was not accepted while Kafka was away")
    finally:
        await asyncio.to_thread(broker.start)


async def the_database_killed(scene: Scene) -> None:
    """kill -9 of PostgreSQL and of FerretDB before it, and their start a moment later."""
    database = scene.stage.servers.mongo
    database.protocol.kill()
    database.database.kill()
    await asyncio.sleep(scene.random.uniform(0.0, 3.0))
    await asyncio.to_thread(database.database.start)
    await asyncio.to_thread(database.protocol.start)


async def a_service_cut_off_from_its_database(scene: Scene) -> None:
    """The network parts one service from its database: connections are refused, or hang."""
    proxy = scene.stage.proxies[scene.random.choice(SERVICES)]
    proxy.behave(scene.random.choice(("refuse", "hang")))
    await asyncio.sleep(scene.random.uniform(2.0, 3 * LEASE_MS / 1000))
    proxy.behave("pass")


async def a_group_dealt_out_anew(scene: Scene) -> None:
    """A second replica joins the consumer groups under load, and leaves again: its partitions come and go mid-handler."""
    replica = scene.house.add(scene.random.choice(("pathing", "profile")))
    try:
        await asyncio.to_thread(replica.process.start)
        await asyncio.sleep(scene.random.uniform(1.0, 3.0))
    finally:
        scene.house.running.remove(replica)
        scene.random.choice((replica.process.stop, replica.process.kill))()


async def one_replica_left_and_no_server(scene: Scene) -> None:
    """Broker and database are away, and of the scheduling replicas only the one that did not publish is left.

    In its short form they are there and out of reach: what takes long is their start.
    """
    leader = await scene.stage.leader("scheduling")
    async with (_servers_killed if scene.long else _servers_out_of_reach)(scene.stage):
        leader.process.kill()
        await asyncio.sleep((3.0 if scene.long else 1.5) * LEASE_MS / 1000)


@asynccontextmanager
async def _servers_killed(stage: Stage) -> AsyncIterator[None]:
    database, (broker,) = stage.servers.mongo, stage.servers.kafka.nodes
    database.protocol.kill()
    database.database.kill()
    broker.kill()
    yield
    await asyncio.to_thread(database.database.start)
    await asyncio.to_thread(database.protocol.start)
    await asyncio.to_thread(broker.start)


@asynccontextmanager
async def _servers_out_of_reach(stage: Stage) -> AsyncIterator[None]:
    (broker,) = stage.servers.kafka.nodes
    for proxy in stage.proxies.values():
        proxy.behave("refuse")
    broker.pause()
    try:
        yield
    finally:
        broker.resume()
        for proxy in stage.proxies.values():
            proxy.behave("pass")


async def one_of_three_brokers_gone(scene: Scene) -> None:
    """With two of three left, and two wanted by every write, what is posted still reaches the neighbours."""
    broker = scene.random.choice(scene.stage.servers.kafka.nodes)
    broker.kill()
    try:
        before = (await scene.client.heads())["pathing"]
        async with asyncio.timeout(_PATIENCE):
            while (await scene.client.heads())["pathing"] < before + 5:
                await asyncio.sleep(0.3)
    finally:
        await asyncio.to_thread(broker.start)


async def two_replicas_begun_at_once(scene: Scene) -> None:
    """The house was begun with two of everything on empty databases and no topics; that they work together is seen now."""
    await asyncio.sleep(scene.random.uniform(1.0, 3.0))


async def a_full_disk(scene: Scene) -> None:
    """The database's disk is full for a while: writes are refused, clearly; when there is room again all goes on by itself.

    A server that has given up is started again by whoever minds it, as an init does; that is not counted as help.
    """
    database = scene.stage.servers.mongo
    ballast = database.data / "ballast"
    with ballast.open("wb") as file, suppress(OSError):
        while True:
            file.write(bytes(65_536))
            file.flush()
    refused = scene.provider.refused
    await asyncio.sleep(5 * LEASE_MS / 1000)
    if scene.provider.refused == refused:
        scene.provider.surprises.append("nothing was refused while the disk was full")
    ballast.unlink()
    if not database.database.alive:
        await asyncio.to_thread(database.database.start)
    if not database.protocol.alive:
        await asyncio.to_thread(database.protocol.start)
