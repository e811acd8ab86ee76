"""Errors on the wire: ``google.rpc.Status`` with an ErrorInfo that carries our stable code, and back again."""

import asyncio
import contextlib
import logging
import uuid
from collections.abc import Iterable, Iterator
from typing import ClassVar, cast

import grpc
import orjson
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo  # type: ignore[import-untyped]  # ships no stubs
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]  # ships no stubs

from atelier_common.errors import AtelierError, Unauthenticated, Unavailable
from atelier_common.telemetry import names
from atelier_common.telemetry.metrics import counter

DOMAIN = "atelier"
DETAILS_KEY = "grpc-status-details-bin"

_log = logging.getLogger("atelier.grpc")
_unexpected = counter(names.METRIC_UNEXPECTED)


class DeadlineTooShort(AtelierError):
    """So little time is left that the answer would come too late: nothing was begun."""

    code: ClassVar[str] = "deadline-too-short"
    http_status: ClassVar[int] = 504
    grpc_status: ClassVar[grpc.StatusCode] = grpc.StatusCode.DEADLINE_EXCEEDED
    title: ClassVar[str] = "Too little time is left"


Aborted = tuple[grpc.StatusCode, str, tuple[tuple[str, bytes], ...]]
"""What a call is ended with: code, message, trailing metadata."""


def status_of(error: Exception) -> Aborted:
    """How any error leaves; an unexpected one shows nothing but an id, under which the log tells everything."""
    if isinstance(error, NotImplementedError):
        # What generated code raises for a method that a servicer does not offer.
        return grpc.StatusCode.UNIMPLEMENTED, "this method is not offered here", ()
    if isinstance(error, AtelierError):
        code, message = error.grpc_status, error.detail
        info = ErrorInfo(reason=reason_of(error.code), domain=DOMAIN)
        for name, value in error.extensions.items():
            info.metadata[name] = value if isinstance(value, str) else orjson.dumps(value, default=str).decode()
    else:
        error_id = str(uuid.uuid4())
        _unexpected.add(1)
        _log.error("unexpected error %s", error_id, exc_info=error)
        code, message = grpc.StatusCode.INTERNAL, AtelierError.title
        info = ErrorInfo(reason=reason_of(AtelierError.code), domain=DOMAIN, metadata={"error_id": error_id})
    status = Status(code=code.value[0], message=message, details=[_packed(info)])
    if isinstance(error, Unavailable):
        retry = RetryInfo()
        retry.retry_delay.FromMilliseconds(1000)
        status.details.append(_packed(retry))
    return code, message, ((DETAILS_KEY, status.SerializeToString()),)


def code_of(error: BaseException) -> grpc.StatusCode:
    """The status alone of what ends a call, for counting; one that a servicer set by hand counts as UNKNOWN."""
    match error:
        case NotImplementedError():
            return grpc.StatusCode.UNIMPLEMENTED
        case AtelierError():
            return error.grpc_status
        case asyncio.CancelledError() | GeneratorExit():
            return grpc.StatusCode.CANCELLED
        case grpc.aio.AbortError():
            return grpc.StatusCode.UNKNOWN
        case _:
            return grpc.StatusCode.INTERNAL


def _packed(message: ErrorInfo | RetryInfo) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed


def reason_of(code: str) -> str:
    """The ErrorInfo reason of one of our codes: ``not-found`` is ``NOT_FOUND``."""
    return code.replace("-", "_").upper()


@contextlib.contextmanager
def neighbour_errors() -> Iterator[None]:
    """For a block that calls a neighbour: what it refuses is raised here as the error it raised there.

    But for the token: it is this service's own (made by a clock that is wrong, say), so that is Unavailable for whoever called.
    """
    try:
        yield
    except grpc.aio.AioRpcError as error:
        found = error_of(error)
        if isinstance(found, Unauthenticated):
            raise Unavailable(f"a neighbour does not accept this service's own token: {found.detail}") from error
        raise found from error


def error_of(error: grpc.aio.AioRpcError) -> AtelierError:
    """The error that a neighbour raised. Without an ErrorInfo of ours (a proxy, a lost connection) it is Unavailable.

    The latter holds for DEADLINE_EXCEEDED, CANCELLED and UNAVAILABLE; any other status is a plain AtelierError.
    """
    info = _info_of(error)
    if info is not None:
        kind = _kinds().get(info.reason, AtelierError)
        return kind(error.details() or kind.title, **dict(info.metadata))
    if error.code() in (
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
    ):
        return Unavailable(f"a neighbouring service did not answer: {error.code().name}")
    return AtelierError(f"a neighbouring service failed: {error.code().name}")


def _info_of(error: grpc.aio.AioRpcError) -> ErrorInfo | None:
    for key, value in cast(Iterable[tuple[str, str | bytes]], error.trailing_metadata() or ()):
        if key == DETAILS_KEY and isinstance(value, bytes):
            with contextlib.suppress(DecodeError):
                for detail in Status.FromString(value).details:
                    info = ErrorInfo()
                    if detail.Unpack(info) and info.domain == DOMAIN:
                        return info
    return None


def _kinds() -> dict[str, type[AtelierError]]:
    found: dict[str, type[AtelierError]] = {}
    waiting: list[type[AtelierError]] = [AtelierError]
    while waiting:
        kind = waiting.pop()
        found.setdefault(reason_of(kind.code), kind)
        waiting += kind.__subclasses__()
    return found
