"""Cursor paging and read-your-writes: the query parameters ``cursor``, ``limit`` and ``after``."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import Depends, Query, Request

from atelier_common.errors import InvalidInput
from atelier_common.http.auth import CallerDep
from atelier_common.http.headers import InvalidCursor

DEFAULT_LIMIT = 50
MAX_LIMIT = 500
_MARK_BYTES = 16
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: at most ``limit`` rows from ``start`` on (None: from the beginning).

    Read ``wanted`` rows whose position is ``start`` or later, and let :meth:`cut` split them: the position of the row too
    many is where the next page begins. A position is plain JSON and differs from row to row, such as the id that a read
    model is scanned by; where rows may share one, the next page repeats those that do.
    """

    limit: int
    start: Any
    query: bytes = field(repr=False)
    key: bytes = field(repr=False)

    @property
    def wanted(self) -> int:
        """How many rows to read."""
        return self.limit + 1

    def cursor(self, position: Any) -> str:
        """The opaque cursor of the page that begins at ``position``."""
        encoded = orjson.dumps(position)
        raw = _mark(self.key, self.query, encoded) + encoded
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")

    def cut(self, rows: Sequence[tuple[Any, Row]]) -> tuple[list[Row], str]:
        """The rows of this page, and the cursor of the next: empty at the end. ``rows`` are (position, row)."""
        following = self.cursor(rows[self.limit][0]) if len(rows) > self.limit else ""
        return [row for _, row in rows[: self.limit]], following


async def page_of(
    request: Request,
    caller: CallerDep,
    cursor: Annotated[str, Query(max_length=2000, description="next_cursor of the page before")] = "",
    limit: Annotated[int, Query(description=f"rows wanted, clamped to 1 to {MAX_LIMIT}")] = DEFAULT_LIMIT,
) -> Page:
    """Dependency. Raises :class:`InvalidCursor` (400) for a cursor that is not ours or of another query.

    A cursor is signed, and bound to the caller, the path and all other parameters: where a page begins decides what is
    read, and nobody may begin where their own query would not have led them.
    """
    others = sorted(item for item in request.query_params.multi_items() if item[0] not in ("cursor", "limit", "after"))
    query = orjson.dumps([caller.tenant, caller.subject, request.scope["path"], others])
    key: bytes = request.app.state.cursor_key
    return Page(max(1, min(limit, MAX_LIMIT)), _position(cursor, query, key) if cursor else None, query, key)


def _position(cursor: str, query: bytes, key: bytes) -> Any:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidCursor("use next_cursor of the page before, unchanged") from error
    if not hmac.compare_digest(_mark(key, query, raw[_MARK_BYTES:]), raw[:_MARK_BYTES]):
        raise InvalidCursor("this cursor belongs to another query; begin without one")
    return orjson.loads(raw[_MARK_BYTES:])


def _mark(key: bytes, query: bytes, position: bytes) -> bytes:
    # The length keeps query and position apart.
    signed = b"%d:%b%b" % (len(query), query, position)
    return hmac.new(key, signed, hashlib.sha256).digest()[:_MARK_BYTES]


PageDep = Annotated[Page, Depends(page_of)]


@dataclass(frozen=True, slots=True)
class After:
    """What a read must include: version ``version`` of ``stream``, as an accepted command returned them."""

    stream: str
    version: int

    def __str__(self) -> str:
        return f"{self.stream}@{self.version}"


async def after_position(
    after: Annotated[
        str | None, Query(max_length=500, description="stream@version of an accepted command: wait until it is shown")
    ] = None,
) -> After | None:
    """Dependency. Raises InvalidInput where ``after`` is not ``stream@version``."""
    if after is None:
        return None
    stream, _, version = after.rpartition("@")
    if not stream or not (version.isascii() and version.isdecimal() and len(version) <= 18):
        raise InvalidInput("after is stream@version, as an accepted command returned it", parameter="after")
    return After(stream, int(version))


AfterDep = Annotated[After | None, Depends(after_position)]
