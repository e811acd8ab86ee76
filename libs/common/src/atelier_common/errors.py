"""Every error that crosses a door, with its stable code; one table maps codes to HTTP and gRPC.

An error is raised once, where the rule is known, and translated once, in the HTTP or gRPC kit. ``detail`` is written for the
person who reads it; ``extensions`` are machine-readable members of the problem document (RFC 9457, section 3.2). Neither may
carry a personal value.
"""

from typing import Any, ClassVar

import grpc


class AtelierError(Exception):
    """Base of all errors that a caller may see."""

    code: ClassVar[str] = "internal"
    http_status: ClassVar[int] = 500
    grpc_status: ClassVar[grpc.StatusCode] = grpc.StatusCode.INTERNAL
    title: ClassVar[str] = "Something went wrong here"

    def __init__(self, detail: str, **extensions: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extensions = extensions


class InvalidInput(AtelierError):
    """The request cannot be understood or breaks a rule of its format. ``extensions`` name row, column or field."""

    code = "invalid-input"
    http_status = 422
    grpc_status = grpc.StatusCode.INVALID_ARGUMENT
    title = "The input is not valid"


class RuleBroken(AtelierError):
    """A rule of the domain forbids the command in the present state."""

    code = "rule-broken"
    http_status = 409
    grpc_status = grpc.StatusCode.FAILED_PRECONDITION
    title = "A rule forbids this"


class Unauthenticated(AtelierError):
    code = "unauthenticated"
    http_status = 401
    grpc_status = grpc.StatusCode.UNAUTHENTICATED
    title = "A valid bearer token is needed"


class Forbidden(AtelierError):
    code = "forbidden"
    http_status = 403
    grpc_status = grpc.StatusCode.PERMISSION_DENIED
    title = "Your role does not allow this"


class NotFound(AtelierError):
    """Nothing of that name in this tenant. Another tenant's things are not found either."""

    code = "not-found"
    http_status = 404
    grpc_status = grpc.StatusCode.NOT_FOUND
    title = "Not found"


class ConcurrencyConflict(AtelierError):
    """Another writer appended first. The kernel reloads and decides again three times before a caller sees this."""

    code = "concurrency-conflict"
    http_status = 409
    grpc_status = grpc.StatusCode.ABORTED
    title = "Somebody else changed this at the same moment"


class IdentityTaken(AtelierError):
    """The same natural identity was used before with other content (for instance an xAPI statement id)."""

    code = "identity-taken"
    http_status = 409
    grpc_status = grpc.StatusCode.ALREADY_EXISTS
    title = "This id already stands for other content"


class CommandIdReused(AtelierError):
    """The same ``Idempotency-Key`` came with another request."""

    code = "command-id-reused"
    http_status = 422
    grpc_status = grpc.StatusCode.INVALID_ARGUMENT
    title = "This idempotency key was used for another request"


class PreconditionFailed(AtelierError):
    code = "precondition-failed"
    http_status = 412
    grpc_status = grpc.StatusCode.FAILED_PRECONDITION
    title = "This has changed since you read it"


class PreconditionRequired(AtelierError):
    code = "precondition-required"
    http_status = 428
    grpc_status = grpc.StatusCode.FAILED_PRECONDITION
    title = "Say which version you are changing (If-Match)"


class TooLarge(AtelierError):
    code = "too-large"
    http_status = 413
    grpc_status = grpc.StatusCode.RESOURCE_EXHAUSTED
    title = "The request is too large"


class Unavailable(AtelierError):
    """Not now, try again: a dependency is away, a read model is behind, or data of a newer release cannot be read yet."""

    code = "unavailable"
    http_status = 503
    grpc_status = grpc.StatusCode.UNAVAILABLE
    title = "Not available at the moment"


class UnknownEventType(Unavailable):
    """A stored event has a type or schema version that this release does not know; nothing is guessed."""

    code = "unknown-event-type"
    title = "Stored by a newer release"


class DeadlineMissing(AtelierError):
    code = "deadline-missing"
    http_status = 400
    grpc_status = grpc.StatusCode.INVALID_ARGUMENT
    title = "A deadline is needed on every call"
