"""The kernel on a real server of the MongoDB protocol: every suite that memory and SQLite meet."""

import uuid

import pytest
from atelier_common.conformance.appending import AppendingSuite
from atelier_common.conformance.commands import CommandsSuite
from atelier_common.conformance.consuming import ConsumingSuite
from atelier_common.conformance.documents import DocumentsSuite
from atelier_common.conformance.eventstore import DurableEventStoreSuite
from atelier_common.conformance.keyring import KeyringSuite
from atelier_common.conformance.lease import LeaseSuite
from atelier_common.conformance.notes import Log
from atelier_common.conformance.parked_keys import ParkedKeysSuite
from atelier_common.conformance.publishing import PublishingSuite
from atelier_common.conformance.reacting import ReactingSuite
from atelier_common.conformance.rebuilding import RebuildingSuite
from atelier_common.conformance.restoring import RestoringSuite
from atelier_common.conformance.running import RunningSuite
from atelier_common.conformance.sequencing import SequencingSuite
from atelier_common.conformance.timers import TimersSuite
from atelier_common.conformance.working import WorkingSuite
from atelier_common.documents.mongo import DRIVERS, MongoDocuments, connect
from atelier_common.documents.port import Documents
from atelier_common.eventstore.documents import DocumentEventStore
from atelier_common.eventstore.port import EventStore

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module", autouse=True)
def _server(mongo_address: str) -> None:
    _OnMongo.address = mongo_address


class _OnMongo:
    """Databases of the test's own, dropped after it."""

    driver = DRIVERS[0]
    address: str

    @pytest.fixture(autouse=True)
    async def _dropped(self) -> object:
        yield
        for documents in self.__dict__.get("made", ()):
            await documents.drop()
            await documents.close()

    def documents_of(self, database: str) -> MongoDocuments:
        made = connect(self.address, database, self.driver)
        self.__dict__.setdefault("made", []).append(made)
        return made

    async def make_documents(self) -> Documents:
        return self.documents_of(f"test_{uuid.uuid4().hex}")

    async def make_log(self) -> Log:
        documents = await self.make_documents()
        return Log(DocumentEventStore(documents), documents)


class TestDocumentsByMotor(_OnMongo, DocumentsSuite):
    driver = "motor"


class TestDocumentsByPymongo(_OnMongo, DocumentsSuite):
    driver = "pymongo"


class TestEventStoreByMotor(_OnMongo, DurableEventStoreSuite):
    driver = "motor"

    async def make_store(self) -> EventStore:
        self.database = f"test_{uuid.uuid4().hex}"
        return DocumentEventStore(self.documents_of(self.database))

    async def reopen(self) -> EventStore:
        return DocumentEventStore(self.documents_of(self.database))


class TestEventStoreByPymongo(TestEventStoreByMotor):
    driver = "pymongo"


class TestCommandsOnMongo(_OnMongo, CommandsSuite):
    async def make_store(self) -> EventStore:
        return DocumentEventStore(await self.make_documents())


class TestAppendingOnMongo(_OnMongo, AppendingSuite):
    pass


class TestSequencingOnMongo(_OnMongo, SequencingSuite):
    pass


class TestLeaseOnMongo(_OnMongo, LeaseSuite):
    pass


class TestTimersOnMongo(_OnMongo, TimersSuite):
    pass


class TestKeyringOnMongo(_OnMongo, KeyringSuite):
    pass


class TestPublishingOnMongo(_OnMongo, PublishingSuite):
    pass


class TestConsumingOnMongo(_OnMongo, ConsumingSuite):
    pass


class TestParkedKeysOnMongo(_OnMongo, ParkedKeysSuite):
    pass


class TestRestoringOnMongo(_OnMongo, RestoringSuite):
    pass


class TestRunningOnMongo(_OnMongo, RunningSuite):
    pass


class TestReactingOnMongo(_OnMongo, ReactingSuite):
    pass


class TestWorkingOnMongo(_OnMongo, WorkingSuite):
    pass


class TestRebuildingOnMongo(_OnMongo, RebuildingSuite):
    pass
