"""The thinnest thread through the kernel on SQLite: commands, log, a projection, a reaction."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest
from atelier_common.commands import Commands, Request
from atelier_common.commit import Context, RecordedEvent
from atelier_common.decider import Decider
from atelier_common.documents.sqlite import SqliteDocuments
from atelier_common.errors import CommandIdReused, PreconditionFailed, RuleBroken
from atelier_common.events import EventRegistry
from atelier_common.eventstore.sqlite import SqliteEventStore
from atelier_common.projecting import ProjectionRunner
from atelier_common.projection import Projection, ReadModel, by_stream_key
from atelier_common.reacting import ReactionRunner
from atelier_common.reaction import Issue, Reaction, each
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
    return [Filled(command.amount)] if command.amount else []


JAR: Decider[PutIn, int, Filled] = Decider(
    "jar", registry, lambda: 0, decide, lambda state, event: state + event.amount
)


def context(command_id: str) -> Context:
    return Context("fictional", "tester", command_id, 1)


def put(key: str, amount: int, command_id: str, expected: int | None = None) -> Request:
    return Request(JAR, key, PutIn(amount), context(command_id), expected)


class Rig:
    def __init__(self, path: Path) -> None:
        self.database = SqliteDatabase(path / "log.sqlite")
        self.documents = SqliteDocuments(self.database)
        self.store = SqliteEventStore(self.database)
        self.commands = Commands(self.store)


@pytest.fixture
async def rig(tmp_path: Path):
    rig = Rig(tmp_path)
    await rig.store.start()
    yield rig
    await rig.store.close()


async def test_a_command_is_accepted_once_and_answered_again(rig: Rig) -> None:
    first = await rig.commands.execute(put("a", 5, "c1"))
    again = await rig.commands.execute(put("a", 5, "c1"))
    assert (first.version, first.repeated, again.version, again.repeated) == (1, False, 1, True)
    assert len(await rig.store.read_stream("fictional", "jar/a")) == 1


async def test_the_same_id_with_other_content_is_refused(rig: Rig) -> None:
    await rig.commands.execute(put("a", 5, "c1"))
    with pytest.raises(CommandIdReused):
        await rig.commands.execute(put("a", 6, "c1"))


async def test_an_accepted_no_op_is_a_commit_too(rig: Rig) -> None:
    accepted = await rig.commands.execute(put("a", 0, "c1"))
    assert (accepted.version, accepted.events) == (1, ())


async def test_one_batch_may_hold_two_commands_of_one_stream_a_refusal_and_a_twin(rig: Rig) -> None:
    outcomes = await rig.commands.execute_many(
        [put("a", 60, "c1"), put("a", 60, "c2"), put("a", 40, "c3"), put("a", 60, "c1"), put("b", 1, "c4")]
    )
    assert isinstance(outcomes[1], RuleBroken)
    kept = [outcome for outcome in outcomes if not isinstance(outcome, Exception)]
    assert [(one.stream, one.version, one.repeated) for one in kept] == [
        ("jar/a", 1, False),
        ("jar/a", 2, False),
        ("jar/a", 1, True),
        ("jar/b", 1, False),
    ]


async def test_an_edit_of_something_that_changed_is_refused(rig: Rig) -> None:
    await rig.commands.execute(put("a", 1, "c1"))
    with pytest.raises(PreconditionFailed):
        await rig.commands.execute(put("a", 1, "c2", expected=0))


async def test_two_copies_of_a_command_at_once_make_one_commit(rig: Rig) -> None:
    other = Commands(rig.store)
    outcomes = await asyncio.gather(
        *(commands.execute(put("a", 5, "same")) for commands in (rig.commands, other) for _ in range(10))
    )
    assert {outcome.version for outcome in outcomes} == {1}
    assert sum(not outcome.repeated for outcome in outcomes) == 1
    assert len(await rig.store.read_stream("fictional", "jar/a")) == 1


async def test_two_services_racing_on_a_stream_lose_nothing(rig: Rig) -> None:
    other = Commands(rig.store)
    outcomes = await asyncio.gather(
        *((rig.commands, other)[place % 2].execute(put("a", 1, f"c{place}")) for place in range(40))
    )
    assert sorted(outcome.version for outcome in outcomes) == list(range(1, 41))
    assert (await Commands(rig.store).load(JAR, "fictional", "a")) == (40, 40)


def total(document: dict | None, event: RecordedEvent, _key: str) -> dict:
    return {"total": (document or {"total": 0})["total"] + event.event.amount}


TOTALS = Projection("totals", 1, by_stream_key, total, types=frozenset({"jar.filled"}))


async def overflow(event: RecordedEvent) -> list[Issue]:
    return [Issue(event, JAR, "mirror", PutIn(event.event.amount))] if event.stream != "jar/mirror" else []


async def test_a_projection_and_a_reaction_follow_the_log(rig: Rig) -> None:
    model = ReadModel(TOTALS, rig.documents, rig.store)
    runners = [
        ProjectionRunner(TOTALS, rig.store, rig.documents, registry, model),
        ReactionRunner(
            Reaction("when_filled_then_mirror", frozenset({"jar.filled"}), each(overflow), after=("totals",)),
            rig.store,
            rig.documents,
            registry,
            rig.commands,
            [model],
        ),
    ]
    tasks = [asyncio.create_task(runner.run(1)) for runner in runners]
    try:
        await rig.commands.execute_many([put(f"k{place % 3}", 1, f"c{place}") for place in range(30)])
        mirrored = None
        for _ in range(200):
            mirrored = await model.get("fictional", "mirror")
            if mirrored == {"total": 30}:
                break
            await asyncio.sleep(0.01)
        assert mirrored == {"total": 30}
        assert await model.get("fictional", "k0") == {"total": 10}
        assert await model.get("another", "k0") is None
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_commit_that_fails_fails_every_append_in_it_and_nothing_is_written(tmp_path: Path) -> None:
    failing = True

    def commit(connection) -> None:
        if failing:
            raise OSError("no space left on the disk")
        connection.commit()

    database = SqliteDatabase(tmp_path / "log.sqlite", commit=commit)
    store = SqliteEventStore(database)
    commands = Commands(store)
    failing = False
    await store.start()
    await commands.execute(put("a", 1, "c0"))
    failing = True
    outcomes = await asyncio.gather(
        *(commands.execute(put(f"k{place}", 1, f"c{place}")) for place in range(10)), return_exceptions=True
    )
    assert all(isinstance(outcome, Exception) for outcome in outcomes)
    failing = False
    assert await store.head("fictional") == 1
    accepted = await commands.execute(put("k1", 1, "c1"))
    assert (accepted.version, accepted.position, accepted.repeated) == (1, 2, False)
    await store.close()
