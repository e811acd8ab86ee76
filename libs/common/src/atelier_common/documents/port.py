"""The document port: the few things the kernel asks of a document database.

Insert unique, guarded replace, find by id or by a range of one indexed field, delete. No multi-document transaction, no change
stream. Bodies are plain JSON data with string keys. Every call names its tenant; the kernel's own bookkeeping uses the tenant
whose log it serves, or ``SYSTEM`` where it serves none.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

SYSTEM = "_system"
Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Below:
    """Guard: the field is absent or smaller than ``value``."""

    value: int


@dataclass(frozen=True, slots=True)
class Past:
    """Guard: the field, a time written as :class:`ServerTime`, lies behind the server's clock."""


@dataclass(frozen=True, slots=True)
class ServerTime:
    """As a top-level value of a body: the server's own clock plus ``plus`` milliseconds at the moment of writing."""

    plus: int = 0


Guard = Mapping[str, Any]
"""Top-level field -> the value it must equal, or :class:`Below` or :class:`Past`. An absent document meets no guard."""


@dataclass(frozen=True, slots=True)
class Insert:
    """Write a new document; the outcome is False where the id exists."""

    tenant: str
    collection: str
    id: str
    body: Body


@dataclass(frozen=True, slots=True)
class Replace:
    """Replace a document that meets ``guard``; the outcome is False where it does not.

    With ``upsert`` an absent document is inserted, whatever the guard. ``likely_new`` says that it is probably absent: it changes
    no outcome, and where it is right saves a look. ``known`` is what a document that meets the guard is certain to be, so that only
    what differs need be written.
    """

    tenant: str
    collection: str
    id: str
    body: Body
    guard: Guard = field(default_factory=dict)
    upsert: bool = False
    likely_new: bool = False
    known: Body | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete a document that meets ``guard``; the outcome is False where there was none or it did not."""

    tenant: str
    collection: str
    id: str
    guard: Guard = field(default_factory=dict)


Write = Insert | Replace | Delete


class Documents(Protocol):
    """A document database. Each write is atomic and durable when its outcome is returned; a batch is not atomic."""

    async def ensure_index(self, collection: str, fields: Sequence[str]) -> None:
        """Make ``scan`` by each of these top-level fields fast. Idempotent, safe to run by several replicas at once."""
        ...

    async def write(self, writes: Sequence[Write]) -> list[bool]:
        """Apply in order, each on its own; the outcome of each. Raises only when outcomes are unknown."""
        ...

    async def insert_in_order(self, inserts: Sequence[Insert]) -> int:
        """Insert these, all into one collection, one after the other up to the first whose id is taken; how many were inserted.

        Each is durable when the next is: of whatever is found of them, all before it is there too, also where this raises since the
        outcome is unknown. None of them has the server's time.
        """
        ...

    async def find(self, tenant: str, collection: str, id: str) -> Body | None: ...

    async def find_many(self, tenant: str, collection: str, ids: Iterable[str]) -> dict[str, Body]:
        """Those that exist, by id."""
        ...

    async def scan(
        self,
        tenant: str,
        collection: str,
        field: str = "_id",
        low: Any = None,
        high: Any = None,
        limit: int = 1000,
        descending: bool = False,
    ) -> list[tuple[str, Body]]:
        """(id, body) with ``low <= field <= high`` in order of (field, id); ``_id`` scans by id. Absent fields never match.

        With ``low`` and ``high`` equal it is a look-up by that field.
        """
        ...
