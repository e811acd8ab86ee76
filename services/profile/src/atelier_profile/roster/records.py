"""What a valid roster says, as records: organisations, sessions, learners, guardians, adults. Plaintext, held only in memory.

Taken is what schools are run by. Sex, race and place of birth are not read at all: nothing here needs them.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields

from atelier_profile.domain.district import AcademicSession, Organisation
from atelier_profile.roster.archive import Row, Tables
from atelier_profile.roster.validate import listed

GUARDIAN_ROLES = frozenset({"guardian", "parent", "relative"})


@dataclass(frozen=True, slots=True)
class Person:
    """One user in one capacity. ``row`` is the row of users.csv; ``key`` the sourcedId."""

    row: int
    key: str
    display_name: str
    legal_name: str
    username: str
    email: str
    phone: str


@dataclass(frozen=True, slots=True)
class LearnerRecord:
    """``staff_parent_keys``: those of the guardians who also work in the district."""

    person: Person
    birth_date: str
    enrolled_year: str
    site_ids: tuple[str, ...]
    guardian_keys: tuple[str, ...]
    staff_parent_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GuardianRecord:
    person: Person
    relation: str


@dataclass(frozen=True, slots=True)
class AdultRecord:
    """``roles``: (role, site id), the primary one first."""

    person: Person
    roles: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Roster:
    """``without_role`` counts users with no role that holds today: they are nobody in any school and are left out."""

    organisations: Mapping[str, Organisation]
    sessions: Mapping[str, AcademicSession]
    learners: tuple[LearnerRecord, ...]
    guardians: tuple[GuardianRecord, ...]
    adults: tuple[AdultRecord, ...]
    without_role: int
    rows: Mapping[str, Mapping[str, int]]


def records(tables: Tables, today: str) -> Roster:
    """``today`` is an ISO date: a role that has ended by then gives nothing."""
    roles = _roles_by_user(tables.get("roles", ()), today)
    births = {row["sourcedId"]: row["birthDate"] for row in tables.get("demographics", ())}
    people = {row["sourcedId"]: row for row in tables["users"]}
    works_as = {key: tuple(_work(held)) for key, held in roles.items() if any(_work(held))}
    relations = {key: role for key, held in roles.items() for role, _ in held if role in GUARDIAN_ROLES}
    learners: list[LearnerRecord] = []
    for key, row in people.items():
        studies_at = tuple(dict.fromkeys(site for role, site in roles.get(key, ()) if role == "student"))
        if not studies_at:
            continue
        agents = tuple(sorted(set(listed(row["agentSourcedIds"]))))
        for agent in agents:
            relations.setdefault(agent, "guardian")
        learner = LearnerRecord(
            person=_person(row),
            birth_date=births.get(key, ""),
            enrolled_year=",".join(listed(row["grades"])),
            site_ids=studies_at,
            guardian_keys=agents,
            staff_parent_keys=tuple(agent for agent in agents if agent in works_as),
        )
        learners.append(learner)
    somebody = {learner.person.key for learner in learners} | works_as.keys() | relations.keys()
    return Roster(
        organisations={row["sourcedId"]: _organisation(row) for row in tables["orgs"]},
        sessions={row["sourcedId"]: _session(row) for row in tables["academicSessions"]},
        learners=tuple(learners),
        guardians=tuple(GuardianRecord(_person(people[key]), relations[key]) for key in sorted(relations)),
        adults=tuple(AdultRecord(_person(people[key]), held) for key, held in works_as.items()),
        without_role=len(people.keys() - somebody),
        rows={name: {row["sourcedId"]: row.number for row in tables[name]} for name in ("orgs", "academicSessions")},
    )


def _work(held: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    return ((role, site) for role, site in held if role != "student" and role not in GUARDIAN_ROLES)


def content(record: LearnerRecord | GuardianRecord | AdultRecord) -> list[object]:
    """All that a record says, without where it stands: what its fingerprint is taken over."""
    person = [getattr(record.person, spec.name) for spec in fields(record.person) if spec.name != "row"]
    return [*person, *(getattr(record, spec.name) for spec in fields(record) if spec.name != "person")]


def _roles_by_user(rows: Sequence[Row], today: str) -> Mapping[str, Sequence[tuple[str, str]]]:
    found: dict[str, list[tuple[bool, str, str]]] = defaultdict(list)
    for row in rows:
        if not row["endDate"] or row["endDate"] >= today:
            found[row["userSourcedId"]].append((row["roleType"] != "primary", row["role"], row["orgSourcedId"]))
    return {key: [(role, site) for _, role, site in sorted(set(held))] for key, held in found.items()}


def _person(row: Row) -> Person:
    given = row["preferredGivenName"] or row["givenName"]
    family = row["preferredFamilyName"] or row["familyName"]
    return Person(
        row=row.number,
        key=row["sourcedId"],
        display_name=f"{given} {family}".strip(),
        legal_name=" ".join(part for part in (row["givenName"], row["middleName"], row["familyName"]) if part),
        username=row["username"],
        email=row["email"],
        phone=row["sms"] or row["phone"],
    )


def _organisation(row: Row) -> Organisation:
    return Organisation(row["name"], row["type"], row["parentSourcedId"])


def _session(row: Row) -> AcademicSession:
    return AcademicSession(
        row["title"], row["type"], row["startDate"], row["endDate"], row["parentSourcedId"], row["schoolYear"]
    )
