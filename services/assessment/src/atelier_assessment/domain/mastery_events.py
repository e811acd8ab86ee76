"""What happens to a learner's mastery of a competency, as the log keeps it."""

from dataclasses import dataclass

from atelier_assessment.domain.registry import registry
from atelier_assessment.engine.estimator import Belief
from atelier_assessment.engine.observation import Observation


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the learner stands. ``estimate`` and ``uncertainty`` are probabilities; ``earned_at`` is milliseconds UTC.

    ``policy`` and ``calibration`` are versions.
    """

    belief: Belief
    estimate: float
    uncertainty: float
    earned: bool
    earned_at: int | None
    policy: int
    calibration: int


@registry.event("MasteryMoved")
@dataclass(frozen=True, slots=True)
class MasteryMoved:
    """``corrected``: the evidence was performed before some already counted, so what was said before is corrected."""

    observation: Observation
    standing: Standing
    corrected: bool


@registry.event("EvidenceSetAside")
@dataclass(frozen=True, slots=True)
class EvidenceSetAside:
    """It is kept and shown, and changes nothing now: an attempt already counted, modified work, or a kind of no weight."""

    observation: Observation


@registry.event("EvidenceWithdrawn")
@dataclass(frozen=True, slots=True)
class EvidenceWithdrawn:
    evidence_id: str
    reason: str
    standing: Standing | None


@registry.event("MasteryReestimated")
@dataclass(frozen=True, slots=True)
class MasteryReestimated:
    """``kept_at`` is when it had been earned under earlier rules, if ever: a change of rules takes nothing away.

    ``cause`` is ``policy`` or ``calibration``, whichever was adopted.
    """

    standing: Standing
    kept_at: int | None
    cause: str


@registry.event("EarnedCorrected")
@dataclass(frozen=True, slots=True)
class EarnedCorrected:
    """Something that had been said to be earned was not, or at another time. ``because`` names the evidence that shows it."""

    because: str
    earned_at_before: int
    earned_at: int | None


@registry.event("MasteryAwarded")
@dataclass(frozen=True, slots=True)
class MasteryAwarded:
    awarded_by: str
    reason: str
    awarded_at: int
    standing: Standing


@registry.event("AwardWithdrawn")
@dataclass(frozen=True, slots=True)
class AwardWithdrawn:
    withdrawn_by: str
    reason: str
    standing: Standing


Event = (
    MasteryMoved
    | EvidenceSetAside
    | EvidenceWithdrawn
    | MasteryReestimated
    | EarnedCorrected
    | MasteryAwarded
    | AwardWithdrawn
)
