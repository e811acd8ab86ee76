"""After a service's database was put back from a backup, before any of its processes starts: what makes it a log of its own again.

A restored log has lost its end, and what it says from now on must not be taken for what it said before. It gets a new
incarnation, by which neighbours notice and resynchronise, and it them. Who was erased since the backup is buried again first.
"""

import asyncio
import json
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from atelier_common.documents.mongo import connect
from atelier_common.documents.port import Documents
from atelier_common.errors import InvalidInput, RuleBroken
from atelier_common.eventstore.documents import DocumentEventStore
from atelier_common.lease import Lease
from atelier_common.privacy.keyring import Keyring, Tombstone, load_or_create_master_key
from atelier_common.service import lease_of

from atelier_hosting.settings import Settings

KEY_OWNER = "profile"
_LOOKS_EVERY = 0.2


@dataclass(frozen=True)
class Restored:
    """``incarnations`` by tenant; ``buried`` are those whose erasure the backup did not know, and whose keys are gone again."""

    incarnations: dict[str, str]
    buried: list[Tombstone]


async def restored(service: str, settings: Settings, tombstones: Iterable[Tombstone] = ()) -> Restored:
    """Give every log in the service's database a new incarnation; bury ``tombstones`` again before.

    Raises RuleBroken while a process of the service runs (its lease is waited for as long as one may be silent), InvalidInput
    where there is no log, or tombstones are given for a service that owns no keys.
    """
    marks = list(tombstones)
    if marks and service != KEY_OWNER:
        raise InvalidInput(f"{service} owns no keys; tombstones belong to {KEY_OWNER}", field="tombstones")
    documents = connect(settings.mongo, settings.database, settings.mongo_driver)
    lease = Lease(documents, lease_of(service), f"restoring-{uuid.uuid4()}", settings.lease_ms)
    try:
        await _alone(lease, service)
        store = DocumentEventStore(documents, sequencing=False)
        tenants = await store.tenants()
        if not tenants:
            raise InvalidInput(
                f"the database {settings.database} holds no log: has it been put back?", field="database"
            )
        buried = await _bury(documents, settings, marks)
        return Restored({tenant: await store.renew_incarnation(tenant) for tenant in tenants}, buried)
    finally:
        await lease.release()
        await documents.close()


async def _alone(lease: Lease, service: str) -> None:
    """A lease out of the backup runs out; one that a process holds does not."""
    try:
        async with asyncio.timeout(2 * lease.ttl_ms / 1000):
            while not await lease.acquire():
                await asyncio.sleep(_LOOKS_EVERY)
    except TimeoutError:
        raise RuleBroken(
            f"a process of {service} works on this database: stop them all first", rule="nobody-works"
        ) from None


async def _bury(documents: Documents, settings: Settings, marks: list[Tombstone]) -> list[Tombstone]:
    if not marks:
        return []
    keyring = Keyring(documents, load_or_create_master_key(settings.keys / "master.key"))
    return [mark for mark in marks if await keyring.replay_tombstones([mark])]


async def tombstones(settings: Settings) -> list[Tombstone]:
    """Every erasure that the database of the service that owns the keys knows, to be kept apart from its backups."""
    documents = connect(settings.mongo, settings.database, settings.mongo_driver)
    try:
        keyring = Keyring(documents, load_or_create_master_key(settings.keys / "master.key"))
        tenants = await DocumentEventStore(documents, sequencing=False).tenants()
        return [mark for tenant in tenants for mark in await keyring.tombstones(tenant)]
    finally:
        await documents.close()


def written(marks: Iterable[Tombstone]) -> str:
    """A line of JSON for each."""
    return "".join(json.dumps(asdict(mark)) + "\n" for mark in marks)


def read_back(text: str) -> list[Tombstone]:
    """What ``written`` gave. Raises InvalidInput with the line that is none."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            found.append(Tombstone(**json.loads(line)))
        except (ValueError, TypeError) as wrong:
            raise InvalidInput(f"line {number} is no tombstone", line=number) from wrong
    return found
