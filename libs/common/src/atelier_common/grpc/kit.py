"""The gRPC kit: by re-export all that a service's ``api/grpc.py`` and its callers need."""

from atelier_common.grpc.client import open_channel
from atelier_common.grpc.guard import current_caller, remaining_seconds
from atelier_common.grpc.server import LOOPBACK, MAX_MESSAGE, GrpcServer, GrpcService
from atelier_common.grpc.status import DeadlineTooShort, error_of, neighbour_errors, status_of

__all__ = [
    "LOOPBACK",
    "MAX_MESSAGE",
    "DeadlineTooShort",
    "GrpcServer",
    "GrpcService",
    "current_caller",
    "error_of",
    "neighbour_errors",
    "open_channel",
    "remaining_seconds",
    "status_of",
]
