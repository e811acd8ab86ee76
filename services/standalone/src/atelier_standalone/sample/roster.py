"""The sample district's people as a OneRoster 1.2 CSV zip."""

import csv
import io
import zipfile
from collections.abc import Iterable, Sequence

from atelier_standalone.sample.names import words
from atelier_standalone.sample.people import DISTRICT_ID, SITES, LearnerPerson, People, Person

_COMMON = ("sourcedId", "status", "dateLastModified")
_PRESENT = ("academicSessions", "demographics", "orgs", "roles", "users")
_ABSENT = words(
    "categories classes classResources courses courseResources enrollments lineItemLearningObjectiveIds lineItems lineItemScoreScales "
    "resources resultLearningObjectiveIds results resultScoreScales scoreScales userProfiles userResources"
)
_SESSION = (*_COMMON, "title", "type", "startDate", "endDate", "parentSourcedId", "schoolYear")
_ORG = (*_COMMON, "name", "type", "identifier", "parentSourcedId")
_USER = (
    *_COMMON,
    *words(
        "enabledUser username userIds givenName familyName middleName identifier email sms phone agentSourcedIds grades password"
    ),
    *words(
        "userMasterIdentifier resourceSourcedIds preferredGivenName preferredMiddleName preferredFamilyName primaryOrgSourcedId"
    ),
    "pronouns",
)
_ROLE = (*_COMMON, *words("userSourcedId roleType role beginDate endDate orgSourcedId userProfileSourcedId"))
_DEMOGRAPHIC = (
    *_COMMON,
    *words(
        "birthDate sex americanIndianOrAlaskaNative asian blackOrAfricanAmerican nativeHawaiianOrOtherPacificIslander white"
    ),
    *words(
        "demographicRaceTwoOrMoreRaces hispanicOrLatinoEthnicity countryOfBirthCode stateOfBirthAbbreviation cityOfBirth"
    ),
    "publicSchoolResidenceStatus",
)
_STAMP = (2026, 8, 1, 0, 0, 0)


def oneroster_zip(people: People) -> bytes:
    """A bulk export of both sites; the same people give the same bytes (stored, because packers differ between machines)."""
    tables = {
        "manifest": _table(("propertyName", "value"), _manifest()),
        "academicSessions": _table(
            _SESSION, [("year-2026", "", "", "2026-2027", "schoolYear", "2026-08-31", "2027-06-18", "", "2027")]
        ),
        "orgs": _table(_ORG, _orgs()),
        "users": _table(_USER, _users(people)),
        "roles": _table(_ROLE, _roles(people)),
        "demographics": _table(
            _DEMOGRAPHIC,
            [(learner.sourced_id, "", "", learner.born.isoformat(), *[""] * 12) for learner in people.learners],
        ),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, text in tables.items():
            entry = zipfile.ZipInfo(f"{name}.csv", _STAMP)
            entry.create_system = 3  # The default tells the operating system apart, and the bytes with it.
            archive.writestr(entry, text, zipfile.ZIP_STORED)
    return buffer.getvalue()


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue()


def _manifest() -> list[tuple[str, str]]:
    files = [(f"file.{name}", "bulk" if name in _PRESENT else "absent") for name in sorted((*_PRESENT, *_ABSENT))]
    source = [("source.systemName", "Fictional Harbour District sample"), ("source.systemCode", "harbour-sample")]
    return [("manifest.version", "1.0"), ("oneroster.version", "1.2"), *files, *source]


def _orgs() -> list[tuple[str, ...]]:
    district = (DISTRICT_ID, "", "", "Fictional Harbour District", "district", "", "")
    return [district, *((site.site_id, "", "", site.name, "school", "", DISTRICT_ID) for site in SITES)]


def _users(people: People) -> list[tuple[str, ...]]:
    def user(person: Person) -> tuple[str, ...]:
        agents = person.guardian if isinstance(person, LearnerPerson) else ""
        names = (person.sourced_id, "", person.given, person.family, "", "", "", "", "", agents)
        return (person.sourced_id, "", "", "true", *names, *[""] * 7, person.site_id, "")

    return [user(person) for person in (*people.learners, *people.adults, *people.guardians)]


def _roles(people: People) -> list[tuple[str, ...]]:
    def role(person: Person, kind: str, name: str, org: str) -> tuple[str, ...]:
        return (f"role-{person.sourced_id}-{org}", "", "", person.sourced_id, kind, name, "", "", org, "")

    rows = [role(learner, "primary", "student", learner.site_id) for learner in people.learners]
    for adult in people.adults:
        rows.append(role(adult, "primary", adult.role, adult.site_id))
        if adult.other_site:
            rows.append(role(adult, "secondary", adult.role, adult.other_site))
    return rows + [role(guardian, "primary", "guardian", guardian.site_id) for guardian in people.guardians]
