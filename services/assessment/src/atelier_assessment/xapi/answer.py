"""A statement as it is given back: everything that was kept of it, its learner by pseudonym."""

from datetime import UTC, datetime
from typing import Any

from atelier_assessment.domain.attempt_events import VoidingStated
from atelier_assessment.domain.evidence import Evidence, Outcome
from atelier_assessment.xapi.statement import VOIDED

HOME_PAGE = "urn:atelier:pseudonym"
"""``account.homePage`` of statements given back: the account name is the id that stands for a learner, not the SIS id."""


def moment(milliseconds: int) -> str:
    """RFC 3339 in UTC with milliseconds."""
    text = datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


def statement_of(evidence: Evidence, recorded_at: int, version: str) -> dict[str, Any]:
    statement: dict[str, Any] = {
        "id": evidence.reference,
        "actor": _account(evidence.learner),
        "verb": {"id": evidence.verb},
        "object": {"objectType": "Activity", "id": evidence.item},
        "timestamp": moment(evidence.performed_at),
        "stored": moment(recorded_at),
        "authority": _account(evidence.provider),
        "version": version,
    }
    result, context = _result(evidence.outcome), _context(evidence)
    if result:
        statement["result"] = result
    if context:
        statement["context"] = context
    return statement


def voiding_statement(stated: VoidingStated, recorded_at: int, version: str) -> dict[str, Any]:
    return {
        "id": stated.reference,
        "actor": _account(stated.provider),
        "verb": {"id": VOIDED},
        "object": {"objectType": "StatementRef", "id": stated.target_reference},
        "timestamp": moment(stated.performed_at),
        "stored": moment(recorded_at),
        "authority": _account(stated.provider),
        "version": version,
    }


def _account(name: str) -> dict[str, Any]:
    return {"objectType": "Agent", "account": {"homePage": HOME_PAGE, "name": name}}


def _result(outcome: Outcome) -> dict[str, Any]:
    score = {"scaled": outcome.scaled, "raw": outcome.raw, "min": outcome.least, "max": outcome.most}
    score = {name: value for name, value in score.items() if value is not None}
    result: dict[str, Any] = {"score": score} if score else {}
    if outcome.success is not None:
        result["success"] = outcome.success
    if outcome.completion is not None:
        result["completion"] = outcome.completion
    if outcome.duration_ms is not None:
        result["duration"] = f"PT{outcome.duration_ms / 1000:.2f}S"
    return result


def _context(evidence: Evidence) -> dict[str, Any]:
    context: dict[str, Any] = {}
    if evidence.registration:
        context["registration"] = evidence.registration
    if evidence.targets:
        grouping = [{"objectType": "Activity", "id": target} for target in evidence.targets]
        context["contextActivities"] = {"grouping": grouping}
    said = evidence.circumstances
    if said is not None and said.platform:
        context["platform"] = said.platform
    if said is not None and said.language:
        context["language"] = said.language
    return context
