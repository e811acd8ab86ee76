"""A voiding statement withdraws the evidence it names, also where that evidence arrives later."""

from collections.abc import Sequence

from atelier_common.commit import RecordedEvent
from atelier_common.reaction import Issue, Reaction, each

from atelier_assessment.domain.attempt import VoidEvidence, attempt
from atelier_assessment.domain.attempt_events import VoidingStated


async def _void(recorded: RecordedEvent) -> Sequence[Issue]:
    stated = recorded.event
    assert isinstance(stated, VoidingStated)
    provider = "" if stated.as_district else stated.provider
    command = VoidEvidence(provider, stated.reference, "voided by its provider", recorded.recorded_at)
    return (Issue(recorded, attempt, stated.target, command),)


reaction = Reaction("when_voiding_stated_then_void_evidence", frozenset({"VoidingStated"}), each(_void))
