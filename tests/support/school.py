"""A small, plainly fictional school as the files a district would hand over: two dozen learners, four adults, two bells."""

import csv
import io
import itertools
import json
import uuid
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

DISTRICT = "fictional-district"
SITE = "fictional-school"
TENANT = "fictional-tenant"
TIME_ZONE = "Europe/Madrid"
WEEK = "2026-W41"
MONDAY = date(2026, 10, 5)
SATURDAY_BEFORE = 1_790_928_000_000
"""Before the planned week, in milliseconds UTC: 2026-10-02T08:00Z, a Friday morning."""
NUMBERS, WORDS = "Numbers", "Words"
AHEAD = ("pupil-01", "pupil-07", "pupil-09", "pupil-13")
"""They have shown a step before its studio is planned, so that there is one for what comes after it."""
TEACHERS = ("adult-1", "adult-2", "adult-3", "adult-4")
BASE = "https://example.org/ims/case/v1p1"
STAMP = "2026-08-01T00:00:00Z"
_SPACE = uuid.UUID("6d1a3c2e-93f4-5d27-9a40-0c1e5f6b7a81")
Data = dict[str, Any]


@dataclass(frozen=True)
class Pupil:
    """A learner as the roster has them. ``grade`` is what the state wants to hear, and nothing else reads it."""

    sourced_id: str
    name: str
    born: date
    bell: str
    grade: str


def pupils(count: int = 24) -> tuple[Pupil, ...]:
    """Aged 7 to 13 in turn, so that any group of neighbours in the list is of mixed age; half of them on each bell."""
    return tuple(
        Pupil(
            f"pupil-{number:02d}",
            f"Pupil Number{number:02d}",
            date(2013 + number % 7, 1 + number % 12, 11),
            ("early", "late")[number % 2],
            f"{7 - number % 7:02d}",
        )
        for number in range(1, count + 1)
    )


def competency(code: str) -> str:
    """The CASE identifier of a competency, by its code: N1 to N6 and W1 to W6."""
    return str(uuid.uuid5(_SPACE, code))


def uri(code: str) -> str:
    return f"{BASE}/CFItems/{competency(code)}"


CODES = tuple(f"{letter}{place}" for letter in "NW" for place in range(1, 7))


