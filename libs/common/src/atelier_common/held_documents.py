"""What the process that leads a build remembers of its documents, so that reading them again asks nobody.

Only the leader writes a build. So what it has written, or read and not written since, is what the documents hold, for as long as it
leads; reads are answered from here then, as they would be by the documents at that moment.

What a leader before this one still writes late lies behind the cursor that this one has claimed. So a tenant's documents are held from
then on only, and this leader comes to the same events itself: it writes the documents anew, or finds them written and says so (``doubt``).
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import orjson

from atelier_common.documents.port import Body, Documents, Replace

_LONGEST_SCAN_HELD = 100
"""Documents of one scan. What is longer is a report, not a question that comes again with every result."""

_Slot = tuple[str, str]
"""(tenant, document's id)."""
_Scan = tuple[str, str, str | None]
"""(tenant, field, the value it equals); by ``_id`` without a value: all documents of the tenant."""


class _Document:
    """A document that is durable. Whoever asks gets a copy that is their own."""

    __slots__ = ("_body", "_encoded")

    def __init__(self, body: Body) -> None:
        self._body: Body | None = body
        self._encoded = b""

    def copy(self) -> Body:
        if self._body is not None:
            self._encoded, self._body = orjson.dumps(self._body), None
        found: Body = orjson.loads(self._encoded)
        return found


class HeldDocuments:
    """Documents of one build by id and, for scans by equality, by what was scanned for: at most ``remembered`` of each, those not asked
    for the longest go first.

    What is read while something is written is not kept: it may be older than what was written.
    """

    def __init__(self, documents: Documents, collection: str, *, remembered: int = 2_000) -> None:
        self._documents = documents
        self.collection = collection
        self._remembered = remembered
        self._by_id: OrderedDict[_Slot, _Document | None] = OrderedDict()
        self._scans: OrderedDict[_Scan, dict[str, _Document]] = OrderedDict()
        self._tenants: set[str] = set()
        self._changes = 0

    def begin(self, tenant: str) -> None:
        """This process has claimed the cursor of this tenant's log."""
        self._tenants.add(tenant)

    def holds(self, tenant: str) -> bool:
        """Whether reads of this tenant may be answered from here."""
        return tenant in self._tenants

    def wrote(self, writes: Sequence[Replace]) -> None:
        """These documents are durable now."""
        self._changes += 1
        for write in writes:
            document = _Document(write.body)
            self._keep((write.tenant, write.id), document)
            for (tenant, field, value), found in self._scans.items():
                if tenant != write.tenant:
                    continue
                if value is None or write.body.get(field) == value:
                    found[write.id] = document
                else:
                    found.pop(write.id, None)
        self._bound()

    def doubt(self, tenant: str, id: str) -> None:
        """Somebody else has written this document: what is remembered of it may be older."""
        self._changes += 1
        self._by_id.pop((tenant, id), None)
        for scan in [scan for scan in self._scans if scan[0] == tenant]:
            del self._scans[scan]

    def forget(self) -> None:
        """Others may have written everything."""
        self._changes += 1
        self._tenants.clear()
        self._by_id.clear()
        self._scans.clear()

    async def find_many(self, tenant: str, ids: Sequence[str]) -> dict[str, Body]:
        """Those that exist, by id."""
        held: dict[str, _Document | None] = {}
        asked: list[str] = []
        for id in dict.fromkeys(ids):
            slot = (tenant, id)
            if slot in self._by_id:
                self._by_id.move_to_end(slot)
                held[id] = self._by_id[slot]
            else:
                asked.append(id)
        if asked:
            changes = self._changes
            found = await self._documents.find_many(tenant, self.collection, asked)
            for id in asked:
                held[id] = _Document(found[id]) if id in found else None
                if changes == self._changes:
                    self._keep((tenant, id), held[id])
        return {id: document.copy() for id, document in held.items() if document is not None}

    async def scan(
        self, tenant: str, field: str, low: Any, high: Any, limit: int, descending: bool
    ) -> list[tuple[str, Body]]:
        """As the document port's."""
        everything = field == "_id" and low is None and high is None
        equal = isinstance(low, str) and low == high and field != "_id"
        if descending or not (everything or equal):
            return await self._documents.scan(tenant, self.collection, field, low, high, limit, descending)
        wanted: _Scan = (tenant, field, low)
        held = self._scans.get(wanted)
        if held is None:
            changes = self._changes
            found = await self._documents.scan(tenant, self.collection, field, low, high, limit, descending)
            if len(found) == limit or len(found) > _LONGEST_SCAN_HELD or changes != self._changes:
                return found
            held = self._scans[wanted] = {id: _Document(body) for id, body in found}
            self._bound()
        else:
            self._scans.move_to_end(wanted)
        return [(id, held[id].copy()) for id in sorted(held)[:limit]]

    def _bound(self) -> None:
        grown = [wanted for wanted, found in self._scans.items() if len(found) > _LONGEST_SCAN_HELD]
        for wanted in grown:
            del self._scans[wanted]
        while sum(map(len, self._scans.values())) > self._remembered:
            self._scans.popitem(last=False)

    def _keep(self, slot: _Slot, document: _Document | None) -> None:
        self._by_id[slot] = document
        self._by_id.move_to_end(slot)
        if len(self._by_id) > self._remembered:
            self._by_id.popitem(last=False)
