"""Errors of malformed request headers and cursors: 400, where :class:`InvalidInput` itself is about content."""

from typing import ClassVar

from atelier_common.errors import InvalidInput


class MalformedHeader(InvalidInput):
    """A header that the protocol gives a form to does not have it. ``header`` names it."""

    code: ClassVar[str] = "malformed-header"
    http_status: ClassVar[int] = 400
    title: ClassVar[str] = "A header is malformed"


class InvalidCursor(InvalidInput):
    """A cursor is not one of ours, or belongs to another query."""

    code: ClassVar[str] = "invalid-cursor"
    http_status: ClassVar[int] = 400
    title: ClassVar[str] = "The cursor does not belong to this query"
