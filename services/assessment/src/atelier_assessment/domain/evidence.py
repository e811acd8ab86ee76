"""Evidence of learning as the log keeps it: what was shown, by whom, and how it came about.

People appear by pseudonym only. What a learner wrote or said (a response) is never kept here.
"""

from dataclasses import dataclass

from atelier_assessment.engine.observation import Conditions, Observation
from atelier_assessment.engine.policy import ASSISTANCE, KINDS

SUPERVISION = ("none", "adult-present", "proctored")
PURPOSES = ("practice", "exit-ticket", "placement", "assessment", "reassessment", "review", "mandated-test")

__all__ = ["ASSISTANCE", "KINDS", "PURPOSES", "SUPERVISION", "Circumstances", "Evidence", "Outcome", "observe"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was reported. ``scaled`` in [-1, 1]; ``raw`` between ``least`` and ``most``; ``level`` of ``levels`` of a rubric, from 0."""

    scaled: float | None = None
    raw: float | None = None
    least: float | None = None
    most: float | None = None
    success: bool | None = None
    completion: bool | None = None
    level: int | None = None
    levels: int | None = None
    duration_ms: int | None = None

    def score(self) -> float | None:
        """One number in [0, 1], or None where nothing was judged: scaled, else raw, else rubric level, else success."""
        if self.scaled is not None:
            return max(0.0, self.scaled)
        if self.raw is not None and self.most is not None and self.most > (self.least or 0.0):
            least = self.least or 0.0
            return min(1.0, max(0.0, (self.raw - least) / (self.most - least)))
        if self.level is not None and self.levels is not None and self.levels > 1:
            return self.level / (self.levels - 1)
        if self.success is not None:
            return 1.0 if self.success else 0.0
        return None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """How it came about, where that was said at all. Empty means not said; ordinary work has no circumstances.

    An *accommodation* changes how a task is met and lowers nothing; a *modification* changes what is asked and never supports the
    unmodified claim. ``rater`` and ``group`` are pseudonyms; ``group`` are the others who made it.
    """

    assistance: str = ""
    supervision: str = ""
    rater: str = ""
    language: str = ""
    accommodations: tuple[str, ...] = ()
    modification: str = ""
    item_version: str = ""
    form: str = ""
    form_version: str = ""
    stimulus: str = ""
    group: tuple[str, ...] = ()
    location: str = ""
    activity: str = ""
    artefact: str = ""
    platform: str = ""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One report by one provider. ``targets`` are the competencies it names, as URIs or CASE identifiers.

    ``attempt`` names one attempt whoever reports it; ``registration`` names a sitting or launch. ``performed_at`` is when the
    learner did it, in milliseconds UTC; when it was recorded stands in its commit. ``digest`` is taken over everything sent.
    """

    learner: str
    provider: str
    reference: str
    via: str
    kind: str
    verb: str
    item: str
    performed_at: int
    outcome: Outcome
    targets: tuple[str, ...]
    digest: str
    attempt: str = ""
    registration: str = ""
    purpose: str = ""
    circumstances: Circumstances | None = None


def observe(evidence_id: str, evidence: Evidence, recorded_at: int) -> Observation:
    """What the estimator is shown of a piece of evidence that has a score."""
    score = evidence.outcome.score()
    if score is None:
        raise ValueError(f"evidence {evidence_id} was not judged")
    said = evidence.circumstances
    return Observation(
        evidence_id,
        evidence.performed_at,
        recorded_at,
        round(score, 6),
        evidence.kind,
        evidence.item,
        evidence.provider,
        evidence.attempt,
        evidence.registration,
        evidence.outcome.success,
        None if said is None else _conditions(said),
    )


def _conditions(said: Circumstances) -> Conditions | None:
    conditions = Conditions(
        assistance=said.assistance,
        supervision=said.supervision,
        rater=said.rater,
        modified=bool(said.modification),
        group_size=len(said.group) + 1 if said.group else 0,
        stimulus=said.stimulus,
        activity=said.activity,
    )
    return None if conditions == Conditions() else conditions
