"""Which evidence waits for which fact? Found by the fact when it arrives: a competency's name, or a learner's id.

Keys are ``evidence.place``: place 0 waits for the learner, the others for one named competency each.
"""

from collections.abc import Sequence
from typing import Any

from atelier_common.commit import RecordedEvent
from atelier_common.projection import Projection

from atelier_assessment.domain.attempt import UNKNOWN_LEARNER, VOIDED, EvidenceMapped, EvidenceParked, EvidenceRecorded
from atelier_assessment.projections.competencies import name_of_target


def _evidence_id(recorded: RecordedEvent) -> str:
    return recorded.stream.partition("/")[2]


def _keys(recorded: RecordedEvent) -> Sequence[str]:
    event, evidence_id = recorded.event, _evidence_id(recorded)
    if isinstance(event, EvidenceRecorded) and not event.unresolved:
        return ()
    if isinstance(event, EvidenceRecorded | EvidenceParked | EvidenceMapped):
        return [f"{evidence_id}.{place}" for place in range(len(event.evidence.targets) + 1)]
    return [f"{evidence_id}.{place}" for place in range(event.places + 1)]


def _apply(_document: dict[str, Any] | None, recorded: RecordedEvent, key: str) -> dict[str, Any] | None:
    event = recorded.event
    if not isinstance(event, EvidenceRecorded | EvidenceParked | EvidenceMapped):
        return None
    evidence = event.evidence
    reasons = event.reasons if isinstance(event, EvidenceParked) else ()
    place = int(key.rpartition(".")[2])
    if VOIDED in reasons:
        return None
    if place == 0:
        waits_for = evidence.learner if UNKNOWN_LEARNER in reasons else ""
    else:
        target = evidence.targets[place - 1]
        waits_for = name_of_target(target) if target in event.unresolved else ""
    if not waits_for:
        return None
    return {
        "waits_for": waits_for,
        "evidence": _evidence_id(recorded),
        "learner": evidence.learner,
        "targets": list(evidence.targets),
    }


waiting = Projection(
    "waiting",
    1,
    _keys,
    _apply,
    indexes=("waits_for",),
    types=frozenset({"EvidenceRecorded", "EvidenceParked", "EvidenceMapped", "EvidenceVoided"}),
)
