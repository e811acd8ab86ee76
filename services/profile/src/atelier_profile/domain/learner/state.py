"""A learner's record as its events left it: not yet known, known, or erased."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar, assert_never

from atelier_profile.domain.learner.events import (
    AbsenceSet,
    AccommodationSet,
    ChoiceMade,
    CohortAssigned,
    DeviceRecorded,
    FactRecorded,
    FactWithdrawn,
    InterestRemoved,
    InterestSet,
    LanguagesRecorded,
    LearnerDeactivated,
    LearnerEnrolled,
    LearnerErased,
    LearnerEvent,
    LearnerReactivated,
    LearnerRosterChanged,
    OffSiteSet,
    PresenceRecorded,
    PublicLearnerChanged,
    RestrictionSet,
    ServiceSet,
    SupportEnded,
)
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

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody has enrolled this learner."""


@dataclass(frozen=True, slots=True)
class Known:
    learner_id: str
    active: bool
    entry: RosterEntry
    accommodations: Mapping[str, Accommodation] = field(default_factory=dict)
    services: Mapping[str, SupportService] = field(default_factory=dict)
    absences: Mapping[str, Absence] = field(default_factory=dict)
    off_site: Mapping[str, OffSite] = field(default_factory=dict)
    restrictions: Mapping[str, Restriction] = field(default_factory=dict)
    languages: Languages | None = None
    device: Device | None = None
    presence: Presence | None = None
    choices: Mapping[str, Choice] = field(default_factory=dict)
    cohorts: Mapping[str, Cohort] = field(default_factory=dict)
    facts: Mapping[str, Fact] = field(default_factory=dict)
    interests: Mapping[str, Interest] = field(default_factory=dict)

    def holds(self, support_id: str) -> bool:
        held = (self.accommodations, self.services, self.absences, self.off_site, self.restrictions)
        return any(support_id in supports for supports in held)


@dataclass(frozen=True, slots=True)
class Erased:
    """Erased for good: only this is kept."""

    learner_id: str
    request_id: str


LearnerState = Unknown | Known | Erased


def evolve(state: LearnerState, event: LearnerEvent) -> LearnerState:
    match event:
        case LearnerEnrolled():
            return Known(event.learner_id, True, event.entry)
        case LearnerErased():
            return Erased(event.learner_id, event.request_id)
        case PublicLearnerChanged():
            return state
        case _:
            return _change(state, event) if isinstance(state, Known) else state


def _change(state: Known, event: LearnerEvent) -> Known:
    match event:
        case LearnerRosterChanged():
            return replace(state, entry=event.entry)
        case LearnerDeactivated():
            return replace(state, active=False)
        case LearnerReactivated():
            return replace(state, active=True)
        case AccommodationSet():
            key = event.accommodation.accommodation_id
            return replace(state, accommodations={**state.accommodations, key: event.accommodation})
        case ServiceSet():
            return replace(state, services={**state.services, event.service.service_id: event.service})
        case AbsenceSet():
            return replace(state, absences={**state.absences, event.absence.absence_id: event.absence})
        case OffSiteSet():
            return replace(state, off_site={**state.off_site, event.off_site.off_site_id: event.off_site})
        case RestrictionSet():
            key = event.restriction.restriction_id
            return replace(state, restrictions={**state.restrictions, key: event.restriction})
        case SupportEnded():
            return replace(
                state,
                accommodations=without(state.accommodations, event.ended_id),
                services=without(state.services, event.ended_id),
                absences=without(state.absences, event.ended_id),
                off_site=without(state.off_site, event.ended_id),
                restrictions=without(state.restrictions, event.ended_id),
            )
        case LanguagesRecorded():
            return replace(state, languages=event.languages)
        case DeviceRecorded():
            return replace(state, device=event.device)
        case PresenceRecorded():
            return replace(state, presence=event.presence)
        case ChoiceMade():
            return replace(state, choices={**state.choices, event.choice.choice_id: event.choice})
        case CohortAssigned():
            return replace(state, cohorts={**state.cohorts, event.cohort.study_id: event.cohort})
        case FactRecorded():
            return replace(state, facts={**state.facts, event.fact.fact_id: event.fact})
        case FactWithdrawn():
            return replace(state, facts=without(state.facts, event.fact_id))
        case InterestSet():
            return replace(state, interests={**state.interests, event.interest.topic: event.interest})
        case InterestRemoved():
            return replace(state, interests=without(state.interests, event.topic))
        case LearnerEnrolled() | LearnerErased() | PublicLearnerChanged():
            return state
        case _:
            assert_never(event)


def without(held: Mapping[str, Item], key: str) -> Mapping[str, Item]:
    return {name: item for name, item in held.items() if name != key} if key in held else held


def public(state: LearnerState) -> PublicLearner | None:
    """What neighbours may know of this state; None where there is no learner to speak of."""
    if not isinstance(state, Known):
        return None
    return PublicLearner(
        learner_id=state.learner_id,
        active=state.active,
        site_ids=state.entry.site_ids,
        guardian_ids=state.entry.guardian_ids,
        parents_on_staff=state.entry.parents_on_staff,
        display_name=state.entry.display_name,
        birth_date=state.entry.birth_date,
        enrolled_year=state.entry.enrolled_year,
        languages=state.languages.tags if state.languages else (),
        has_device=state.device.has_device if state.device else None,
        presence=state.presence,
        interests=in_order(state.interests),
        accommodations=in_order(state.accommodations),
        services=in_order(state.services),
        absences=in_order(state.absences),
        off_site=in_order(state.off_site),
        restrictions=in_order(state.restrictions),
        choices=in_order(state.choices),
        cohorts=in_order(state.cohorts),
    )


def in_order(held: Mapping[str, Item]) -> tuple[Item, ...]:
    return tuple(item for _, item in sorted(held.items()))
