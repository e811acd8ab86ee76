"""A request's statements: one or many, all or nothing."""

from typing import Any

import orjson
from atelier_common.commit import Context
from atelier_common.errors import TooLarge
from atelier_common.ids import derive_id

from atelier_assessment.recording.report import Report
from atelier_assessment.xapi.malformed import MalformedRequest, MalformedStatement
from atelier_assessment.xapi.statement import VoidingReport, read_statement
from atelier_assessment.xapi.values import a_uuid

LARGEST_BATCH = 500


def parse(body: bytes) -> Any:
    """Raises MalformedRequest where the body is not JSON."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise MalformedRequest(f"the body is not JSON: {error}") from error


def read_batch(value: Any, context: Context) -> list[Report | VoidingReport]:
    """Every statement of a POST, in order; one without an id is given one, made from the command id and its place.

    Raises MalformedStatement naming the ``index`` of the first that is malformed: then none of them is to be stored.
    """
    statements = value if type(value) is list else [value]
    if len(statements) > LARGEST_BATCH:
        raise TooLarge(f"a batch has at most {LARGEST_BATCH} statements", max_statements=LARGEST_BATCH)
    read: list[Report | VoidingReport] = []
    seen: set[str] = set()
    for index, statement in enumerate(statements):
        try:
            given = statement.get("id") if type(statement) is dict else None
            named = type(statement) is dict and "id" in statement
            statement_id = (
                a_uuid(given, "id") if named else derive_id(context.tenant, context.command_id, "statement", index)
            )
            if statement_id in seen:
                raise MalformedStatement("two statements of the batch have this id", field="id")
            seen.add(statement_id)
            read.append(read_statement(statement, statement_id, context.now))
        except MalformedStatement as error:
            if len(statements) == 1:
                raise
            detail = f"statement {index} of the batch: {error.detail}; nothing of the batch was stored"
            raise MalformedStatement(detail, index=index, **error.extensions) from error
    return read


def read_named(value: Any, statement_id: str, now: int) -> Report | VoidingReport:
    """The statement of a PUT. Raises MalformedStatement where its own id is another one than the parameter's."""
    name = a_uuid(statement_id, "statementId")
    if type(value) is dict and "id" in value and a_uuid(value["id"], "id") != name:
        raise MalformedStatement("the statement's id is not the statementId of the request", field="id")
    return read_statement(value, name, now)
