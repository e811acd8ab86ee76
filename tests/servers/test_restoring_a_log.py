"""What `atelier restored` and the backup do to a single log, on a real server of the MongoDB protocol."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from atelier_common.conformance.material import TENANT, append, commit, whole_log
from atelier_common.documents.mongo import MongoDocuments, connect
from atelier_common.errors import InvalidInput, RuleBroken
from atelier_common.eventstore.documents import DocumentEventStore
from atelier_common.lease import Lease
from atelier_common.privacy.keyring import Keyring, Tombstone, load_or_create_master_key
from atelier_common.service import lease_of
from atelier_common.verify import check_log, check_segments
from atelier_hosting.restoring import restored, tombstones
from atelier_hosting.settings import Settings, read
from pymongo import MongoClient

from infra.dev.backup import back_up, put_back

pytestmark = pytest.mark.servers

MARK = Tombstone(TENANT, "lrn_gone", "erasure-request", "request-1")


@pytest.fixture
def settings(tmp_path: Path, mongo_address: str) -> Settings:
    given = {"ATELIER_MONGO": mongo_address, "ATELIER_KAFKA": "none:1", "ATELIER_LEASE_MS": "500"}
    folders = {"ATELIER_KEYS": str(tmp_path), "ATELIER_DATA": str(tmp_path)}
    return read("profile", {**given, **folders, "ATELIER_DATABASE": f"log_{os.urandom(4).hex()}"})


@pytest.fixture
async def documents(settings: Settings) -> AsyncIterator[MongoDocuments]:
    opened = connect(settings.mongo, settings.database)
    yield opened
    await opened.close()
    with MongoClient[Any](settings.mongo) as client:
        client.drop_database(settings.database)
        client.drop_database(f"{settings.database}_again")


async def test_a_restored_log_has_another_incarnation(settings: Settings, documents: MongoDocuments) -> None:
    before = await DocumentEventStore(documents, sequencing=False).incarnation(TENANT)
    done = await restored("profile", settings)
    assert done.incarnations == {TENANT: await DocumentEventStore(documents, sequencing=False).incarnation(TENANT)}
    assert done.incarnations[TENANT] != before
    assert done.buried == []


async def test_nothing_is_touched_while_a_process_of_the_service_works(
    settings: Settings, documents: MongoDocuments
) -> None:
    before = await DocumentEventStore(documents, sequencing=False).incarnation(TENANT)
    assert await Lease(documents, lease_of("profile"), "a process", 60_000).acquire()
    with pytest.raises(RuleBroken, match="stop them all first"):
        await restored("profile", settings, [MARK])
    assert await DocumentEventStore(documents, sequencing=False).incarnation(TENANT) == before
    assert await tombstones(settings) == []


async def test_a_lease_out_of_the_backup_is_waited_for(settings: Settings, documents: MongoDocuments) -> None:
    await DocumentEventStore(documents, sequencing=False).incarnation(TENANT)
    assert await Lease(documents, lease_of("profile"), "of the backup", 600).acquire()
    assert (await restored("profile", settings)).incarnations


async def test_who_was_erased_is_buried_again_and_said_once(settings: Settings, documents: MongoDocuments) -> None:
    await DocumentEventStore(documents, sequencing=False).incarnation(TENANT)
    keyring = Keyring(documents, load_or_create_master_key(settings.keys / "master.key"))
    await keyring.create(TENANT, MARK.subject)
    assert (await restored("profile", settings, [MARK])).buried == [MARK]
    assert await tombstones(settings) == [MARK]
    assert (await restored("profile", settings, [MARK])).buried == []


async def test_an_empty_database_and_tombstones_of_another_service_are_refused(settings: Settings) -> None:
    with pytest.raises(InvalidInput, match="holds no log"):
        await restored("profile", settings)
    with pytest.raises(InvalidInput, match="owns no keys"):
        await restored("pathing", settings, [MARK])


async def test_what_waited_for_its_position_is_in_the_copy_and_gets_one_there(
    settings: Settings, documents: MongoDocuments, tmp_path: Path
) -> None:
    store = DocumentEventStore(documents, idle_seconds=0.02)
    await store.start()
    for version in (1, 2, 3):
        await append(store, commit("note/a", version))
    await whole_log(store, TENANT, 3)
    await store.close()
    waiting = DocumentEventStore(documents, sequencing=False)
    await append(waiting, commit("note/a", 4))
    await append(waiting, commit("note/b", 1))

    back_up(settings.mongo, settings.database, tmp_path / "copy")
    put_back(settings.mongo, f"{settings.database}_again", tmp_path / "copy")
    again = connect(settings.mongo, f"{settings.database}_again")
    try:
        copy = DocumentEventStore(again, idle_seconds=0.02)
        await copy.start()
        found = {(one.stream, one.version) for one in await whole_log(copy, TENANT, 5)}
        await copy.close()
        assert found == {*(("note/a", version) for version in (1, 2, 3, 4)), ("note/b", 1)}
        assert await check_log(copy, TENANT) == []
        assert await check_segments(again, TENANT) == []
    finally:
        await again.close()
    with pytest.raises(ValueError, match="is not empty"):
        put_back(settings.mongo, f"{settings.database}_again", tmp_path / "copy")
