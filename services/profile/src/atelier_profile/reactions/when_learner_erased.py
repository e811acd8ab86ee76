"""When a learner is erased: destroy the key, also if the process that took the request died before it could."""

from collections.abc import Sequence

from atelier_common.commit import RecordedEvent
from atelier_common.privacy.keyring import Keyring
from atelier_common.reaction import Issue, Reaction, each

from atelier_profile.domain.learner.events import LearnerErased
from atelier_profile.domain.registry import registry

REASON = "erasure-request"


def when_learner_erased(keyring: Keyring) -> Reaction:
    async def destroy_key(cause: RecordedEvent) -> Sequence[Issue]:
        # The one act that is no command: a key leaves no trace in a log, and destroying it twice is destroying it once.
        await keyring.erase(cause.tenant, cause.event.learner_id, REASON, cause.event.request_id)
        return []

    return Reaction("when_learner_erased", frozenset({registry.name_of(LearnerErased)}), each(destroy_key))
