"""Appends of writers that wait at the same moment, sent together."""

import asyncio
from collections.abc import Sequence

import pytest
from atelier_common.documents.port import Body
from atelier_common.errors import Unavailable
from atelier_common.eventstore.joining import TOGETHER, JoinedAppends


class Log:
    """Takes commits when it is let, up to the first that it has; takes nothing while it fails."""

    def __init__(self) -> None:
        self.sent: list[list[str]] = []
        self.had: set[str] = set()
        self.let = asyncio.Event()
        self.fails = False

    async def take(self, bodies: Sequence[Body]) -> int:
        streams = [body["stream"] for body in bodies]
        self.sent.append(streams)
        await self.let.wait()
        if self.fails:
            raise Unavailable("fell over")
        for number, stream in enumerate(streams):
            if stream in self.had:
                return number
            self.had.add(stream)
        return len(streams)


def a_commit(stream: str) -> Body:
    return {"stream": stream, "version": 1}


async def waiting(joined: JoinedAppends, *calls: str) -> list[asyncio.Task[list[bool]]]:
    """Writers that began one after another and got as far as they can; each letter is a commit."""
    tasks = []
    for streams in calls:
        tasks.append(asyncio.create_task(joined.append([a_commit(stream) for stream in streams])))
        await asyncio.sleep(0.001)
    return tasks


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
def joined(log: Log) -> JoinedAppends:
    return JoinedAppends(log.take)


async def test_who_waits_while_others_are_on_their_way_leaves_with_all_that_wait(
    log: Log, joined: JoinedAppends
) -> None:
    tasks = await waiting(joined, "a", "b", "cd", "e")
    assert log.sent == [["a"]]
    log.let.set()
    assert await asyncio.gather(*tasks) == [[True], [True], [True, True], [True]]
    assert log.sent[1:] == [["b", "c", "d", "e"]]


async def test_each_is_told_what_became_of_its_own_and_what_comes_after_a_taken_one_goes_on(
    log: Log, joined: JoinedAppends
) -> None:
    log.had = {"c", "d", "g"}
    tasks = await waiting(joined, "a", "bcd", "ef", "g")
    log.let.set()
    assert await asyncio.gather(*tasks) == [[True], [True, False, False], [True, True], [False]]
    assert log.sent == [["a"], [*"bcdefg"], [*"defg"], [*"efg"]]


async def test_all_leave_in_the_order_of_their_ids_whoever_came_first(log: Log, joined: JoinedAppends) -> None:
    tasks = await waiting(joined, "a", "dxb", "c")
    log.had = {"c", "x"}
    log.let.set()
    assert await asyncio.gather(*tasks) == [[True], [True, False, True], [False]]
    assert log.sent[1:] == [[*"bcdx"], [*"dx"]]


async def test_two_of_one_id_never_leave_together_and_one_of_them_wins(log: Log, joined: JoinedAppends) -> None:
    tasks = await waiting(joined, "a", "b", "c", "c", "dc")
    log.let.set()
    assert await asyncio.gather(*tasks) == [[True], [True], [True], [False], [True, False]]
    assert all(len(set(streams)) == len(streams) for streams in log.sent)


async def test_no_more_leave_together_than_a_server_takes_quickly_unless_they_came_together(
    log: Log, joined: JoinedAppends
) -> None:
    tasks = [asyncio.create_task(joined.append([a_commit(f"{number}")])) for number in range(3 * TOGETHER)]
    many = asyncio.create_task(joined.append([a_commit(f"many {number}") for number in range(2 * TOGETHER)]))
    log.let.set()
    assert await asyncio.gather(*tasks) == [[True]] * 3 * TOGETHER
    assert await many == [True] * 2 * TOGETHER
    assert sorted(map(len, log.sent)) == [*[TOGETHER] * 3, 2 * TOGETHER]


async def test_all_that_left_together_hear_of_a_failure_and_the_next_go_on(log: Log, joined: JoinedAppends) -> None:
    log.fails = True
    tasks = await waiting(joined, *"abcd")
    log.let.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Unavailable] * 4
    log.fails = False
    assert await joined.append([a_commit("e")]) == [True]


async def test_who_is_cancelled_on_the_way_takes_nobody_along(log: Log, joined: JoinedAppends) -> None:
    tasks = await waiting(joined, *"abcd")
    tasks[0].cancel()
    tasks[3].cancel()
    log.let.set()
    await asyncio.wait(tasks)
    assert [task.cancelled() or task.result() for task in tasks] == [True, [True], [True], True]
    assert log.had == {"a", "b", "c"}
