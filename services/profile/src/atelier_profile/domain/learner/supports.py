"""Accommodations, services, absences, off-site times, restrictions and presence: which of a request are news."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from atelier_common.errors import NotFound

from atelier_profile.domain.learner.checks import (
    absence_checked,
    accommodation_checked,
    languages_checked,
    off_site_checked,
    presence_checked,
    restriction_checked,
    service_checked,
)
from atelier_profile.domain.learner.commands import RecordSupports
from atelier_profile.domain.learner.events import (
    AbsenceSet,
    AccommodationSet,
    DeviceRecorded,
    LanguagesRecorded,
    LearnerEvent,
    OffSiteSet,
    PresenceRecorded,
    RestrictionSet,
    ServiceSet,
    SupportEnded,
)
from atelier_profile.domain.learner.state import Known
from atelier_profile.domain.provenance import says_the_same, settled


def supports_changed(command: RecordSupports, state: Known) -> Sequence[LearnerEvent]:
    """One event for each support that is new or different; raises InvalidInput naming the field, NotFound for an unknown end."""
    who, now = state.learner_id, command.now
    for ended in command.ended_ids:
        if not state.holds(ended):
            raise NotFound(f"learner {who} has no support {ended}")
    events: list[LearnerEvent] = [SupportEnded(who, ended) for ended in command.ended_ids]
    for accommodation in map(partial(accommodation_checked, now), command.accommodations):
        if not says_the_same(state.accommodations.get(accommodation.accommodation_id), accommodation):
            events.append(AccommodationSet(who, accommodation))
    for service in map(partial(service_checked, now), command.services):
        if not says_the_same(state.services.get(service.service_id), service):
            events.append(ServiceSet(who, service))
    for absence in map(partial(absence_checked, now), command.absences):
        if not says_the_same(state.absences.get(absence.absence_id), absence):
            events.append(AbsenceSet(who, absence))
    for off_site in map(partial(off_site_checked, now), command.off_site):
        if not says_the_same(state.off_site.get(off_site.off_site_id), off_site):
            events.append(OffSiteSet(who, off_site))
    for restriction in map(partial(restriction_checked, now, who), command.restrictions):
        if not says_the_same(state.restrictions.get(restriction.restriction_id), restriction):
            events.append(RestrictionSet(who, restriction))
    return [*events, *_circumstances_changed(command, state)]


def _circumstances_changed(command: RecordSupports, state: Known) -> Sequence[LearnerEvent]:
    who, now = state.learner_id, command.now
    events: list[LearnerEvent] = []
    if command.languages is not None and not says_the_same(state.languages, command.languages):
        events.append(LanguagesRecorded(who, languages_checked(now, command.languages)))
    if command.device is not None and not says_the_same(state.device, command.device):
        events.append(DeviceRecorded(who, replace(command.device, provenance=settled(command.device.provenance, now))))
    if command.presence is not None and not says_the_same(state.presence, command.presence):
        events.append(PresenceRecorded(who, presence_checked(now, command.presence)))
    return events
