"""Which records of the roster are known, active, and by which fingerprint: what an import compares its file with."""

from collections.abc import Sequence
from typing import Any

from atelier_common.commit import RecordedEvent
from atelier_common.documents.port import Body
from atelier_common.projection import Projection, by_type

from atelier_profile.domain.adult import AdultDeactivated, AdultRecorded
from atelier_profile.domain.district import AcademicSessionRecorded, DistrictFactRetired, OrganisationRecorded
from atelier_profile.domain.guardian import GuardianDeactivated, GuardianRecorded
from atelier_profile.domain.learner.events import (
    LearnerDeactivated,
    LearnerEnrolled,
    LearnerErased,
    LearnerReactivated,
    LearnerRosterChanged,
)
from atelier_profile.domain.registry import registry
from atelier_profile.importing.planning import open_fingerprint


def _keys(event: RecordedEvent) -> Sequence[str]:
    return (event.stream,)


def _recorded(_document: Body | None, event: Any, _recorded: RecordedEvent, _key: str) -> Body:
    return {"fingerprint": event.entry.fingerprint, "active": True}


def _changed(document: Body | None, event: LearnerRosterChanged, _recorded: RecordedEvent, _key: str) -> Body:
    return {**(document or {"active": True}), "fingerprint": event.entry.fingerprint}


def _gone(document: Body | None, _event: Any, _recorded: RecordedEvent, _key: str) -> Body | None:
    return {**document, "active": False} if document else None


def _back(document: Body | None, _event: Any, _recorded: RecordedEvent, _key: str) -> Body | None:
    return {**document, "active": True} if document else None


def _erased(_document: Body | None, _event: Any, _recorded: RecordedEvent, _key: str) -> Body:
    return {"fingerprint": "", "active": False, "erased": True}


def _site(_document: Body | None, event: OrganisationRecorded, _recorded: RecordedEvent, _key: str) -> Body:
    return {"fingerprint": open_fingerprint(event.organisation), "active": True}


def _session(_document: Body | None, event: AcademicSessionRecorded, _recorded: RecordedEvent, _key: str) -> Body:
    return {"fingerprint": open_fingerprint(event.session), "active": True}


HANDLERS: dict[type, Any] = {
    LearnerEnrolled: _recorded,
    LearnerRosterChanged: _changed,
    LearnerDeactivated: _gone,
    LearnerReactivated: _back,
    LearnerErased: _erased,
    AdultRecorded: _recorded,
    AdultDeactivated: _gone,
    GuardianRecorded: _recorded,
    GuardianDeactivated: _gone,
    OrganisationRecorded: _site,
    AcademicSessionRecorded: _session,
    DistrictFactRetired: _gone,
}

roster_entries = Projection(
    name="roster_entries",
    version=1,
    keys=_keys,
    apply=by_type(HANDLERS),
    types=frozenset(registry.name_of(event) for event in HANDLERS),
)
