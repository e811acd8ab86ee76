"""A statement that breaks the specification. xAPI answers 400 where the rest of Atelier answers 422."""

from typing import ClassVar

from atelier_common.errors import InvalidInput


class MalformedStatement(InvalidInput):
    """``field`` names the property; ``index`` the statement in its batch, when one is refused the whole batch is."""

    code: ClassVar[str] = "malformed-statement"
    http_status: ClassVar[int] = 400
    title: ClassVar[str] = "The statement is not valid xAPI"


class MalformedRequest(InvalidInput):
    """A header, parameter or body that is not what the protocol says."""

    code: ClassVar[str] = "malformed-request"
    http_status: ClassVar[int] = 400
    title: ClassVar[str] = "The request is not valid xAPI"
