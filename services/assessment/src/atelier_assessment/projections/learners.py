"""Which learners are on a roster here? One document per learner id; an erased one stays as a tombstone."""

from collections.abc import Sequence
from typing import Any

from atelier_common.commit import RecordedEvent
from atelier_common.projection import Projection

LEARNER_CHANGED = "atelier.profile.learner.v1.changed"
LEARNER_ERASED = "atelier.profile.learner.v1.erased"


def _keys(recorded: RecordedEvent) -> Sequence[str]:
    return (recorded.event.learner_id,)


def _apply(document: dict[str, Any] | None, recorded: RecordedEvent, _key: str) -> dict[str, Any] | None:
    if recorded.type == LEARNER_ERASED:
        return {"erased": True}
    if document is not None and document.get("erased"):
        return document
    return {"active": recorded.event.active, "sites": list(recorded.event.site_ids)}


learners = Projection("learners", 1, _keys, _apply, types=frozenset({LEARNER_CHANGED, LEARNER_ERASED}))
