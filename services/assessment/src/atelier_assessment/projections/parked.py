"""Which evidence does not count yet, and why? One document per piece; it goes when the evidence is mapped or voided."""

from typing import Any

from atelier_common.commit import RecordedEvent
from atelier_common.projection import Projection, by_stream_key

from atelier_assessment.domain.attempt_events import EvidenceParked


def _apply(_document: dict[str, Any] | None, recorded: RecordedEvent, _key: str) -> dict[str, Any] | None:
    event = recorded.event
    if not isinstance(event, EvidenceParked):
        return None
    evidence = event.evidence
    return {
        "reasons": list(event.reasons),
        "learner_id": evidence.learner,
        "provider": evidence.provider,
        "reference": evidence.reference,
        "item": evidence.item,
        "verb": evidence.verb,
        "kind": evidence.kind,
        "targets": list(evidence.targets),
        "performed_at_ms": evidence.performed_at,
        "recorded_at_ms": event.recorded_at,
    }


parked = Projection(
    "parked",
    1,
    by_stream_key,
    _apply,
    indexes=("provider", "learner_id"),
    types=frozenset({"EvidenceParked", "EvidenceMapped", "EvidenceVoided"}),
)
