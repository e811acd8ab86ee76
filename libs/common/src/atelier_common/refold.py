"""A read model made anew from the log, to be compared with the one that is stored while it goes on changing."""

import hashlib
from dataclasses import dataclass

import orjson

from atelier_common.commit import RecordedEvent
from atelier_common.documents.port import Body, Documents
from atelier_common.events import EventRegistry
from atelier_common.eventstore.port import EventStore
from atelier_common.follower import CURSORS
from atelier_common.opening import Opener, Unreadable
from atelier_common.parking import Parking
from atelier_common.projection import Projection
from atelier_common.sqlite.scratch import Scratch
from atelier_common.violation import Violation

_PAGE = 500
_IN_MEMORY = 5_000
"""Documents of one projection; those of the sample district fit, those of a large one go to a temporary file."""
_RULE = "read models are rebuilds"


@dataclass(frozen=True, slots=True)
class _Moved:
    """A stored document that was written on since the comparison began."""

    watermark: int
    digest: bytes


class Refold:
    """One projection's documents from the log alone, up to where its runner stood when the comparison began.

    :meth:`begin`, then :meth:`take` for every event in order of the log, then :meth:`differences`. Stored documents that went
    on meanwhile are followed to their own watermark. Parked keys wait and are left out.
    """

    def __init__(self, projection: Projection, documents: Documents, tenant: str, in_memory: int = _IN_MEMORY) -> None:
        self.projection = projection
        self._documents = documents
        self._tenant = tenant
        self._folded = Scratch(in_memory)
        self._failed: dict[str, str] = {}
        self._left_out: set[str] = set()
        self._reached = 0

    async def begin(self, collection: str) -> None:
        """Learn how far the runner of ``collection`` has come, and what is parked."""
        cursor = await self._documents.find(self._tenant, CURSORS, _follower(collection))
        self._reached = 0 if cursor is None else int(cursor["position"])
        await self._leave_out(collection)

    async def _leave_out(self, collection: str) -> None:
        self._left_out |= {
            one.key for one in await Parking(self._documents).parked(self._tenant, _follower(collection))
        }

    def take(self, event: RecordedEvent) -> None:
        """Apply the next event of the log, if the runner had come so far."""
        if event.position > self._reached:
            return
        for key in self.projection.keys(event):
            if key not in self._left_out and key not in self._failed:
                self._apply(event, key)

    def _apply(self, event: RecordedEvent, key: str) -> None:
        held = self._folded.get(key)
        try:
            document = self.projection.apply(None if held is None else held[1], event, key)
        except Exception as error:
            self._failed[key] = f"{type(error).__name__} at position {event.position}"
            return
        self._folded.put(key, (event.position, document))

    async def differences(self, collection: str, store: EventStore, registry: EventRegistry) -> list[Violation]:
        """Stored documents that are not what the log gives, or are behind the runner's cursor.

        ``collection`` may be a later build than at the beginning: a build is read only when it has come as far.
        """
        found: dict[str, str] = {}
        moved: dict[str, _Moved] = {}
        onward: dict[str, tuple[int, Body | None]] = {}
        await self._leave_out(collection)
        low: str | None = None
        while page := await self._documents.scan(self._tenant, collection, low=low, limit=_PAGE):
            for key, body in page:
                anew = self._folded.pop(key)
                if body["watermark"] > self._reached:
                    moved[key] = _Moved(body["watermark"], _digest(body))
                    if anew is not None:
                        onward[key] = anew
                elif anew is None or _digest(body) != _digest(_body(*anew)):
                    found[key] = _difference(body["watermark"], None if anew is None else anew[0])
            low = page[-1][0] + "\x00"
        await self._leave_out(collection)
        for key, (watermark, _) in self._folded.items():
            found[key] = _difference(None, watermark)
        self._folded.close()
        await self._follow(moved, onward, store, registry)
        for key, stands in moved.items():
            anew = onward.get(key)
            if anew is None or stands.digest != _digest(_body(*anew)):
                found[key] = _difference(stands.watermark, None if anew is None else anew[0])
        found |= {key: f"applying the log anew fails: {why}" for key, why in self._failed.items()}
        return [
            Violation(_RULE, self._tenant, f"{collection}/{key}", detail)
            for key, detail in found.items()
            if key not in self._left_out
        ]

    async def _follow(
        self,
        moved: dict[str, _Moved],
        onward: dict[str, tuple[int, Body | None]],
        store: EventStore,
        registry: EventRegistry,
    ) -> None:
        """Apply to the documents that went on what came since, each up to its own watermark."""
        opener = Opener(store, registry)
        last, position = max((one.watermark for one in moved.values()), default=0), self._reached
        while position < last and (commits := await store.read_log(self._tenant, position, _PAGE)):
            position = commits[-1].position
            for event in await opener.open(self._tenant, commits, self.projection.types):
                if isinstance(event, Unreadable):
                    continue
                for key in self.projection.keys(event):
                    if key in moved and event.position <= moved[key].watermark:
                        held = onward.get(key)
                        document = self.projection.apply(None if held is None else held[1], event, key)
                        onward[key] = (event.position, document)


def _follower(collection: str) -> str:
    return f"projection:{collection}"


def _body(watermark: int, document: Body | None) -> Body:
    return {**({"deleted": True} if document is None else document), "watermark": watermark}


def _digest(body: Body) -> bytes:
    return hashlib.sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).digest()


def _difference(kept: int | None, anew: int | None) -> str:
    return f"stands at {kept}, and applying the log anew gives {anew}"
