"""Inserts of writers that wait at the same moment, sent together."""

import asyncio
from collections.abc import Sequence

import pytest
from atelier_common.documents.joining import TOGETHER, UNDER_WAY, JoinedInserts
from atelier_common.documents.port import Insert
from atelier_common.errors import Unavailable


class Server:
    """Takes inserts when it is let; refuses ids that it has, and everything while it fails."""

    def __init__(self) -> None:
        self.sent: list[list[str]] = []
        self.had: set[str] = set()
        self.let = asyncio.Event()
        self.fails = False

    async def take(self, writes: Sequence[Insert]) -> list[bool]:
        self.sent.append([write.id for write in writes])
        await self.let.wait()
        if self.fails:
            raise Unavailable("fell over")
        new = [write.id not in self.had for write in writes]
        self.had |= {write.id for write in writes}
        return new


def an_insert(id: str) -> Insert:
    return Insert("t", "things", id, {})


async def waiting(joined: JoinedInserts, *ids: str) -> list[asyncio.Task[bool]]:
    """Writers that began one after another and got as far as they can."""
    tasks = []
    for id in ids:
        tasks.append(asyncio.create_task(joined.insert(an_insert(id))))
        await asyncio.sleep(0.001)
    return tasks


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def joined(server: Server) -> JoinedInserts:
    return JoinedInserts(server.take)


async def test_who_waits_while_others_are_on_their_way_leaves_with_all_that_wait(
    server: Server, joined: JoinedInserts
) -> None:
    tasks = await waiting(joined, *"abcde")
    assert server.sent == [["a"], ["b"]]
    assert len(server.sent) == UNDER_WAY
    server.let.set()
    assert await asyncio.gather(*tasks) == [True] * 5
    assert server.sent[2:] == [["c", "d", "e"]]


async def test_each_is_told_what_became_of_its_own(server: Server, joined: JoinedInserts) -> None:
    server.had = {"d"}
    tasks = await waiting(joined, *"abcde")
    server.let.set()
    assert await asyncio.gather(*tasks) == [True, True, True, False, True]


async def test_two_of_one_id_never_leave_together_and_one_of_them_wins(server: Server, joined: JoinedInserts) -> None:
    tasks = await waiting(joined, "a", "b", "c", "c", "c")
    server.let.set()
    assert sorted(await asyncio.gather(*tasks)) == [False, False, True, True, True]
    assert all(len(set(ids)) == len(ids) for ids in server.sent)


async def test_no_more_leave_together_than_a_server_takes_quickly(server: Server, joined: JoinedInserts) -> None:
    tasks = [asyncio.create_task(joined.insert(an_insert(f"{number}"))) for number in range(3 * TOGETHER)]
    server.let.set()
    assert await asyncio.gather(*tasks) == [True] * 3 * TOGETHER
    assert max(map(len, server.sent)) == TOGETHER


async def test_all_that_left_together_hear_of_a_failure_and_the_next_go_on(
    server: Server, joined: JoinedInserts
) -> None:
    server.fails = True
    tasks = await waiting(joined, *"abcd")
    server.let.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 4
    server.fails = False
    assert await joined.insert(an_insert("e"))


async def test_who_is_cancelled_on_the_way_takes_nobody_along(server: Server, joined: JoinedInserts) -> None:
    tasks = await waiting(joined, *"abcd")
    tasks[0].cancel()
    tasks[3].cancel()
    server.let.set()
    await asyncio.wait(tasks)
    assert [task.cancelled() or task.result() for task in tasks] == [True] * 4
    assert server.had == {"a", "b", "c"}
