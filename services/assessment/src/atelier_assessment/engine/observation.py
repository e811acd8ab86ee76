"""One piece of evidence as the estimator sees it: what was shown, when, and under which conditions."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Conditions:
    """What was not ordinary about the work. Empty text and zero mean that the source said nothing."""

    assistance: str = ""
    supervision: str = ""
    rater: str = ""
    modified: bool = False
    group_size: int = 0
    stimulus: str = ""
    activity: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """``score`` lies in [0, 1]; ``performed_at`` and ``recorded_at`` are milliseconds UTC; ``conditions`` is None for ordinary work.

    ``attempt`` names one attempt whoever reports it. ``registration`` names a sitting; within it one item reported by two
    providers is one answer.
    """

    id: str
    performed_at: int
    recorded_at: int
    score: float
    kind: str
    item: str
    provider: str
    attempt: str = ""
    registration: str = ""
    success: bool | None = None
    conditions: Conditions | None = None

    @property
    def place(self) -> tuple[int, str]:
        """Where it stands among the evidence of its learner and competency, whenever it arrived."""
        return self.performed_at, self.id
