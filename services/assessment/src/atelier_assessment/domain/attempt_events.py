"""What happens to an attempt, as the log keeps it."""

from dataclasses import dataclass

from atelier_assessment.domain.evidence import Evidence
from atelier_assessment.domain.registry import registry


@registry.event("EvidenceRecorded")
@dataclass(frozen=True, slots=True)
class EvidenceRecorded:
    """It counts towards ``competencies``."""

    evidence: Evidence
    recorded_at: int
    competencies: tuple[str, ...]


@registry.event("TargetsUnresolved")
@dataclass(frozen=True, slots=True)
class TargetsUnresolved:
    """Recorded evidence named these competencies too, which no framework lists yet. An event of its own, because it is rare."""

    learner: str
    targets: tuple[str, ...]
    unresolved: tuple[str, ...]


@registry.event("EvidenceParked")
@dataclass(frozen=True, slots=True)
class EvidenceParked:
    """Kept whole, not counted yet. ``reasons`` are stable codes; the event comes again when only some of them are settled."""

    evidence: Evidence
    recorded_at: int
    reasons: tuple[str, ...]
    competencies: tuple[str, ...] = ()
    unresolved: tuple[str, ...] = ()


@registry.event("EvidenceMapped")
@dataclass(frozen=True, slots=True)
class EvidenceMapped:
    """Now it counts towards ``added`` too. ``mapped_by`` is a person, or empty where the arrival of facts resolved it."""

    evidence: Evidence
    recorded_at: int
    added: tuple[str, ...]
    unresolved: tuple[str, ...]
    mapped_by: str


@registry.event("EvidenceVoided")
@dataclass(frozen=True, slots=True)
class EvidenceVoided:
    """It counts no more. ``learner`` and ``competencies`` are empty where the voiding came before the evidence.

    ``places`` is how many competencies it named.
    """

    learner: str
    competencies: tuple[str, ...]
    places: int
    provider: str
    reference: str
    reason: str


@registry.event("VoidingStated")
@dataclass(frozen=True, slots=True)
class VoidingStated:
    """``target`` is the evidence id that the statement voids; ``provider`` is empty where the district itself speaks."""

    target: str
    target_reference: str
    provider: str
    as_district: bool
    reference: str
    digest: str
    performed_at: int


Event = EvidenceRecorded | TargetsUnresolved | EvidenceParked | EvidenceMapped | EvidenceVoided | VoidingStated
