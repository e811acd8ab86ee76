"""Turns: one at a time on a key, and nobody waits for keys that are free."""

import asyncio

from atelier_common.turns import Turns


async def test_those_who_share_a_key_work_one_after_the_other() -> None:
    turns, inside, most, done = Turns(), dict.fromkeys("abc", 0), 0, 0

    async def work(keys: set[str]) -> None:
        nonlocal most, done
        await turns.take(keys)
        try:
            for key in keys:
                inside[key] += 1
            most = max(most, *inside.values())
            await asyncio.sleep(0)
            for key in keys:
                inside[key] -= 1
            done += 1
        finally:
            turns.give_back(keys)

    wanted = [{"a"}, {"a", "b"}, {"b"}, {"c", "a"}, {"c"}, {"a", "b", "c"}] * 5
    await asyncio.wait_for(asyncio.gather(*map(work, wanted)), 5)
    assert (most, done) == (1, 30)


async def test_a_free_key_is_taken_at_once() -> None:
    turns = Turns()
    await turns.take({"a"})
    await asyncio.wait_for(turns.take({"b"}), 1)
    turns.give_back({"a"})
    turns.give_back({"b"})


async def test_who_stops_waiting_holds_nobody_up() -> None:
    turns = Turns()
    await turns.take({"a"})
    impatient, patient = (asyncio.create_task(turns.take({"a"})) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    await asyncio.sleep(0)
    turns.give_back({"a"})
    await asyncio.wait_for(patient, 1)
    assert impatient.cancelled()
