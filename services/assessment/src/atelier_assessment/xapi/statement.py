"""A statement, checked and read as a report of evidence or as the voiding of another statement."""

from dataclasses import dataclass, replace
from typing import Any

from atelier_assessment.domain.evidence import Outcome
from atelier_assessment.recording.report import FUTURE_TOLERANCE_MS, Report
from atelier_assessment.xapi import context as contexts
from atelier_assessment.xapi import result as results
from atelier_assessment.xapi.actor import read_agent
from atelier_assessment.xapi.malformed import MalformedStatement
from atelier_assessment.xapi.values import a_language_map, a_moment, a_uuid, an_iri, an_object

VOIDED = "http://adlnet.gov/expapi/verbs/voided"
ANSWERED = "http://adlnet.gov/expapi/verbs/answered"
_STATEMENT = frozenset(
    {
        "id",
        "actor",
        "verb",
        "object",
        "result",
        "context",
        "timestamp",
        "stored",
        "authority",
        "version",
        "attachments",
    }
)
_VERB = frozenset({"id", "display"})
_REFERENCE = frozenset({"objectType", "id"})
_ITEM_TYPES = frozenset(
    {
        "http://adlnet.gov/expapi/activities/question",
        "http://adlnet.gov/expapi/activities/cmi.interaction",
    }
)


@dataclass(frozen=True, slots=True)
class VoidingReport:
    """A statement that voids ``target``; both are statement ids."""

    reference: str
    target: str
    performed_at: int


def read_statement(value: Any, statement_id: str, now: int) -> Report | VoidingReport:
    """Read one statement whose id is settled.

    Raises MalformedStatement for whatever the specification forbids, and for a timestamp more than five minutes ahead of ``now``.
    """
    statement = an_object(value, "statement", _STATEMENT)
    for needed in ("actor", "verb", "object"):
        if needed not in statement:
            raise MalformedStatement(f"a statement has {'an' if needed != 'verb' else 'a'} {needed}", field=needed)
    learner = read_agent(statement["actor"], "actor")
    verb = _read_verb(statement["verb"])
    performed_at = _performed_at(statement, now)
    if "version" in statement and not _known_version(statement["version"]):
        raise MalformedStatement("version is 1.0.x or 2.0.x", field="version")
    if verb == VOIDED:
        return VoidingReport(statement_id, _voided(statement["object"]), performed_at)
    item, item_type = _read_object(statement["object"])
    outcome = results.read_result(statement["result"]) if "result" in statement else results.NOTHING
    context = contexts.read_context(statement["context"]) if "context" in statement else contexts.NOTHING
    result, around = statement.get("result"), statement.get("context")
    report = Report(
        reference=statement_id,
        learner=learner,
        kind="item" if verb == ANSWERED or item_type in _ITEM_TYPES else "activity",
        verb=verb,
        item=item,
        performed_at=performed_at,
        outcome=outcome,
        targets=context.targets,
        content=(performed_at if "timestamp" in statement else None, verb, item, result, around),
        private=context.private or (result is not None and ("response" in result or "extensions" in result)),
        registration=context.registration,
        circumstances=context.circumstances,
        rater=context.rater,
        group=context.group,
    )
    if context.stated is not None:
        _add_stated(report, context)
    return report


def _add_stated(report: Report, context: contexts.ReadContext) -> None:
    stated = context.stated
    assert stated is not None
    report.kind = stated.kind or report.kind
    report.purpose = stated.purpose or ""
    report.attempt = stated.attempt_id
    report.circumstances = stated.without_people(context.circumstances)
    report.rater = stated.rated_by() or context.rater
    report.group = stated.others() or context.group
    if stated.level is not None:
        report.outcome = _with_level(report.outcome, stated.level, stated.levels)


def _with_level(outcome: Outcome, level: int, levels: int | None) -> Outcome:
    if levels is None or level >= levels:
        raise MalformedStatement("a rubric level is one of its levels, counted from 0", field="level")
    return replace(outcome, level=level, levels=levels)


def _read_verb(value: Any) -> str:
    verb = an_object(value, "verb", _VERB)
    if "display" in verb:
        a_language_map(verb["display"], "verb.display")
    return an_iri(verb.get("id"), "verb.id")


def _performed_at(statement: dict[str, Any], now: int) -> int:
    if "stored" in statement:
        a_moment(statement["stored"], "stored")
    if "timestamp" not in statement:
        return now
    performed_at = a_moment(statement["timestamp"], "timestamp")
    if performed_at > now + FUTURE_TOLERANCE_MS:
        raise MalformedStatement("timestamp lies in the future; evidence is of what was done", field="timestamp")
    return performed_at


def _known_version(value: Any) -> bool:
    return isinstance(value, str) and (value in ("1.0", "2.0") or value.startswith(("1.0.", "2.0.")))


def _read_object(value: Any) -> tuple[str, str]:
    kind = value.get("objectType", "Activity") if type(value) is dict else ""
    if kind in ("Agent", "Group", "StatementRef", "SubStatement"):
        raise MalformedStatement(
            f"object is a {kind}; evidence of learning is about an Activity", field="object.objectType"
        )
    return contexts.read_activity(value, "object")


def _voided(value: Any) -> str:
    reference = an_object(value, "object", _REFERENCE)
    if reference.get("objectType") != "StatementRef":
        raise MalformedStatement("what is voided is named by a StatementRef", field="object.objectType")
    return a_uuid(reference.get("id"), "object.id")
