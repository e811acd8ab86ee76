"""Commands that are accepted together or not at all."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from atelier_common.commands import Accepted, Commands, Request
from atelier_common.commit import Context
from atelier_common.decider import Decider
from atelier_common.errors import CommandIdReused, RuleBroken
from atelier_common.events import EventRegistry
from atelier_common.eventstore.sqlite import SqliteEventStore
from atelier_common.sqlite.database import SqliteDatabase

registry = EventRegistry()


@dataclass(frozen=True, slots=True)
class PutIn:
    amount: int
    now: int = 0


@registry.event("jar.filled")
@dataclass(frozen=True, slots=True)
class Filled:
    amount: int


def decide(command: PutIn, state: int) -> list[Filled]:
    if state + command.amount > 100:
        raise RuleBroken("the jar would overflow")
    return [Filled(command.amount)]


JAR: Decider[PutIn, int, Filled] = Decider(
    "jar", registry, lambda: 0, decide, lambda state, event: state + event.amount
)


def put(key: str, amount: int, command_id: str) -> Request:
    return Request(JAR, key, PutIn(amount), Context("fictional", "tester", command_id, 1))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteEventStore]:
    store = SqliteEventStore(SqliteDatabase(tmp_path / "log.sqlite"))
    await store.start()
    yield store
    await store.close()


async def test_all_are_accepted_where_none_is_refused(store: SqliteEventStore) -> None:
    outcomes = await Commands(store).execute_together([put("a", 60, "c1"), put("a", 40, "c2"), put("b", 1, "c3")])
    accepted = [(one.stream, one.version) for one in outcomes if isinstance(one, Accepted)]
    assert accepted == [("jar/a", 1), ("jar/a", 2), ("jar/b", 1)]
    assert await store.head("fictional") == 3


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_where_one_is_refused_nothing_is_appended(store: SqliteEventStore, place: int) -> None:
    requests = [put("a", 60, "c1"), put("b", 1, "c2")]
    requests.insert(place, put("c", 101, "c3"))
    commands = Commands(store)
    outcomes = await commands.execute_together(requests)
    assert [type(outcome) for outcome in outcomes] == [RuleBroken if at == place else type(None) for at in range(3)]
    assert await store.head("fictional") == 0
    assert await commands.load(JAR, "fictional", "a") == (0, 0)


async def test_what_was_accepted_before_is_answered_again_and_refuses_under_other_content(
    store: SqliteEventStore,
) -> None:
    commands = Commands(store)
    await commands.execute(put("a", 60, "c1"))
    first, second = await commands.execute_together([put("a", 60, "c1"), put("b", 1, "c2")])
    assert isinstance(first, Accepted) and first.repeated
    assert isinstance(second, Accepted) and not second.repeated
    refused, untried = await commands.execute_together([put("a", 61, "c1"), put("b", 1, "c3")])
    assert isinstance(refused, CommandIdReused)
    assert untried is None
    assert await store.head("fictional") == 2


async def test_what_was_not_tried_is_accepted_when_it_comes_again_alone(store: SqliteEventStore) -> None:
    commands = Commands(store)
    await commands.execute_together([put("a", 60, "c1"), put("b", 101, "c2")])
    assert (await commands.execute(put("a", 60, "c1"))).repeated is False
