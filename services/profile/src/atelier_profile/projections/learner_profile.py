"""What is known of a learner: one document per learner, every fact with its provenance, personal values still sealed."""

from collections.abc import Callable, Mapping
from typing import Any

from atelier_common.commit import RecordedEvent
from atelier_common.documents.port import Body
from atelier_common.projection import Projection, by_stream_key, by_type

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
    LearnerReactivated,
    LearnerRosterChanged,
    OffSiteSet,
    PresenceRecorded,
    RestrictionSet,
    ServiceSet,
    SupportEnded,
)
from atelier_profile.domain.registry import registry
from atelier_profile.projections.plain import plain

SUPPORTS = ("accommodation", "service", "absence", "off-site", "restriction")
"""Groups of facts that end by their id."""

Handler = Callable[[Body | None, Any, RecordedEvent, str], Body | None]


def site_order(site_id: str, learner_id: str) -> str:
    """The value of the index by which learners of one site are listed in order."""
    return f"{site_id}\x1f{learner_id}"


def _enrolled(_document: Body | None, event: LearnerEnrolled, recorded: RecordedEvent, key: str) -> Body:
    return _entered({"learner_id": key, "active": True, "groups": {}}, event, recorded, key)


def _entered(document: Body | None, event: Any, recorded: RecordedEvent, key: str) -> Body:
    entry = plain(event.entry)
    site_ids = entry["site_ids"]
    site = site_ids[0] if site_ids else ""
    return {
        **(document or {}),
        "entry": entry,
        "site": site,
        "site_order": site_order(site, key),
        "version": recorded.version,
    }


def _active(active: bool) -> Handler:
    def apply(document: Body | None, _event: Any, recorded: RecordedEvent, _key: str) -> Body | None:
        return {**document, "active": active, "version": recorded.version} if document else None

    return apply


def _kept(group: str, attribute: str, name: str) -> Handler:
    """Keep an event's value in a group under the id that its field ``name`` holds ('' for the only one of its group)."""

    def apply(document: Body | None, event: Any, recorded: RecordedEvent, _key: str) -> Body | None:
        value = plain(getattr(event, attribute))
        return _grouped(document, recorded, {group: {value[name] if name else "": value}})

    return apply


def _dropped(groups: tuple[str, ...], name: str) -> Handler:
    def apply(document: Body | None, event: Any, recorded: RecordedEvent, _key: str) -> Body | None:
        gone = getattr(event, name)
        return _grouped(document, recorded, {group: {gone: None} for group in groups})

    return apply


def _grouped(document: Body | None, recorded: RecordedEvent, changes: Mapping[str, Mapping[str, Any]]) -> Body | None:
    if document is None:
        return None
    groups = dict(document["groups"])
    for group, change in changes.items():
        held = {**groups.get(group, {}), **change}
        groups[group] = {id: value for id, value in held.items() if value is not None}
    return {**document, "groups": groups, "version": recorded.version}


def _erased(_document: Body | None, event: LearnerErased, recorded: RecordedEvent, key: str) -> Body:
    return {
        "learner_id": key,
        "active": False,
        "erased": True,
        "request_id": event.request_id,
        "erased_at": event.erased_at,
        "version": recorded.version,
    }


HANDLERS: dict[type, Handler] = {
    LearnerEnrolled: _enrolled,
    LearnerRosterChanged: _entered,
    LearnerDeactivated: _active(False),
    LearnerReactivated: _active(True),
    LearnerErased: _erased,
    AccommodationSet: _kept("accommodation", "accommodation", "accommodation_id"),
    ServiceSet: _kept("service", "service", "service_id"),
    AbsenceSet: _kept("absence", "absence", "absence_id"),
    OffSiteSet: _kept("off-site", "off_site", "off_site_id"),
    RestrictionSet: _kept("restriction", "restriction", "restriction_id"),
    SupportEnded: _dropped(SUPPORTS, "ended_id"),
    LanguagesRecorded: _kept("languages", "languages", ""),
    DeviceRecorded: _kept("device", "device", ""),
    PresenceRecorded: _kept("presence", "presence", ""),
    ChoiceMade: _kept("choice", "choice", "choice_id"),
    CohortAssigned: _kept("cohort", "cohort", "study_id"),
    FactRecorded: _kept("fact", "fact", "fact_id"),
    FactWithdrawn: _dropped(("fact",), "fact_id"),
    InterestSet: _kept("interest", "interest", "topic"),
    InterestRemoved: _dropped(("interest",), "topic"),
}

learner_profile = Projection(
    name="learner_profile",
    version=1,
    keys=by_stream_key,
    apply=by_type(HANDLERS),
    indexes=("site_order",),
    types=frozenset(registry.name_of(event) for event in HANDLERS),
)
