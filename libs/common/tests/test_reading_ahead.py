"""A long log read in pages, the next of which are looked for while one is worked on."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from atelier_common.commit import Commit
from atelier_common.errors import Unavailable
from atelier_common.reading_ahead import ReadingAhead

PAGE = 3


class Store:
    """A log of so many commits, which answers when it is let; ``known`` is how far it is known to reach."""

    def __init__(self, length: int, known: int | None = None) -> None:
        self.length = length
        self.known = length if known is None else known
        self.asked: list[int] = []
        self.let = asyncio.Event()
        self.let.set()
        self.fails = False

    def known_head(self, _tenant: str) -> int:
        return self.known

    async def read_log(self, tenant: str, after: int, limit: int) -> list[Commit]:
        self.asked.append(after)
        await self.let.wait()
        if self.fails:
            raise Unavailable("away")
        until = min(self.length, after + limit)
        return [
            Commit(tenant, "s", at, (), "c", "", None, "a", 0, "c", (), None, at) for at in range(after + 1, until + 1)
        ]


def ahead(store: Store, after: int = 0, most: int = 100) -> ReadingAhead:
    return ReadingAhead(store, "t", after, PAGE, most)  # type: ignore[arg-type]  # all that it asks of a store


async def pages(reading: ReadingAhead) -> AsyncIterator[list[int]]:
    while page := await reading.next():
        yield [commit.position for commit in page]


async def test_pages_come_in_order_and_without_a_hole() -> None:
    assert [page async for page in pages(ahead(Store(8), after=1))] == [[2, 3, 4], [5, 6, 7], [8]]


async def test_two_pages_are_looked_for_while_nobody_waits() -> None:
    store = Store(100)
    reading = ahead(store)
    reading.ask()
    await asyncio.sleep(0)
    assert store.asked == [0, 3]
    await reading.close()


async def test_nothing_is_asked_for_behind_what_is_known() -> None:
    store = Store(100, known=6)
    assert [page async for page in pages(ahead(store))] == [[1, 2, 3], [4, 5, 6]]
    assert store.asked == [0, 3]


async def test_it_ends_behind_a_short_page_however_far_the_log_has_come_meanwhile() -> None:
    store = Store(4, known=9)
    reading = ahead(store)
    found = [await reading.next()]
    store.length = 9
    found += [await reading.next(), await reading.next()]
    assert [[commit.position for commit in page] for page in found] == [[1, 2, 3], [4], []]


@pytest.mark.parametrize(("most", "read"), [(3, 3), (4, 6), (6, 6)])
async def test_it_reads_no_further_than_the_page_in_which_it_has_to_end(most: int, read: int) -> None:
    assert sum([len(page) async for page in pages(ahead(Store(100), most=most))]) == read


async def test_what_the_store_raises_is_told_and_nothing_is_left_running() -> None:
    store = Store(100)
    store.fails = True
    reading = ahead(store)
    with pytest.raises(Unavailable):
        await reading.next()
    await reading.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_what_is_on_its_way_is_given_up_when_it_is_closed() -> None:
    store = Store(100)
    store.let.clear()
    reading = ahead(store)
    reading.ask()
    await asyncio.sleep(0)
    await reading.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}
