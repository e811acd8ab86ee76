"""What leaves the profile service: the one place where a domain event becomes a contract event."""

from atelier.profile.v1 import events_pb2 as contract
from atelier_common.commit import RecordedEvent
from atelier_common.publisher import ContractEvent

from atelier_profile.contracts import adult_changed, learner_changed
from atelier_profile.domain.adult import AdultDeactivated, AdultRecorded
from atelier_profile.domain.learner.events import LearnerErased, PublicLearnerChanged
from atelier_profile.domain.registry import registry

LEARNER_CHANGED = "atelier.profile.learner.v1.changed"
LEARNER_ERASED = "atelier.profile.learner.v1.erased"
ADULT_CHANGED = "atelier.profile.adult.v1.changed"
TYPES = frozenset(
    registry.name_of(event) for event in (PublicLearnerChanged, LearnerErased, AdultRecorded, AdultDeactivated)
)
"""The stored types of which :func:`translate` lets anything leave."""


def translate(recorded: RecordedEvent) -> ContractEvent | None:
    """A pure function of the event; None: it stays inside."""
    match recorded.event:
        case PublicLearnerChanged(learner):
            return ContractEvent(LEARNER_CHANGED, learner_changed(learner), learner.learner_id)
        case LearnerErased(learner_id, request_id, erased_at):
            erased = contract.LearnerErased(learner_id=learner_id, erased_at_ms=erased_at, request_id=request_id)
            return ContractEvent(LEARNER_ERASED, erased, learner_id)
        case AdultRecorded(adult_id, entry, certificates):
            return ContractEvent(ADULT_CHANGED, adult_changed(adult_id, True, entry, certificates), adult_id)
        case AdultDeactivated(adult_id, entry, certificates):
            return ContractEvent(ADULT_CHANGED, adult_changed(adult_id, False, entry, certificates), adult_id)
        case _:
            return None
