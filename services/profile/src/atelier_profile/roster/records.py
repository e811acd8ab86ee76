"""What a valid roster says, as records: organisations, sessions, learners, guardians, adults. Plaintext, held only in memory.

Taken is what schools are run by. Sex, race and place of birth are not read at all: nothing here needs them.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
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
    person: Person
    birth_date: str
    enrolled_year: str
    site_ids: tuple[str, ...]
    guardian_keys: tuple[str, ...]


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
    learners: list[LearnerRecord] = []
    adults: list[AdultRecord] = []
    relations: dict[str, str] = {}
    people = {row["sourcedId"]: row for row in tables["users"]}
    without_role = 0
    for key, row in people.items():
        held = roles.get(key, ())
        without_role += not held
        studies_at = tuple(dict.fromkeys(site for role, site in held if role == "student"))
        works_as = tuple((role, site) for role, site in held if role != "student" and role not in GUARDIAN_ROLES)
        for role, _ in held:
            if role in GUARDIAN_ROLES:
                relations.setdefault(key, role)
        if studies_at:
            agents = tuple(sorted(set(listed(row["agentSourcedIds"]))))
            for agent in agents:
                relations.setdefault(agent, "guardian")
            level = ",".join(listed(row["grades"]))
            learners.append(LearnerRecord(_person(row), births.get(key, ""), level, studies_at, agents))
        if works_as:
            adults.append(AdultRecord(_person(row), works_as))
    return Roster(
        organisations={row["sourcedId"]: _organisation(row) for row in tables["orgs"]},
        sessions={row["sourcedId"]: _session(row) for row in tables["academicSessions"]},
        learners=tuple(learners),
        guardians=tuple(GuardianRecord(_person(people[key]), relations[key]) for key in sorted(relations)),
        adults=tuple(adults),
        without_role=without_role,
        rows={name: {row["sourcedId"]: row.number for row in tables[name]} for name in ("orgs", "academicSessions")},
    )


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
