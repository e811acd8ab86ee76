"""What HTTP calls send. Frozen models; unknown members are refused, so that a typo does not pass for an answer."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Text = Annotated[str, Field(min_length=1, max_length=4_000)]
Id = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\w\-.:@+=~]+$")]
Milliseconds = Annotated[int, Field(gt=0, lt=1 << 53)]
VisibilityName = Literal["family", "staff", "support", "restricted", "reporting"]


class Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Sourced(Body):
    """Where a fact comes from. Left out, it is said by the caller, now, with full confidence, until changed."""

    source: Annotated[str, Field(max_length=80)] = ""
    observed_at: Milliseconds | None = None
    confidence: Annotated[float, Field(ge=0, le=1)] = 1.0
    visibility: VisibilityName | None = None
    expires_at: Milliseconds | None = None


class FactBody(Sourced):
    kind: str
    value: Text


class InterestBody(Sourced):
    strength: Annotated[float, Field(ge=0, le=1)] = 1.0


class IntervalBody(Body):
    weekday: int
    start_minute: int
    end_minute: int
    site_id: str = ""
    valid_from: str = ""
    valid_until: str = ""


class AccommodationBody(Sourced):
    id: Id | None = None
    kind: str
    basis: str = "informal"
    time_factor: float | None = None
    group_size_max: int | None = None
    bound_adult_id: str = ""
    detail: Annotated[str, Field(max_length=2_000)] = ""


class ServiceBody(Sourced):
    id: Id | None = None
    kind: str
    basis: str = "iep"
    minutes_per_week: int
    setting: str
    provider_role: str
    group_size_max: int | None = None
    inclusion_minimum: float | None = None
    may_be_pulled_from: tuple[str, ...] = ()
    period: str = "week"
    sessions_min: int | None = None
    sessions_max: int | None = None
    session_minutes_min: int | None = None
    session_minutes_max: int | None = None
    provider_certificate: str = ""
    provider_adult_id: str = ""
    valid_from: str = ""
    valid_until: str = ""


class AbsenceBody(Sourced):
    id: Id | None = None
    starts_at: Milliseconds
    ends_at: Milliseconds


class OffSiteBody(Sourced):
    id: Id
    intervals: tuple[IntervalBody, ...]
    travel_minutes: int = 0
    place: Text
    supervisor: Annotated[str, Field(max_length=500)] = ""
    supervisor_adult_id: str = ""


class RestrictionBody(Sourced):
    id: Id | None = None
    kind: str
    other_id: Id


class PresenceBody(Sourced):
    step_free: bool = False
    on_site_minutes_per_week: int | None = None
    availability: tuple[IntervalBody, ...] = ()


class LanguagesBody(Sourced):
    tags: Annotated[tuple[str, ...], Field(min_length=1, max_length=20)]


class DeviceBody(Sourced):
    has_device: bool


class SupportsBody(Body):
    """Supports and circumstances of one learner; what is not named stays as it is."""

    accommodations: tuple[AccommodationBody, ...] = ()
    services: tuple[ServiceBody, ...] = ()
    absences: tuple[AbsenceBody, ...] = ()
    off_site: tuple[OffSiteBody, ...] = ()
    restrictions: tuple[RestrictionBody, ...] = ()
    languages: LanguagesBody | None = None
    device: DeviceBody | None = None
    presence: PresenceBody | None = None
    end: tuple[Id, ...] = ()


class LearnerSupportsBody(SupportsBody):
    """One learner of a batch, named by ``learner_id`` or by the roster's ``sourced_id``."""

    learner_id: str | None = None
    sourced_id: str | None = None


class SupportsBatchBody(Body):
    learners: Annotated[tuple[LearnerSupportsBody, ...], Field(min_length=1, max_length=5_000)]


class WishBody(Body):
    kind: Literal["studio", "session", "project", "elective", "protected-time"]
    focus_id: Id


class ChoiceBody(Sourced):
    """Wishes in order, the dearest first."""

    wishes: Annotated[tuple[WishBody, ...], Field(min_length=1, max_length=20)]


class CohortBody(Sourced):
    arm: Id


class MeasureBody(Body):
    kind: str
    competency_ids: tuple[Id, ...] = ()
    unit: str = ""


class GoalBody(Sourced):
    """``measure``, ``target`` and ``due`` may be left out here: the domain refuses such a goal and says what it lacks."""

    statement: Text
    measure: MeasureBody | None = None
    target: float | None = None
    due: str | None = None
    horizon: str = "short"


class GoalLogBody(Body):
    amount: float


class GoalClosingBody(Body):
    outcome: str


class AboutBody(Body):
    kind: str
    id: str = ""


class RequestBody(Body):
    kind: Literal["request", "objection"]
    about: AboutBody
    text: Text


class AnswerBody(Body):
    answer: str
    text: Text


class ReflectionBody(Body):
    text: Text
    evidence_ids: tuple[Id, ...] = ()
    competency_ids: tuple[Id, ...] = ()


class AcceptanceBody(Body):
    """``confirm_deactivations`` is the exact number, where it lies beyond the threshold."""

    confirm_deactivations: int | None = None


class CertificatesBody(Body):
    codes: Annotated[tuple[Id, ...], Field(max_length=100)]


class WithdrawalBody(Body):
    reason: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[a-z\-]+$")] = "mistaken"
