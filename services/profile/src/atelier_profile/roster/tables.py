"""The tables of the OneRoster 1.2 CSV binding as data: columns, what must be filled, enumerations, references.

Column names are those of the binding (1EdTech OneRoster 1.2, CSV). Extra columns may follow on the right if they begin with ``metadata.``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

COMMON = ("sourcedId", "status", "dateLastModified")


@dataclass(frozen=True, slots=True)
class Table:
    """``enums`` also accept ``ext:...``. ``references`` name the table that a column (or a list in it) points into."""

    name: str
    columns: tuple[str, ...]
    filled: frozenset[str] = frozenset()
    enums: Mapping[str, frozenset[str]] = field(default_factory=dict)
    dates: frozenset[str] = frozenset()
    references: Mapping[str, str] = field(default_factory=dict)
    lists: frozenset[str] = frozenset()


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_BOOLEAN = _words("true false")

MANIFEST = ("propertyName", "value")
TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        Table(
            "academicSessions",
            (*COMMON, "title", "type", "startDate", "endDate", "parentSourcedId", "schoolYear"),
            _words("sourcedId title type startDate endDate schoolYear"),
            {"type": _words("gradingPeriod semester schoolYear term")},
            _words("startDate endDate"),
            {"parentSourcedId": "academicSessions"},
        ),
        Table(
            "orgs",
            (*COMMON, "name", "type", "identifier", "parentSourcedId"),
            _words("sourcedId name type"),
            {"type": _words("department district local national school state")},
            references={"parentSourcedId": "orgs"},
        ),
        Table(
            "users",
            (
                *COMMON,
                *[
                    "enabledUser",
                    "username",
                    "userIds",
                    "givenName",
                    "familyName",
                    "middleName",
                    "identifier",
                    "email",
                    "sms",
                    "phone",
                ],
                *[
                    "agentSourcedIds",
                    "grades",
                    "password",
                    "userMasterIdentifier",
                    "resourceSourcedIds",
                    "preferredGivenName",
                ],
                *["preferredMiddleName", "preferredFamilyName", "primaryOrgSourcedId", "pronouns"],
            ),
            _words("sourcedId enabledUser givenName familyName"),
            {"enabledUser": _BOOLEAN},
            references={"agentSourcedIds": "users", "primaryOrgSourcedId": "orgs"},
            lists=_words("agentSourcedIds grades userIds"),
        ),
        Table(
            "roles",
            (
                *COMMON,
                *["userSourcedId", "roleType", "role", "beginDate", "endDate", "orgSourcedId", "userProfileSourcedId"],
            ),
            _words("sourcedId userSourcedId roleType role orgSourcedId"),
            {
                "roleType": _words("primary secondary"),
                "role": _words(
                    "aide counselor districtAdministrator guardian parent principal proctor relative "
                    "siteAdministrator student systemAdministrator teacher"
                ),
            },
            _words("beginDate endDate"),
            {"userSourcedId": "users", "orgSourcedId": "orgs", "userProfileSourcedId": "userProfiles"},
        ),
        Table(
            "demographics",
            (
                *COMMON,
                *["birthDate", "sex", "americanIndianOrAlaskaNative", "asian", "blackOrAfricanAmerican"],
                *["nativeHawaiianOrOtherPacificIslander", "white", "demographicRaceTwoOrMoreRaces"],
                *["hispanicOrLatinoEthnicity", "countryOfBirthCode", "stateOfBirthAbbreviation", "cityOfBirth"],
                "publicSchoolResidenceStatus",
            ),
            _words("sourcedId"),
            dates=_words("birthDate"),
            references={"sourcedId": "users"},
        ),
        Table(
            "userProfiles",
            (
                *COMMON,
                *[
                    "userSourcedId",
                    "profileType",
                    "vendorId",
                    "applicationId",
                    "description",
                    "credentialType",
                    "username",
                    "password",
                ],
            ),
            _words("sourcedId userSourcedId"),
            references={"userSourcedId": "users"},
        ),
        Table(
            "courses",
            (
                *COMMON,
                *["schoolYearSourcedId", "title", "courseCode", "grades", "orgSourcedId", "subjects", "subjectCodes"],
            ),
            _words("sourcedId title orgSourcedId"),
            references={"schoolYearSourcedId": "academicSessions", "orgSourcedId": "orgs"},
        ),
        Table(
            "classes",
            (
                *COMMON,
                *[
                    "title",
                    "grades",
                    "courseSourcedId",
                    "classCode",
                    "classType",
                    "location",
                    "schoolSourcedId",
                    "termSourcedIds",
                ],
                *["subjects", "subjectCodes", "periods"],
            ),
            _words("sourcedId title courseSourcedId classType schoolSourcedId termSourcedIds"),
            {"classType": _words("homeroom scheduled")},
            references={
                "courseSourcedId": "courses",
                "schoolSourcedId": "orgs",
                "termSourcedIds": "academicSessions",
            },
            lists=_words("termSourcedIds"),
        ),
        Table(
            "enrollments",
            (
                *COMMON,
                *["classSourcedId", "schoolSourcedId", "userSourcedId", "role", "primary", "beginDate", "endDate"],
            ),
            _words("sourcedId classSourcedId schoolSourcedId userSourcedId role"),
            {"role": _words("administrator proctor student teacher"), "primary": _BOOLEAN},
            _words("beginDate endDate"),
            {"classSourcedId": "classes", "schoolSourcedId": "orgs", "userSourcedId": "users"},
        ),
    )
}
NEEDED = ("academicSessions", "orgs", "roles", "users")
"""Without these there is no roster."""

SET_ASIDE = _words(
    "categories classResources courseResources lineItemLearningObjectiveIds lineItems lineItemScoreScales resources "
    "resultLearningObjectiveIds results resultScoreScales scoreScales userResources"
)
"""Tables of the binding about grade books and resources; accepted in the zip and not read here."""
