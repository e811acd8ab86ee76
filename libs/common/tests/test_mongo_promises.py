"""DESIGN.md's promise 3 on a real server: what every single command says that the kernel sends, by either driver."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
from atelier_common.bus.memory import MemoryBus
from atelier_common.clock import SimulatedClock
from atelier_common.commands import Request
from atelier_common.commit import Context
from atelier_common.conformance.material import PATIENCE_SECONDS, TENANT, until
from atelier_common.conformance.notes import START, registry
from atelier_common.conformance.running_world import Note, note_decider, texts
from atelier_common.documents.mongo import DRIVERS, MongoDocuments, connect
from atelier_common.documents.port import Delete, Documents, Insert, Replace, ServerTime
from atelier_common.eventstore.documents import DocumentEventStore
from atelier_common.eventstore.layout import LOG, LOG_INDEXES, LOGS
from atelier_common.follower import CURSORS
from atelier_common.lease import LEASES
from atelier_common.service import Service
from pymongo.monitoring import CommandFailedEvent, CommandListener, CommandStartedEvent, CommandSucceededEvent
from pymongo.read_preferences import Nearest, Primary

pytestmark = pytest.mark.servers

READS, MORE, WRITES, MIGRATIONS = {"find"}, {"getMore"}, {"insert", "update", "delete"}, {"createIndexes"}
NEITHER = {"ping", "endSessions", "killCursors"}
WEAKER = {"readConcernLevel": "local", "w": 1, "journal": False, "readPreference": "nearest"}
"""What an operator's address might ask for; the kernel must not give way to it."""


class Sent(CommandListener):
    """The commands of one client as they went out, each with its collection."""

    def __init__(self) -> None:
        self.commands: list[tuple[str, str, Mapping[str, Any]]] = []

    def started(self, event: CommandStartedEvent) -> None:
        name, command = event.command_name, event.command
        self.commands.append((name, str(command["collection" if name in MORE else name]), dict(command)))

    def succeeded(self, event: CommandSucceededEvent) -> None:
        """Of no interest."""

    def failed(self, event: CommandFailedEvent) -> None:
        """Of no interest."""

    def kinds(self) -> set[tuple[str, str]]:
        return {(name, collection) for name, collection, _ in self.commands}


def faults(name: str, command: Mapping[str, Any]) -> list[str]:
    """What this command says against the promise."""
    found = [f"carries {word}" for word in ("txnNumber", "startTransaction", "autocommit") if word in command]
    if name not in READS | MORE | WRITES | MIGRATIONS | NEITHER:
        found.append("is none that the kernel needs")
    if name in WRITES | MIGRATIONS and command.get("writeConcern") != {"w": "majority", "j": True}:
        found.append(f"has the write concern {command.get('writeConcern')}")
    if name in READS and command.get("readConcern", {}).get("level") != "majority":
        found.append(f"has the read concern {command.get('readConcern')}")
    # To the only server it was given, the driver says «primary» in these two words or in none.
    if command.get("$readPreference", {}).get("mode", "primary") not in ("primary", "primaryPreferred"):
        found.append(f"reads from {command['$readPreference']}")
    if name not in NEITHER and "lsid" not in command:
        found.append("stands outside the session that keeps reads from going back in time")
    return found


Watched = tuple[MongoDocuments, Sent]


@pytest.fixture(params=DRIVERS)
async def watched(request: pytest.FixtureRequest, mongo_address: str) -> AsyncIterator[Watched]:
    name, sent = f"test_{uuid.uuid4().hex}", Sent()
    documents = connect(mongo_address, name, request.param, event_listeners=[sent], **WEAKER)
    yield documents, sent
    await documents.close()
    rest = connect(mongo_address, name, request.param)
    await rest.drop()
    await rest.close()


async def lead_a_service(documents: MongoDocuments) -> None:
    """Commands, their look-up, sequencer, lease, projection, cursor, timers: what a replica does all day."""
    store = DocumentEventStore(documents)
    clock, known = SimulatedClock(START), registry()
    service = Service("notes", known, store=store, documents=documents, bus=MemoryBus(), clock=clock)
    model = service.project(texts())
    await service.start()
    try:
        for number in range(1, 4):
            request = Request(
                note_decider(known), "a", Note(f"{number}"), Context(TENANT, "somebody", f"c{number}", START)
            )
            accepted = await service.commands.execute(request)
            assert (await service.commands.execute(request)).repeated
            await model.caught_up(TENANT, accepted.stream, accepted.version, PATIENCE_SECONDS)
        assert await store.find_command(TENANT, "note/a", "c2")
        assert await store.head(TENANT) == len(await store.read_log(TENANT, 0)) == 3
        await service.idle()

        async def is_cleared() -> bool:
            return not await documents.scan(TENANT, LOG, "pending", limit=1)

        await until(is_cleared)
    finally:
        await service.stop()


