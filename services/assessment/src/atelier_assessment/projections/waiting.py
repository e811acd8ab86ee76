"""Which evidence waits for which fact? Found by the fact when it arrives: a competency's name, or a learner's id.

Keys are ``evidence.place``: place 0 waits for the learner, the others for one named competency each.
"""

from collections.abc import Sequence
from typing import Any

from atelier_common.commit import RecordedEvent
from atelier_common.projection import Projection

from atelier_assessment.domain.attempt import UNKNOWN_LEARNER, VOIDED
from atelier_assessment.domain.attempt_events import EvidenceParked, EvidenceVoided, TargetsUnresolved
from atelier_assessment.projections.competencies import name_of_target


def _evidence_id(recorded: RecordedEvent) -> str:
    return recorded.stream.partition("/")[2]


def _named(event: Any) -> tuple[str, tuple[str, ...]]:
    """(learner, targets) of what may wait."""
    if isinstance(event, TargetsUnresolved):
        return event.learner, event.targets
    return event.evidence.learner, event.evidence.targets


def _keys(recorded: RecordedEvent) -> Sequence[str]:
    event, evidence_id = recorded.event, _evidence_id(recorded)
    places = event.places if isinstance(event, EvidenceVoided) else len(_named(event)[1])
    return [f"{evidence_id}.{place}" for place in range(places + 1)]


def _apply(_document: dict[str, Any] | None, recorded: RecordedEvent, key: str) -> dict[str, Any] | None:
    event = recorded.event
    if isinstance(event, EvidenceVoided):
        return None
    learner, targets = _named(event)
    reasons = event.reasons if isinstance(event, EvidenceParked) else ()
    place = int(key.rpartition(".")[2])
    if VOIDED in reasons:
        return None
    if place == 0:
        waits_for = learner if UNKNOWN_LEARNER in reasons else ""
    else:
        target = targets[place - 1]
        waits_for = name_of_target(target) if target in event.unresolved else ""
    if not waits_for:
        return None
    return {"waits_for": waits_for, "evidence": _evidence_id(recorded), "learner": learner, "targets": list(targets)}


waiting = Projection(
    "waiting",
    1,
    _keys,
    _apply,
    indexes=("waits_for",),
    types=frozenset({"TargetsUnresolved", "EvidenceParked", "EvidenceMapped", "EvidenceVoided"}),
)
