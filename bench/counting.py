"""The aggregate that append and fold measure, written once for the kernel and once for the `eventsourcing` package."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from atelier_common.decider import Decider
from atelier_common.events import EventRegistry
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.sqlite import SQLiteFactory

NOTE = "a learner solved the third of five tasks without help and explained the way to it"

registry = EventRegistry()


@registry.event("Added")
@dataclass(frozen=True, slots=True)
class Added:
    note: str
    at: int


@dataclass(frozen=True, slots=True)
class Add:
    note: str
    now: int


@dataclass(frozen=True, slots=True)
class Count:
    count: int = 0
    letters: int = 0


def _decide(command: Add, _state: Count) -> Sequence[Added]:
    return (Added(command.note, command.now),)


def _evolve(state: Count, added: Added) -> Count:
    return Count(state.count + 1, state.letters + len(added.note))


COUNTING: Decider[Add, Added, Count] = Decider("counting", registry, Count, _decide, _evolve)


class Tally(Aggregate):  # type: ignore[misc]  # the package gives no types for its decorators
    """The same, in the package's own words."""

    def __init__(self) -> None:
        self.count = 0
        self.letters = 0

    @event("Added")
    def add(self, note: str) -> None:
        self.count += 1
        self.letters += len(note)


class Recorder(Application):  # type: ignore[misc]  # as above
    """The package's application on its SQLite module, everything as it comes."""


def reference_application(path: Path) -> Recorder:
    """On a file. Nothing is cached and nothing snapshotted, which is the package's default."""
    return Recorder(
        env={
            "PERSISTENCE_MODULE": "eventsourcing.sqlite",
            "SQLITE_DBNAME": str(path),
            "SQLITE_LOCK_TIMEOUT": "30",
        }
    )


def durability(path: Path) -> str:
    """What the package's own connections are set to. Raises AssertionError where they are less durable than ours."""
    application = reference_application(path)
    application.save(Tally())
    factory = application.factory
    assert isinstance(factory, SQLiteFactory)
    with factory.datastore.transaction(commit=False) as cursor:
        cursor.execute("PRAGMA journal_mode")
        (journal,) = tuple(cursor.fetchone())
        cursor.execute("PRAGMA synchronous")
        (synchronous,) = tuple(cursor.fetchone())
    application.close()
    assert (journal, synchronous) == ("wal", 2), f"the reference is not as durable: {journal}, {synchronous}"
    return f"journal {journal}, synchronous {synchronous} (2 is FULL)"
