"""Cursor paging and read-your-writes: the query parameters ``cursor``, ``limit`` and ``after``."""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

import orjson
from fastapi import Depends, Query, Request

from atelier_common.errors import InvalidInput
from atelier_common.http.auth import CallerDep
from atelier_common.http.headers import InvalidCursor

DEFAULT_LIMIT = 50
MAX_LIMIT = 500
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list: at most ``limit`` rows from ``start`` on (None: from the beginning).

    Read ``limit + 1`` rows whose position is ``start`` or later, and let :meth:`cut` split them: the position of the
    row too many is where the next page begins. A position is plain JSON, such as the id that a read model is scanned
    by.
    """

    limit: int
    start: Any
    query: str

    @property
    def wanted(self) -> int:
        """How many rows to read."""
        return self.limit + 1

    def cursor(self, position: Any) -> str:
        """The opaque cursor of the page that begins at ``position``."""
        return base64.urlsafe_b64encode(orjson.dumps([self.query, position])).rstrip(b"=").decode("ascii")

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
    """Dependency. A cursor is bound to the tenant, the path and all other parameters. Raises :class:`InvalidCursor`
    (400).

    It is bound against mistakes, not against forgery: whoever makes one up sees no row that the query would not show.
    """
    others = sorted(item for item in request.query_params.multi_items() if item[0] not in ("cursor", "limit", "after"))
    bound = orjson.dumps([caller.tenant, request.scope["path"], others])
    query = hashlib.sha256(bound).hexdigest()[:16]
    return Page(max(1, min(limit, MAX_LIMIT)), _position(cursor, query) if cursor else None, query)


def _position(cursor: str, query: str) -> Any:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        bound_to, position = orjson.loads(raw)
    except (binascii.Error, ValueError, TypeError) as error:
        raise InvalidCursor("use next_cursor of the page before, unchanged") from error
    if bound_to != query or position is None:
        raise InvalidCursor("this cursor belongs to another query; begin without one")
    return position


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
