"""What the doors of this service stand on, and the few rules they share."""

from dataclasses import dataclass

from atelier_common.clock import Clock
from atelier_common.commands import Accepted, Commands
from atelier_common.eventstore.port import EventStore
from atelier_common.http.kit import JsonResponse, etag
from atelier_common.projection import ReadModel
from atelier_common.security.tokens import Caller
from fastapi.responses import Response

from atelier_assessment.recording.known import Known
from atelier_assessment.recording.recorder import Recorder, Sender
from atelier_assessment.rules_source import RulesSource

DISTRICT = ("district-admin",)
REPORTERS = ("partner", "coach", "counselor", *DISTRICT)
STAFF = ("coach", "counselor", "principal", "operator", *DISTRICT)


@dataclass(frozen=True)
class Parts:
    commands: Commands
    store: EventStore
    clock: Clock
    recorder: Recorder
    known: Known
    rules: RulesSource
    mastery: ReadModel
    parked: ReadModel


def sender_of(caller: Caller, via: str) -> Sender:
    """A partner answers for its own reports; the district may hand on what others reported."""
    return Sender(caller.subject, caller.has(*DISTRICT), via)


def accepted(outcome: Accepted, status: int = 200) -> Response:
    """The answer to a decision: what came of it, and the stream and version to read it by."""
    body = {
        "stream": outcome.stream,
        "version": outcome.version,
        "repeated": outcome.repeated,
        "result": outcome.result,
    }
    return JsonResponse(body, status, headers={"ETag": etag(outcome.version)})
