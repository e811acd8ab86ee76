"""The whole of a roster checked before any of it is used: filled cells, enumerations, dates, duplicates, references."""

import re
from collections.abc import Mapping
from datetime import date

from atelier_profile.roster.archive import Row, Tables, refused
from atelier_profile.roster.tables import TABLES, Table

_EXTENSION = re.compile(r"ext:[a-zA-Z0-9.\-_]+")
_ID = re.compile(r"[\w\-.:@+=~]{1,255}")
_SELF = "sourcedId"


def validate(tables: Tables) -> None:
    """Raises InvalidInput naming table, row and column of the first fault found; no cell of a person is repeated in it."""
    ids: dict[str, Mapping[str, int]] = {}
    for name, rows in tables.items():
        ids[name] = _ids(name, rows)
    for name, rows in tables.items():
        table = TABLES[name]
        for row in rows:
            _check_cells(table, row)
            _check_references(table, row, ids)
    _check_sessions(tables)


def listed(cell: str) -> tuple[str, ...]:
    """The members of a list in one cell."""
    return tuple(part for part in (text.strip() for text in cell.split(",")) if part)


def _ids(name: str, rows: tuple[Row, ...]) -> Mapping[str, int]:
    first: dict[str, int] = {}
    for row in rows:
        identifier = row[_SELF]
        if not identifier:
            raise refused("sourcedId is empty", name, row.number, _SELF)
        if not _ID.fullmatch(identifier):
            raise refused("sourcedId has characters that no id has", name, row.number, _SELF)
        if identifier in first:
            raise refused(f"the id stands in row {first[identifier]} already", name, row.number, _SELF)
        first[identifier] = row.number
    return first


def _check_cells(table: Table, row: Row) -> None:
    if row["status"] not in ("", "active"):
        raise refused("a bulk table lists what is; status stays empty", table.name, row.number, "status")
    for column in table.filled:
        if not row[column].strip():
            raise refused(f"{column} is empty", table.name, row.number, column)
    for column, allowed in table.enums.items():
        if row[column] and row[column] not in allowed and not _EXTENSION.fullmatch(row[column]):
            raise refused(f"{column} is one of {', '.join(sorted(allowed))} or ext:...", table.name, row.number, column)
    for column in table.dates:
        if row[column]:
            _check_date(row[column], table.name, row.number, column)


def _check_date(text: str, table: str, row: int, column: str) -> None:
    try:
        # fromisoformat also reads week dates and dates without hyphens, which the binding does not allow.
        if len(text) != 10:
            raise ValueError(text)
        date.fromisoformat(text)
    except ValueError as error:
        raise refused(f"{column} is no date of the form YYYY-MM-DD", table, row, column) from error


def _check_references(table: Table, row: Row, ids: Mapping[str, Mapping[str, int]]) -> None:
    for column, into in table.references.items():
        targets = listed(row[column]) if column in table.lists else (row[column],)
        # A table that the district does not send at all cannot be pointed into; userProfiles are often left out.
        for target in filter(None, targets):
            if into in ids and target not in ids[into]:
                raise refused(f"{column} names nobody and nothing in {into}.csv", table.name, row.number, column)


def _check_sessions(tables: Tables) -> None:
    for row in tables.get("academicSessions", ()):
        if row["endDate"] <= row["startDate"]:
            raise refused("endDate does not lie after startDate", "academicSessions", row.number, "endDate")
