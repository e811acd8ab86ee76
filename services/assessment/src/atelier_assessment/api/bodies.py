"""What the native API takes: evidence in a provider's own words, and the decisions of people."""

from datetime import datetime
from typing import Annotated

from atelier_common.errors import InvalidInput
from pydantic import BaseModel, ConfigDict, Field, model_validator

from atelier_assessment.domain.evidence import Outcome
from atelier_assessment.recording.circumstances import Code, Kind, Purpose, StatedCircumstances
from atelier_assessment.recording.report import FUTURE_TOLERANCE_MS, Person, Report

LARGEST_BATCH = 500
Text = Annotated[str, Field(min_length=1, max_length=2000)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EvidenceBody(_Body):
    """One piece of evidence. The same ``id`` from the same provider stands for the same content for ever."""

    id: Annotated[str, Field(min_length=1, max_length=200)]
    learner: Annotated[str, Field(max_length=255, description="OneRoster sourcedId")] = ""
    learner_id: Annotated[str, Field(max_length=64, description="the id that stands for it, instead")] = ""
    competencies: Annotated[tuple[Text, ...], Field(max_length=50, description="CASE item identifiers or URIs")] = ()
    kind: Kind = "item"
    purpose: Purpose | None = None
    verb: Annotated[str, Field(max_length=2000)] = ""
    item: Annotated[str, Field(max_length=2000)] = ""
    performed_at: datetime
    score: Annotated[float, Field(ge=0, le=1)] | None = None
    success: bool | None = None
    completion: bool | None = None
    level: Annotated[int, Field(ge=0, le=99, description="rubric level reached, from 0")] | None = None
    levels: Annotated[int, Field(ge=2, le=100, description="how many levels the rubric has")] | None = None
    duration_ms: Annotated[int, Field(ge=0)] | None = None
    attempt_id: Annotated[Code, Field(description="one attempt, whoever reports it, counts once")] = ""
    registration: Code = ""
    circumstances: StatedCircumstances | None = None

    @model_validator(mode="after")
    def _consistent(self) -> "EvidenceBody":
        if bool(self.learner) == bool(self.learner_id):
            raise ValueError("name the learner by learner or by learner_id, one of them")
        if (self.level is None) != (self.levels is None) or (self.level or 0) >= (self.levels or 1):
            raise ValueError("level is one of the rubric's levels, counted from 0, and comes with levels")
        if self.performed_at.tzinfo is None:
            raise ValueError("performed_at has a time zone")
        return self

    def report(self, now: int) -> Report:
        """Raises InvalidInput where it lies more than five minutes ahead of ``now``."""
        performed_at = int(self.performed_at.timestamp() * 1000 + 0.5)
        if performed_at > now + FUTURE_TOLERANCE_MS:
            raise InvalidInput("performed_at lies in the future; evidence is of what was done", field="performed_at")
        said = self.circumstances
        return Report(
            reference=self.id,
            learner=Person(self.learner, self.learner_id),
            kind=said.kind if said is not None and said.kind is not None else self.kind,
            verb=self.verb,
            item=self.item,
            performed_at=performed_at,
            outcome=Outcome(
                scaled=self.score,
                success=self.success,
                completion=self.completion,
                level=self.level,
                levels=self.levels,
                duration_ms=self.duration_ms,
            ),
            targets=tuple(dict.fromkeys(self.competencies)),
            content=self.model_dump(mode="json", exclude={"learner", "learner_id", "performed_at"})
            | {"at": performed_at},
            private=said is not None,
            attempt=self.attempt_id or (said.attempt_id if said is not None else ""),
            registration=self.registration,
            purpose=self.purpose or (said.purpose if said is not None else None) or "",
            circumstances=said.without_people() if said is not None else None,
            rater=said.rated_by() if said is not None else None,
            group=said.others() if said is not None else (),
        )


class MappingBody(_Body):
    """Which competencies the evidence is about."""

    competencies: Annotated[tuple[Text, ...], Field(min_length=1, max_length=50)]


class ReasonBody(_Body):
    reason: Annotated[str, Field(min_length=1, max_length=500)]


class AwardBody(_Body):
    """``awarded_at`` is when it was shown; absent, now."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]
    awarded_at: datetime | None = None


class ProviderBody(_Body):
    title: Annotated[str, Field(min_length=1, max_length=200)]
    only_kind: Kind | None = None


class ItemBody(_Body):
    discrimination: float = 1.0
    difficulty: float = 0.0
    guess: float = 0.1
    slip: float = 0.05


class CalibrationBody(_Body):
    """What is left out stays as it is in the calibration in force."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]
    items: Annotated[dict[str, ItemBody], Field(max_length=5000)] | None = None
    ordinary: ItemBody | None = None
    prior_mean: float | None = None
    prior_variance: float | None = None
    drift: float | None = None


class PolicyBody(_Body):
    """What is left out stays as it is in the policy in force."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]
    level: float | None = None
    confidence: float | None = None
    independent_evidence: int | None = None
    kind_weights: dict[Kind, float] | None = None
    assistance_weights: dict[str, float] | None = None
    group_weight: float | None = None
    same_stimulus_weight: float | None = None
    supporting_only: frozenset[Kind] | None = None
