"""Where and how it happened: registration, competencies in ``grouping``, and Atelier's extension for the circumstances."""

from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from atelier_assessment.domain.evidence import Circumstances
from atelier_assessment.recording.circumstances import StatedCircumstances
from atelier_assessment.recording.report import Person
from atelier_assessment.xapi.actor import read_agent, read_team
from atelier_assessment.xapi.malformed import MalformedStatement
from atelier_assessment.xapi.values import a_language, a_language_map, a_text, a_uuid, an_iri, an_object

EXTENSION = "urn:atelier:xapi:circumstances"
"""Context extension: an object with the circumstances of the native API (assistance, supervision, attempt_id and so on)."""

_CONTEXT = frozenset(
    {
        "registration",
        "instructor",
        "team",
        "contextActivities",
        "revision",
        "platform",
        "language",
        "statement",
        "extensions",
        "contextAgents",
        "contextGroups",
    }
)
_PLACES = frozenset({"parent", "grouping", "category", "other"})
_REFERENCE = frozenset({"objectType", "id"})
_ACTIVITY = frozenset({"objectType", "id", "definition"})
_DEFINITION = frozenset(
    {
        "name",
        "description",
        "type",
        "moreInfo",
        "interactionType",
        "correctResponsesPattern",
        "choices",
        "scale",
        "source",
        "target",
        "steps",
        "extensions",
    }
)


@dataclass(slots=True)
class ReadContext:
    """What a context says. ``private`` where it named people or carried extensions."""

    targets: tuple[str, ...] = ()
    registration: str = ""
    stated: StatedCircumstances | None = None
    circumstances: Circumstances | None = None
    rater: Person | None = None
    group: tuple[Person, ...] = ()
    private: bool = False


NOTHING = ReadContext()


def read_activity(value: Any, field: str) -> tuple[str, str]:
    """(id, type) of an Activity; the type is empty where its definition names none."""
    activity = an_object(value, field, _ACTIVITY)
    if activity.get("objectType", "Activity") != "Activity":
        raise MalformedStatement(f"{field} is an Activity", field=f"{field}.objectType")
    identifier = an_iri(activity.get("id"), f"{field}.id")
    if "definition" not in activity:
        return identifier, ""
    definition = an_object(activity["definition"], f"{field}.definition", _DEFINITION)
    for name in ("name", "description"):
        if name in definition:
            a_language_map(definition[name], f"{field}.definition.{name}")
    for name in definition.get("extensions", ()):
        an_iri(name, f"{field}.definition.extensions")
    return identifier, an_iri(definition["type"], f"{field}.definition.type") if "type" in definition else ""


def read_context(value: Any) -> ReadContext:
    """Raises MalformedStatement."""
    context = an_object(value, "context", _CONTEXT)
    read = ReadContext()
    for name, member in context.items():
        if name == "contextActivities":
            read.targets = _targets(member)
        elif name == "registration":
            read.registration = a_uuid(member, "context.registration")
        else:
            _read_rest(read, name, member)
    return read


def _targets(value: Any) -> tuple[str, ...]:
    targets: tuple[str, ...] = ()
    for place, activities in an_object(value, "context.contextActivities", _PLACES).items():
        field = f"context.contextActivities.{place}"
        # A single activity outside a list is the form of xAPI 1.0.0, which a reader still has to take.
        listed = activities if type(activities) is list else [activities]
        ids = tuple(read_activity(activity, field)[0] for activity in listed)
        if place == "grouping":
            targets = tuple(dict.fromkeys(ids))
    return targets


def _read_rest(read: ReadContext, name: str, member: Any) -> None:
    said = read.circumstances or Circumstances()
    match name:
        case "instructor":
            read.rater, read.private = read_agent(member, "context.instructor"), True
        case "team":
            read.group, read.private = read_team(member, "context.team"), True
        case "platform":
            read.circumstances = replace(said, platform=a_text(member, "context.platform", 200))
        case "language":
            read.circumstances = replace(said, language=a_language(member, "context.language"))
        case "revision":
            a_text(member, "context.revision")
        case "statement":
            reference = an_object(member, "context.statement", _REFERENCE)
            if reference.get("objectType") != "StatementRef":
                raise MalformedStatement("context.statement is a StatementRef", field="context.statement")
            a_uuid(reference.get("id"), "context.statement.id")
        case "contextAgents" | "contextGroups":
            # Roles that 2.0 added; who they name takes no part in an estimate, so nobody of them is kept.
            read.private = True
            if type(member) is not list:
                raise MalformedStatement(f"context.{name} is a list", field=f"context.{name}")
        case _:
            read.private = True
            _read_extensions(read, member)


def _read_extensions(read: ReadContext, value: Any) -> None:
    for name, content in an_object(value, "context.extensions").items():
        an_iri(name, "context.extensions")
        if name == EXTENSION:
            try:
                read.stated = StatedCircumstances.model_validate(content)
            except ValidationError as error:
                first = error.errors(include_url=False, include_input=False)[0]
                place = ".".join(str(step) for step in first["loc"])
                raise MalformedStatement(
                    f"the circumstances say {place or 'nothing that fits'}: {first['msg']}",
                    field=f"context.extensions.{place}",
                ) from error
