"""From the bytes of a zip to the comparison with the present roster: pure, but for the keys it is handed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from atelier_common.decider import canonical
from atelier_common.privacy.pseudonym import pseudonym_with

from atelier_profile.domain.district import AcademicSession, Organisation
from atelier_profile.roster.archive import read_archive
from atelier_profile.roster.compare import Difference, Present, Wanted, compare
from atelier_profile.roster.records import AdultRecord, GuardianRecord, LearnerRecord, content, records
from atelier_profile.roster.validate import validate

Record = Organisation | AcademicSession | LearnerRecord | GuardianRecord | AdultRecord


@dataclass(frozen=True, slots=True)
class Comparison:
    """``wanted`` and ``fingerprints`` by (kind, id); ``guardian_ids`` and ``adult_ids`` by sourcedId; ``without_role``: users left out."""

    wanted: Mapping[tuple[str, str], Record]
    fingerprints: Mapping[tuple[str, str], str]
    guardian_ids: Mapping[str, str]
    adult_ids: Mapping[str, str]
    difference: Difference
    without_role: int


def compared(zipped: bytes, key: bytes, today: str, present: Iterable[Present]) -> Comparison:
    """Raises InvalidInput or TooLarge for a zip that is refused, naming table, row and column.

    ``key`` is the district's pseudonym key: ids and fingerprints are made under it, so that neither reveals a name or a SIS id.
    """
    tables = read_archive(zipped)
    validate(tables)
    roster = records(tables, today)
    wanted: dict[tuple[str, str], Record] = {}
    prints: dict[tuple[str, str], str] = {}
    places: list[Wanted] = []

    def want(kind: str, id: str, record: Record, fingerprint: str, table: str, row: int) -> None:
        wanted[kind, id] = record
        prints[kind, id] = fingerprint
        places.append(Wanted(kind, id, fingerprint, table, row))

    for site_id, site in roster.organisations.items():
        want("organisation", site_id, site, open_fingerprint(site), "orgs", roster.rows["orgs"][site_id])
    for session_id, session in roster.sessions.items():
        row = roster.rows["academicSessions"][session_id]
        want("academic_session", session_id, session, open_fingerprint(session), "academicSessions", row)
    people: list[tuple[str, LearnerRecord | GuardianRecord | AdultRecord]] = [
        *(("guardian", guardian) for guardian in roster.guardians),
        *(("adult", adult) for adult in roster.adults),
        *(("learner", learner) for learner in roster.learners),
    ]
    ids: dict[str, dict[str, str]] = {"guardian": {}, "adult": {}, "learner": {}}
    for kind, person in people:
        identifier = ids[kind][person.person.key] = pseudonym_with(key, kind, person.person.key)
        fingerprint = pseudonym_with(key, "roster", canonical(content(person)).decode())
        want(kind, identifier, person, fingerprint, "users", person.person.row)
    return Comparison(wanted, prints, ids["guardian"], ids["adult"], compare(places, present), roster.without_role)


def open_fingerprint(fact: Organisation | AcademicSession) -> str:
    """The content itself: facts of a district are not personal, so nothing needs to be hidden in a digest."""
    return canonical(fact).decode()