async def use_every_write(documents: MongoDocuments) -> None:
    """Every form in which a write goes out: alone, many at once, with the server's time, guarded, against a race."""
    many = [Insert(TENANT, "things", f"{number}", {"n": number}) for number in range(1500)]
    assert await documents.write(many) == [True] * 1500
    assert len(await documents.scan(TENANT, "things", limit=1500)) == 1500
    for write in (
        Insert(TENANT, "things", "now", {"at": ServerTime()}),
        Replace(TENANT, "things", "now", {"at": ServerTime(5)}, upsert=True),
        Replace(TENANT, "things", "new", {"n": 1}, {"n": 1}, upsert=True),
        Replace(TENANT, "things", "new", {"n": 2}, {"n": 1}),
        Delete(TENANT, "things", "new", {"n": 2}),
    ):
        assert await documents.write([write]) == [True]
    assert await documents.write([Replace(TENANT, "things", "1", {"n": 2}, {"n": 3}, upsert=True)]) == [False]
    assert await documents.write([Replace(TENANT, "things", f"{n}", {"n": n}, {"n": 5}) for n in (5, 6)]) == [
        True,
        False,
    ]
    await documents.ensure_index("things", ["n"])


async def test_every_command_says_what_the_promise_says(watched: Watched) -> None:
    documents, sent = watched
    await lead_a_service(documents)
    await use_every_write(documents)
    said = {
        f"{name} {collection} {fault}" for name, collection, command in sent.commands for fault in faults(name, command)
    }
    assert said == set()
    assert sent.kinds() >= {
        *((read, kept) for read in ("find",) for kept in (LOGS, LOG, CURSORS, LEASES, "texts.v1.0")),
        *(("insert", kept) for kept in (LOGS, LOG, "things")),
        *(("update", kept) for kept in (LOG, CURSORS, LEASES, "texts.v1.0", "things")),
        ("delete", "things"),
        ("createIndexes", LOG),
        ("getMore", "things"),
    }


async def test_reads_go_to_the_primary_whatever_the_address_says(watched: Watched) -> None:
    documents, _ = watched
    assert documents._client.read_preference == Nearest()
    # A lone server is never told by its driver, so this is asked of what all commands are made from.
    assert documents._database[LOG].read_preference == Primary()


async def test_all_commands_of_a_client_stand_in_one_session(watched: Watched) -> None:
    documents, sent = watched
    await asyncio.gather(*(documents.find(TENANT, "things", f"{number}") for number in range(20)))
    await use_every_write(documents)
    sessions = {command["lsid"]["id"]: (name, kept) for name, kept, command in sent.commands if name not in NEITHER}
    assert len(sessions) == 1, sessions
    assert len(sent.commands) > 20


_SAID: dict[str, tuple[str, Callable[[dict[str, Any]], object]]] = {
    "a read concern": ("find", lambda command: command.pop("readConcern")),
    "a weaker read concern": ("find", lambda command: command["readConcern"].update(level="local")),
    "a write concern": ("insert", lambda command: command.pop("writeConcern")),
    "the journal": ("update", lambda command: command["writeConcern"].pop("j")),
    "the majority": ("delete", lambda command: command["writeConcern"].update(w=1)),
    "the session": ("find", lambda command: command.pop("lsid")),
    "the primary": ("find", lambda command: command.update({"$readPreference": {"mode": "nearest"}})),
    "no transaction": ("insert", lambda command: command.update(startTransaction=True)),
}


@pytest.mark.parametrize("dropped", _SAID)
async def test_whatever_is_dropped_from_a_command_is_noticed(watched: Watched, dropped: str) -> None:
    documents, sent = watched
    await use_every_write(documents)
    wanted, drop = _SAID[dropped]
    _, _, command = next(one for one in sent.commands if one[0] == wanted)
    changed = {word: dict(said) if isinstance(said, Mapping) else said for word, said in command.items()}
    assert faults(wanted, changed) == []
    drop(changed)
    assert len(faults(wanted, changed)) == 1


@pytest.mark.parametrize("name", ["aggregate", "commitTransaction", "findAndModify"])
def test_a_change_stream_or_a_transaction_is_noticed(name: str) -> None:
    assert faults(name, {name: "things", "lsid": {}}) == ["is none that the kernel needs"]


async def test_four_replicas_migrate_an_empty_database_at_once(mongo_address: str) -> None:
    name = f"test_{uuid.uuid4().hex}"
    replicas = [connect(mongo_address, name, DRIVERS[number % 2]) for number in range(4)]

    async def migrate(documents: Documents) -> None:
        await documents.ensure_index(LOG, LOG_INDEXES)

    try:
        for _ in range(2):  # the second time as after a rolling restart
            await asyncio.gather(*map(migrate, replicas))
        assert await indexes(replicas[0], LOG) == {"_id_", *(f"by_{field}" for field in LOG_INDEXES)}
    finally:
        await replicas[0].drop()
        for documents in replicas:
            await documents.close()


async def indexes(documents: MongoDocuments, collection: str) -> set[str]:
    return set(await documents._database[collection].index_information())
