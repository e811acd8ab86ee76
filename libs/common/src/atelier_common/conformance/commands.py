"""What every event store must let :class:`atelier_common.commands.Commands` promise, in one process and in several.

Two ``Commands`` over one store are two processes: what one has written the other has in memory as it was before.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pytest

from atelier_common.commands import Accepted, Commands, Request
from atelier_common.commit import Commit, Context
from atelier_common.conformance.material import TENANT
from atelier_common.decider import Decider
from atelier_common.errors import CommandIdReused, PreconditionFailed, RuleBroken
from atelier_common.events import EventRegistry
from atelier_common.eventstore.port import EventStore

registry = EventRegistry()


@dataclass(frozen=True, slots=True)
class Move:
    """So many marbles into a jar, or out of it."""

    marbles: int
    now: int = 0


@registry.event("jar.moved")
@dataclass(frozen=True, slots=True)
class Moved:
    marbles: int


def _decide(command: Move, held: int) -> list[Moved]:
    if not 0 <= held + command.marbles <= 100:
        raise RuleBroken(f"a jar holds none to a hundred marbles, not {held + command.marbles}")
    return [Moved(command.marbles)]


JAR: Decider[Move, int, Moved] = Decider("jar", registry, lambda: 0, _decide, lambda held, event: held + event.marbles)


def move(key: str, marbles: int, command_id: str, expected_version: int | None = None) -> Request:
    return Request(JAR, key, Move(marbles), Context(TENANT, "tester", command_id, 1), expected_version)


def opening(key: str, marbles: int, command_id: str) -> Request:
    return move(key, marbles, command_id)._replace(opening=True)


class Asked:
    """Counts how often a store is asked for streams."""

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self.count = 0

    async def read_stream(self, tenant: str, stream: str, after: int = 0, limit: int | None = None) -> list[Commit]:
        self.count += 1
        return await self._store.read_stream(tenant, stream, after, limit)

    async def read_streams(self, tenant: str, streams: Iterable[str]) -> dict[str, list[Commit]]:
        self.count += 1
        return await self._store.read_streams(tenant, streams)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class CommandsSuite:
    """Subclass it and give :meth:`make_store`; the suite starts the store and closes it."""

    async def make_store(self) -> EventStore:
        """An empty event store, not started."""
        raise NotImplementedError

    @pytest.fixture
    async def store(self) -> Any:
        store = await self.make_store()
        await store.start()
        yield store
        await store.close()

    async def test_together_all_are_accepted_where_none_is_refused(self, store: EventStore) -> None:
        outcomes = await Commands(store).execute_together(
            [move("a", 60, "c1"), move("a", 40, "c2"), move("b", 1, "c3")]
        )
        accepted = [(one.stream, one.version) for one in outcomes if isinstance(one, Accepted)]
        assert accepted == [("jar/a", 1), ("jar/a", 2), ("jar/b", 1)]

    @pytest.mark.parametrize("place", [0, 1, 2])
    async def test_together_nothing_is_appended_where_one_is_refused(self, store: EventStore, place: int) -> None:
        requests = [move("a", 60, "c1"), move("b", 1, "c2")]
        requests.insert(place, move("c", 101, "c3"))
        commands = Commands(store)
        outcomes = await commands.execute_together(requests)
        assert [type(outcome) for outcome in outcomes] == [RuleBroken if at == place else type(None) for at in range(3)]
        assert [await commands.load(JAR, TENANT, key) for key in "abc"] == [(0, 0)] * 3

    async def test_together_what_was_accepted_before_is_answered_again(self, store: EventStore) -> None:
        commands = Commands(store)
        await commands.execute(move("a", 60, "c1"))
        first, second = await commands.execute_together([move("a", 60, "c1"), move("b", 1, "c2")])
        assert isinstance(first, Accepted) and first.repeated
        assert isinstance(second, Accepted) and not second.repeated
        refused, untried = await commands.execute_together([move("a", 61, "c1"), move("b", 1, "c3")])
        assert isinstance(refused, CommandIdReused)
        assert untried is None
        assert await commands.load(JAR, TENANT, "b") == (1, 1)

    async def test_what_was_not_tried_is_accepted_when_it_comes_again_alone(self, store: EventStore) -> None:
        commands = Commands(store)
        await commands.execute_together([move("a", 60, "c1"), move("b", 101, "c2")])
        assert (await commands.execute(move("a", 60, "c1"))).repeated is False

    async def test_a_state_is_shown_as_another_process_left_it(self, store: EventStore) -> None:
        here, there = Commands(store), Commands(store)
        await here.execute(move("a", 10, "c1"))
        await there.execute(move("a", 20, "c2"))
        await there.execute(move("a", 30, "c3"))
        assert await here.load(JAR, TENANT, "a") == (60, 3)
        assert (await here.execute(move("a", 30, "c3"))).repeated

    async def test_nothing_is_refused_for_what_another_process_has_changed(self, store: EventStore) -> None:
        here, there = Commands(store), Commands(store)
        await here.execute(move("a", 90, "c1"))
        await there.execute(move("a", -50, "c2"))
        accepted = await here.execute(move("a", 20, "c3"))
        assert (accepted.version, await here.load(JAR, TENANT, "a")) == (3, (60, 3))

    async def test_what_another_process_accepted_is_not_refused_when_it_comes_again(self, store: EventStore) -> None:
        here, there = Commands(store), Commands(store)
        await here.execute(move("a", 40, "c1"))
        await there.execute(move("a", 60, "c2"))
        await there.execute(move("a", -100, "c3"))
        again = await here.execute(move("a", -100, "c3"))  # of the 40 that are remembered here it could not be taken
        assert again.repeated and again.version == 3

    async def test_whoever_read_what_another_process_wrote_may_change_it(self, store: EventStore) -> None:
        here, there = Commands(store), Commands(store)
        await here.execute(move("a", 10, "c1"))
        await there.execute(move("a", 10, "c2"))
        assert (await here.execute(move("a", 10, "c3", expected_version=2))).version == 3
        await there.execute(move("a", 10, "c4"))
        with pytest.raises(PreconditionFailed, match="version 4, not 3"):
            await here.execute(move("a", 10, "c5", expected_version=3))

    async def test_together_a_state_that_grew_old_refuses_nobody(self, store: EventStore) -> None:
        here, there = Commands(store), Commands(store)
        await here.execute(move("a", 90, "c1"))
        await there.execute(move("a", -90, "c2"))
        outcomes = await here.execute_together([move("b", 1, "c3"), move("a", 100, "c4"), move("a", -1, "c5")])
        assert [(one.stream, one.version) for one in outcomes if isinstance(one, Accepted)] == [
            ("jar/b", 1),
            ("jar/a", 3),
            ("jar/a", 4),
        ]

    async def test_a_lane_keeps_its_order_where_a_state_grew_old(self, store: EventStore) -> None:
        here, there = Commands(store), Commands(store)
        await here.execute(move("a", 90, "c1"))
        await there.execute(move("a", -10, "c2"))
        await here.execute(move("b", 100, "c3"))
        # The first is refused by what is remembered of its jar, and also by what is true of it: so the second has to be.
        requests = [move("a", 50, "c4"), move("b", -100, "c5"), move("c", 1, "c6")]
        outcomes = await here.execute_many(requests, [("lane", 1), ("lane", 2), ("another", 1)])
        assert [type(outcome) for outcome in outcomes] == [RuleBroken, RuleBroken, Accepted]
        assert await here.load(JAR, TENANT, "b") == (100, 1)

    async def test_a_stream_that_is_opened_is_written_without_a_look(self, store: EventStore) -> None:
        asked: Any = Asked(store)
        outcomes = await Commands(asked).execute_many([opening("a", 60, "c1"), opening("b", 1, "c2")])
        assert [outcome.version for outcome in outcomes if isinstance(outcome, Accepted)] == [1, 1]
        assert asked.count == 0
        assert await Commands(store).load(JAR, TENANT, "a") == (60, 1)

    async def test_what_was_taken_for_new_and_is_not_is_decided_on_what_is_there(self, store: EventStore) -> None:
        await Commands(store).execute(move("a", 60, "c1"))
        again, refused, reused, other = await Commands(store).execute_many(
            [opening("a", 60, "c1"), opening("a", 41, "c2"), opening("a", 61, "c1"), opening("b", 1, "c3")]
        )
        assert isinstance(again, Accepted) and again.repeated and again.version == 1
        assert [type(one) for one in (refused, reused, other)] == [RuleBroken, CommandIdReused, Accepted]
        taken = await Commands(store).execute(opening("a", 40, "c4"))
        assert (taken.version, await Commands(store).load(JAR, TENANT, "a")) == (2, (100, 2))

    async def test_nothing_is_refused_because_a_stream_was_taken_for_new(self, store: EventStore) -> None:
        await Commands(store).execute(move("a", 60, "c1"))
        accepted = await Commands(store).execute(opening("a", -60, "c2"))
        assert accepted.version == 2

    async def test_together_nothing_is_taken_for_new(self, store: EventStore) -> None:
        await Commands(store).execute(move("b", 60, "c1"))
        outcomes = await Commands(store).execute_together([opening("a", 1, "c2"), opening("b", 61, "c1")])
        assert [type(outcome) for outcome in outcomes] == [type(None), CommandIdReused]
        assert await Commands(store).load(JAR, TENANT, "a") == (0, 0)

    async def test_several_states_are_one_look_up(self, store: EventStore) -> None:
        await Commands(store).execute(move("b", 60, "c1"))
        asked: Any = Asked(store)
        found = await Commands(asked).load_many(TENANT, [(JAR, "a"), (JAR, "b"), (JAR, "c")])
        assert (found, asked.count) == ([(0, 0), (60, 1), (0, 0)], 1)

    @pytest.mark.parametrize("before", [0, 1])
    async def test_a_state_that_may_be_old_is_looked_up_once_in_a_while(self, store: EventStore, before: int) -> None:
        asked: Any = Asked(store)
        here, there = Commands(asked), Commands(store)
        for number in range(before):
            await there.execute(move("a", 1, f"before {number}"))
        assert await here.load(JAR, TENANT, "a", within=0.2) == (before, before)
        asked.count = 0
        await there.execute(move("a", 10, "c1"))
        assert await here.load(JAR, TENANT, "a", within=60.0) == (before, before)
        assert asked.count == 0
        await asyncio.sleep(0.21)
        assert await here.load(JAR, TENANT, "a", within=0.2) == (before + 10, before + 1)
        assert await here.load(JAR, TENANT, "a") == (before + 10, before + 1)

    @pytest.mark.parametrize("before", [0, 1])
    async def test_a_state_that_may_be_old_shows_what_this_process_did(self, store: EventStore, before: int) -> None:
        asked: Any = Asked(store)
        here = Commands(asked)
        for number in range(before):
            await here.execute(move("a", 1, f"before {number}"))
        await here.load(JAR, TENANT, "a", within=60.0)
        await here.execute(move("a", 10, "c1"))
        asked.count = 0
        assert await here.load(JAR, TENANT, "a", within=60.0) == (before + 10, before + 1)
        assert asked.count == 0
