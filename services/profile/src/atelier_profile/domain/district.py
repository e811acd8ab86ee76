"""Facts of the district that a roster brings along: its organisations and its academic sessions. None of them is personal."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from atelier_common.decider import Decider
from atelier_common.errors import NotFound

from atelier_profile.domain.registry import registry


@dataclass(frozen=True, slots=True)
class Organisation:
    """``kind`` is the OneRoster org type (``school``, ``district`` ...); ``parent_id`` empty at the top."""

    name: str
    kind: str
    parent_id: str


@dataclass(frozen=True, slots=True)
class AcademicSession:
    """First and last day are ISO 8601 dates; ``kind`` is ``schoolYear``, ``term``, ``semester`` or ``gradingPeriod``."""

    title: str
    kind: str
    first_day: str
    last_day: str
    parent_id: str
    school_year: str


@registry.event("OrganisationRecorded")
@dataclass(frozen=True, slots=True)
class OrganisationRecorded:
    site_id: str
    organisation: Organisation


@registry.event("AcademicSessionRecorded")
@dataclass(frozen=True, slots=True)
class AcademicSessionRecorded:
    session_id: str
    session: AcademicSession


@registry.event("DistrictFactRetired")
@dataclass(frozen=True, slots=True)
class DistrictFactRetired:
    """An organisation or session that the roster no longer names; ``fact_id`` is its id."""

    fact_id: str


DistrictEvent = OrganisationRecorded | AcademicSessionRecorded | DistrictFactRetired


@dataclass(frozen=True, slots=True)
class RecordOrganisation:
    site_id: str
    organisation: Organisation
    now: int


@dataclass(frozen=True, slots=True)
class RecordAcademicSession:
    session_id: str
    session: AcademicSession
    now: int


@dataclass(frozen=True, slots=True)
class RetireDistrictFact:
    fact_id: str
    now: int


DistrictCommand = RecordOrganisation | RecordAcademicSession | RetireDistrictFact


@dataclass(frozen=True, slots=True)
class DistrictFact:
    """``content`` is None while nothing is known; a retired fact keeps its content."""

    content: Organisation | AcademicSession | None = None
    active: bool = False


def decide(command: DistrictCommand, state: DistrictFact) -> Sequence[DistrictEvent]:
    match command:
        case RecordOrganisation():
            if state == DistrictFact(command.organisation, active=True):
                return []
            return [OrganisationRecorded(command.site_id, command.organisation)]
        case RecordAcademicSession():
            if state == DistrictFact(command.session, active=True):
                return []
            return [AcademicSessionRecorded(command.session_id, command.session)]
        case RetireDistrictFact():
            if state.content is None:
                raise NotFound(f"there is no organisation or session {command.fact_id}")
            return [DistrictFactRetired(command.fact_id)] if state.active else []
        case _:
            assert_never(command)


def evolve(state: DistrictFact, event: DistrictEvent) -> DistrictFact:
    match event:
        case OrganisationRecorded():
            return DistrictFact(event.organisation, active=True)
        case AcademicSessionRecorded():
            return DistrictFact(event.session, active=True)
        case DistrictFactRetired():
            return DistrictFact(state.content, active=False)
        case _:
            assert_never(event)


organisation: Decider[DistrictCommand, DistrictFact, DistrictEvent] = Decider(
    category="organisation", registry=registry, initial=DistrictFact, decide=decide, evolve=evolve
)
academic_session: Decider[DistrictCommand, DistrictFact, DistrictEvent] = Decider(
    category="academic_session", registry=registry, initial=DistrictFact, decide=decide, evolve=evolve
)
