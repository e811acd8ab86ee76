"""Adults, guardians, organisations and academic sessions as the roster has them; names still sealed."""

from typing import Any

from atelier_common.commit import RecordedEvent
from atelier_common.documents.port import Body
from atelier_common.projection import Projection, by_type

from atelier_profile.domain.adult import AdultDeactivated, AdultRecorded
from atelier_profile.domain.district import AcademicSessionRecorded, DistrictFactRetired, OrganisationRecorded
from atelier_profile.domain.guardian import GuardianDeactivated, GuardianRecorded
from atelier_profile.domain.registry import registry
from atelier_profile.projections.plain import plain


def _recorded(_document: Body | None, event: Any, recorded: RecordedEvent, _key: str) -> Body:
    category, _, identifier = recorded.stream.partition("/")
    id_name = {"organisation": "site_id", "academic_session": "session_id"}.get(category, f"{category}_id")
    content = plain(event)
    identified = content.pop(id_name)
    assert identified == identifier, "a stream is named by the id of what it tells of"
    return {"category": category, "id": identifier, "active": True, "version": recorded.version, **content}


def _gone(document: Body | None, _event: Any, recorded: RecordedEvent, _key: str) -> Body | None:
    return {**document, "active": False, "version": recorded.version} if document else None


HANDLERS: dict[type, Any] = {
    AdultRecorded: _recorded,
    GuardianRecorded: _recorded,
    OrganisationRecorded: _recorded,
    AcademicSessionRecorded: _recorded,
    AdultDeactivated: _gone,
    GuardianDeactivated: _gone,
    DistrictFactRetired: _gone,
}

district_people = Projection(
    name="district_people",
    version=1,
    keys=lambda event: (event.stream,),
    apply=by_type(HANDLERS),
    types=frozenset(registry.name_of(event) for event in HANDLERS),
)
