"""What can happen to a learner's record."""

from dataclasses import dataclass

from atelier_profile.domain.learner.values import (
    Absence,
    Accommodation,
    Choice,
    Cohort,
    Device,
    Fact,
    Interest,
    Languages,
    OffSite,
    Presence,
    PublicLearner,
    Restriction,
    RosterEntry,
    SupportService,
)
from atelier_profile.domain.registry import registry


@registry.event("LearnerEnrolled")
@dataclass(frozen=True, slots=True)
class LearnerEnrolled:
    learner_id: str
    entry: RosterEntry


@registry.event("LearnerRosterChanged")
@dataclass(frozen=True, slots=True)
class LearnerRosterChanged:
    learner_id: str
    entry: RosterEntry


@registry.event("LearnerDeactivated")
@dataclass(frozen=True, slots=True)
class LearnerDeactivated:
    """The learner left; the record stays."""

    learner_id: str
    reason: str


@registry.event("LearnerReactivated")
@dataclass(frozen=True, slots=True)
class LearnerReactivated:
    learner_id: str


@registry.event("AccommodationSet")
@dataclass(frozen=True, slots=True)
class AccommodationSet:
    learner_id: str
    accommodation: Accommodation


@registry.event("ServiceSet")
@dataclass(frozen=True, slots=True)
class ServiceSet:
    learner_id: str
    service: SupportService


@registry.event("AbsenceSet")
@dataclass(frozen=True, slots=True)
class AbsenceSet:
    learner_id: str
    absence: Absence


@registry.event("OffSiteSet")
@dataclass(frozen=True, slots=True)
class OffSiteSet:
    learner_id: str
    off_site: OffSite


@registry.event("RestrictionSet")
@dataclass(frozen=True, slots=True)
class RestrictionSet:
    learner_id: str
    restriction: Restriction


@registry.event("SupportEnded")
@dataclass(frozen=True, slots=True)
class SupportEnded:
    """An accommodation, service, absence, off-site time or restriction no longer holds; ``ended_id`` is its id."""

    learner_id: str
    ended_id: str


@registry.event("LanguagesRecorded")
@dataclass(frozen=True, slots=True)
class LanguagesRecorded:
    learner_id: str
    languages: Languages


@registry.event("DeviceRecorded")
@dataclass(frozen=True, slots=True)
class DeviceRecorded:
    learner_id: str
    device: Device


@registry.event("PresenceRecorded")
@dataclass(frozen=True, slots=True)
class PresenceRecorded:
    learner_id: str
    presence: Presence


@registry.event("ChoiceMade")
@dataclass(frozen=True, slots=True)
class ChoiceMade:
    learner_id: str
    choice: Choice


@registry.event("CohortAssigned")
@dataclass(frozen=True, slots=True)
class CohortAssigned:
    learner_id: str
    cohort: Cohort


@registry.event("FactRecorded")
@dataclass(frozen=True, slots=True)
class FactRecorded:
    learner_id: str
    fact: Fact


@registry.event("FactWithdrawn")
@dataclass(frozen=True, slots=True)
class FactWithdrawn:
    learner_id: str
    fact_id: str
    reason: str


@registry.event("InterestSet")
@dataclass(frozen=True, slots=True)
class InterestSet:
    learner_id: str
    interest: Interest


@registry.event("InterestRemoved")
@dataclass(frozen=True, slots=True)
class InterestRemoved:
    learner_id: str
    topic: str


@registry.event("LearnerErased")
@dataclass(frozen=True, slots=True)
class LearnerErased:
    learner_id: str
    request_id: str
    erased_at: int


@registry.event("PublicLearnerChanged")
@dataclass(frozen=True, slots=True)
class PublicLearnerChanged:
    """Closes every decision that changed what neighbours may know; carries all of it, so that publishing is a pure translation."""

    learner: PublicLearner


LearnerEvent = (
    LearnerEnrolled
    | LearnerRosterChanged
    | LearnerDeactivated
    | LearnerReactivated
    | AccommodationSet
    | ServiceSet
    | AbsenceSet
    | OffSiteSet
    | RestrictionSet
    | SupportEnded
    | LanguagesRecorded
    | DeviceRecorded
    | PresenceRecorded
    | ChoiceMade
    | CohortAssigned
    | FactRecorded
    | FactWithdrawn
    | InterestSet
    | InterestRemoved
    | LearnerErased
    | PublicLearnerChanged
)
