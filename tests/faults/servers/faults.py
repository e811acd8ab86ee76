"""The faults: each breaks something for a while, and returns when the house can be whole again."""

import asyncio

from tests.faults.servers.scene import LEASE_MS, Scene


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