def roster_zip(
    people: Sequence[Pupil],
    teachers: Sequence[str] = TEACHERS,
    sites: Sequence[str] = (SITE,),
    learns_at: Mapping[str, str] | None = None,
) -> bytes:
    """A OneRoster 1.2 bulk export: orgs, users with roles and birth dates. ``learns_at``: the site of pupils who are not at the first."""
    at = learns_at or {}
    present = ("academicSessions", "demographics", "orgs", "roles", "users")
    absent = _words(
        """categories classes classResources courses courseResources enrollments lineItemLearningObjectiveIds
        lineItems lineItemScoreScales resources resultLearningObjectiveIds results resultScoreScales scoreScales
        userProfiles userResources"""
    )
    manifest = [("manifest.version", "1.0"), ("oneroster.version", "1.2")]
    manifest += [(f"file.{name}", "bulk" if name in present else "absent") for name in sorted((*present, *absent))]
    manifest += [("source.systemName", "Fictional"), ("source.systemCode", "fictional")]
    users = [(one.sourced_id, *one.name.split(" ", 1), one.grade) for one in people]
    users += [(name, "Adult", name.title(), "") for name in teachers]
    roles = [(one.sourced_id, "student") for one in people] + [(name, "teacher") for name in teachers]
    common = ["sourcedId", "status", "dateLastModified"]
    user_columns = _words(
        """enabledUser username userIds givenName familyName middleName identifier email sms phone agentSourcedIds grades
        password userMasterIdentifier resourceSourcedIds preferredGivenName preferredMiddleName preferredFamilyName
        primaryOrgSourcedId pronouns"""
    )
    demographic_columns = _words(
        """birthDate sex americanIndianOrAlaskaNative asian blackOrAfricanAmerican nativeHawaiianOrOtherPacificIslander
        white demographicRaceTwoOrMoreRaces hispanicOrLatinoEthnicity countryOfBirthCode stateOfBirthAbbreviation
        cityOfBirth publicSchoolResidenceStatus"""
    )
    role_columns = _words("userSourcedId roleType role beginDate endDate orgSourcedId userProfileSourcedId")
    tables = {
        "manifest": _table(["propertyName", "value"], manifest),
        "academicSessions": _table(
            [*common, "title", "type", "startDate", "endDate", "parentSourcedId", "schoolYear"],
            [("year", "", "", "2026-2027", "schoolYear", "2026-09-01", "2027-06-30", "", "2027")],
        ),
        "orgs": _table(
            [*common, "name", "type", "identifier", "parentSourcedId"],
            [
                (DISTRICT, "", "", "Fictional District", "district", "", ""),
                *((site, "", "", f"The {site}", "school", "", DISTRICT) for site in sites),
            ],
        ),
        "users": _table(
            [*common, *user_columns],
            [
                (name, "", "", "true", name, "", given, family, *[""] * 6, grade, *[""] * 6, at.get(name, sites[0]), "")
                for name, given, family, grade in users
            ],
        ),
        "roles": _table(
            [*common, *role_columns],
            [
                _role(name, role, site, site == at.get(name, sites[0]))
                for name, role in roles
                for site in (sites if role == "teacher" else (at.get(name, sites[0]),))
            ],
        ),
        "demographics": _table(
            [*common, *demographic_columns],
            [(one.sourced_id, "", "", one.born.isoformat(), *[""] * 12) for one in people],
        ),
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in tables.items():
            archive.writestr(f"{name}.csv", text)
    return packed.getvalue()


def _role(name: str, role: str, site: str, first: bool) -> tuple[str, ...]:
    return (f"role-{name}-{site}", "", "", name, "primary" if first else "secondary", role, "", "", site, "")


def _words(text: str) -> list[str]:
    return text.split()


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def case_package() -> bytes:
    """Two strands of six competencies; each step is essential for the one after it."""
    title = "Fictional Competencies"
    framework = competency("framework")
    link = {"title": title, "identifier": framework, "uri": f"{BASE}/CFDocuments/{framework}"}
    subject = {"N": NUMBERS, "W": WORDS}
    items = [
        {
            "identifier": competency(code),
            "uri": uri(code),
            "humanCodingScheme": code,
            "fullStatement": f"Can do step {code[1]} of {subject[code[0]].lower()}",
            "CFItemType": "Competency",
            "subject": [subject[code[0]]],
            "lastChangeDateTime": STAMP,
            "CFDocumentURI": link,
        }
        for code in CODES
    ]
    edges = [
        {
            "identifier": competency(f"{first}>{then}"),
            "uri": f"{BASE}/CFAssociations/{competency(f'{first}>{then}')}",
            "associationType": "precedes",
            "originNodeURI": {"title": first, "identifier": competency(first), "uri": uri(first)},
            "destinationNodeURI": {"title": then, "identifier": competency(then), "uri": uri(then)},
            "extensions": {"essential": True},
            "lastChangeDateTime": STAMP,
            "CFDocumentURI": link,
        }
        for first, then in itertools.pairwise(CODES)
        if first[0] == then[0]
    ]
    document = {
        "identifier": framework,
        "uri": link["uri"],
        "creator": "Fictional District",
        "title": title,
        "caseVersion": "1.1",
        "lastChangeDateTime": STAMP,
        "adoptionStatus": "Adopted",
        "language": "en",
        "CFPackageURI": {**link, "uri": f"{BASE}/CFPackages/{framework}"},
    }
    return json.dumps({"CFDocument": document, "CFItems": items, "CFAssociations": edges}).encode()


@dataclass(frozen=True)
class Model:
    """What differs between two school models: their bells, zones, and words for kinds of session and roles."""

    bells: list[Data]
    zones: list[Data]
    kinds: list[Data]
    roles: dict[str, list[str]] = field(default_factory=dict)


def slots(*given: str) -> list[Data]:
    """``"Block one 09:00 10:30 teaching"``, a slot each."""
    found = []
    for line in given:
        name, start, end, purpose = line.rsplit(" ", 3)
        found.append({"name": name, "start": start, "end": end, "purpose": purpose})
    return found


def studios() -> Model:
    """Long blocks, two bells that differ in when lunch is."""
    morning = ("Circle 08:30 08:45 home", "Block one 08:45 10:15 teaching", "Recess 10:15 10:30 recess")
    end = ("Block three 13:00 14:15 teaching",)
    return Model(
        bells=[
            {
                "id": "early",
                "title": "Early lunch",
                "slots": slots(*morning, "Lunch 11:15 11:45 lunch", "Block two 11:45 13:00 teaching", *end)
                + slots("Short block 10:30 11:15 teaching"),
            },
            {
                "id": "late",
                "title": "Late lunch",
                "slots": slots(*morning, "Block two 10:30 11:45 teaching", "Lunch 11:45 12:15 lunch", *end)
                + slots("Short block 12:15 13:00 teaching"),
            },
        ],
        zones=[
            zone("birch", "Birch studio", "studio", 16),
            zone("cedar", "Cedar studio", "studio", 16),
            zone("elm", "Elm studio", "studio", 16),
            zone("hall", "Hall", "commons", 40, shared=True),
            zone("yard", "Yard", "outdoors", 60, shared=True),
        ],
        kinds=kinds("studio-lesson", "studio", "commons", "outdoors", cap=14, age_span_months=84),
    )


def zone(name: str, title: str, kind: str, seats: int, **more: Any) -> Data:
    return {"id": name, "name": title, "kind": kind, "seats": seats, **more}


def kinds(lesson: str, where: str, commons: str, outside: str, *, cap: int, age_span_months: int = 0) -> list[Data]:
    """The kinds of session of a school, in its own words."""
    return [
        {
            "id": lesson,
            "focus_kinds": ["competency", "subject"],
            "teaching": True,
            "zone_kinds": [where],
            "cap": cap,
            "fewest": 2,
            "age_span_months": age_span_months,
        },
        {
            "id": "own-work",
            "focus_kinds": ["study", "passion"],
            "independent": True,
            "zone_kinds": [commons, where],
            "cap": 24,
        },
        {"id": "circle", "focus_kinds": ["home", "reflection"], "zone_kinds": [where, commons], "cap": 24},
        {"id": "lunch", "focus_kinds": ["lunch"], "zone_kinds": [commons], "cap": 30},
        {"id": "recess", "focus_kinds": ["recess"], "zone_kinds": [outside], "cap": 40},
    ]


def site_description(
    model: Model,
    people: Sequence[Pupil],
    teachers: Sequence[str] = TEACHERS,
    site_id: str = SITE,
    bell_of: dict[str, str] | None = None,
    certificates: dict[str, list[str]] | None = None,
    **more: Any,
) -> Data:
    """A site as ``atelier import site`` takes it. ``bell_of`` renames the bells that learners ring by; ``certificates``
    says who may teach what (otherwise the first three adults teach both subjects)."""
    held = certificates if certificates is not None else {name: [NUMBERS, WORDS] for name in teachers[:3]}
    return {
        "format": 1,
        "site_id": site_id,
        "title": f"The {site_id}",
        "time_zone": TIME_ZONE,
        "bells": model.bells,
        "zones": model.zones,
        "kinds": model.kinds,
        "staff": [
            {
                "adult": name,
                "roles": model.roles.get(name, ["teacher"]),
                "certificates": held.get(name, []),
            }
            for place, name in enumerate(teachers)
        ],
        "placements": [{"learner": one.sourced_id, "bell": (bell_of or {}).get(one.bell, one.bell)} for one in people],
        "policy": {"studio_fewest": 2, "studio_most": 14, "term": "autumn-2026"},
        "competencies_per_subject": 1,
        "competency_minutes": 45,
        "cut_off": {"days_before": 2, "at": "16:00"},
        "effort": 1,
        "seed": 5,
        **more,
    }


def statement(
    pupil: str, code: str, number: int, *, correct: bool = True, at: str = "2026-10-01T09:00:00Z", **more: Any
) -> Data:
    """An xAPI statement of one answer to one item; ``number`` tells items and statements apart."""
    return {
        "id": str(uuid.uuid5(_SPACE, f"{pupil}:{code}:{number}")),
        "actor": {"objectType": "Agent", "account": {"homePage": "https://school.example.org", "name": pupil}},
        "verb": {"id": "http://adlnet.gov/expapi/verbs/answered"},
        "object": {"objectType": "Activity", "id": f"https://school.example.org/items/{code}-{number}"},
        "result": {"success": correct, "score": {"scaled": 1.0 if correct else 0.0}},
        "context": {"contextActivities": {"grouping": [{"objectType": "Activity", "id": uri(code)}]}},
        "timestamp": at,
        **more,
    }


def answers(pupil: str, code: str, count: int, *, correct: bool = True, first: int = 1) -> list[Data]:
    """``count`` answers to different items, a minute apart."""
    return [
        statement(pupil, code, number, correct=correct, at=f"2026-10-01T09:{number:02d}:00Z")
        for number in range(first, first + count)
    ]
