"""The small forms of xAPI: UUIDs, IRIs, language tags, timestamps, durations, objects with known properties."""

import re
from collections.abc import Set
from datetime import datetime
from functools import lru_cache
from typing import Any

from atelier_assessment.xapi.malformed import MalformedStatement

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_IRI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+")
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:?\d\d)")
_DURATION = re.compile(
    r"P(?!$)(?:(\d+(?:\.\d+)?)Y)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?"
    r"(?:T(?=\d)(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?"
)
_MILLISECONDS = (31_557_600_000, 2_629_800_000, 604_800_000, 86_400_000, 3_600_000, 60_000, 1_000)


# A day's statements name the same few verbs, items and competencies again and again.
@lru_cache(maxsize=16_384)
def _is_iri(value: str) -> bool:
    return len(value) <= 2000 and _IRI.fullmatch(value) is not None


@lru_cache(maxsize=256)
def _is_language(value: str) -> bool:
    return _LANGUAGE.fullmatch(value) is not None


def an_object(value: Any, field: str, allowed: Set[str] | None = None) -> dict[str, Any]:
    """Raises MalformedStatement for anything but a JSON object with these properties alone, none of them null."""
    if type(value) is not dict:
        raise MalformedStatement(f"{field} is a JSON object", field=field)
    if allowed is not None and not (value.keys() <= allowed and None not in value.values()):
        for name, member in value.items():
            if name not in allowed:
                raise MalformedStatement(f"{field} has no property {name[:60]!r}", field=field)
            if member is None:
                raise MalformedStatement(f"{field}.{name} is null; leave it out", field=f"{field}.{name}")
    return value


def a_text(value: Any, field: str, longest: int = 1000) -> str:
    if type(value) is not str or not value:
        raise MalformedStatement(f"{field} is a text that is not empty", field=field)
    if len(value) > longest:
        raise MalformedStatement(f"{field} has at most {longest} characters", field=field)
    return value


def a_uuid(value: Any, field: str) -> str:
    """In lower case."""
    if type(value) is not str or _UUID.fullmatch(value) is None:
        raise MalformedStatement(f"{field} is a UUID", field=field)
    return value.lower()


def an_iri(value: Any, field: str) -> str:
    if type(value) is not str or not _is_iri(value):
        raise MalformedStatement(f"{field} is an absolute IRI", field=field)
    return value


def a_language(value: Any, field: str) -> str:
    if type(value) is not str or not _is_language(value):
        raise MalformedStatement(f"{field} is a language tag (RFC 5646)", field=field)
    return value


def a_language_map(value: Any, field: str) -> None:
    for tag, text in an_object(value, field).items():
        a_language(tag, field)
        if type(text) is not str:
            raise MalformedStatement(f"{field} has a text for every language", field=field)


def a_number(value: Any, field: str) -> float:
    if type(value) is not float and type(value) is not int:
        raise MalformedStatement(f"{field} is a number", field=field)
    return float(value)


def a_truth(value: Any, field: str) -> bool:
    if type(value) is not bool:
        raise MalformedStatement(f"{field} is true or false", field=field)
    return value


def a_moment(value: Any, field: str) -> int:
    """Milliseconds UTC of an RFC 3339 timestamp; any zone is converted, none is refused."""
    if type(value) is not str or _TIMESTAMP.fullmatch(value) is None:
        raise MalformedStatement(f"{field} is a date and time with its zone (RFC 3339)", field=field)
    if value.endswith(("-00:00", "-0000")):
        raise MalformedStatement(f"{field} has the zone -00:00, which says that its zone is unknown", field=field)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise MalformedStatement(f"{field} is no date and time that exists", field=field) from error
    return int(moment.timestamp() * 1000 + 0.5)


def a_duration(value: Any, field: str) -> int:
    """Milliseconds of an ISO 8601 duration; a year counts 365.25 days, a month a twelfth of it."""
    found = _DURATION.fullmatch(value) if type(value) is str else None
    if found is None:
        raise MalformedStatement(f"{field} is an ISO 8601 duration", field=field)
    parts = zip(found.groups(), _MILLISECONDS, strict=True)
    return round(sum(float(amount) * unit for amount, unit in parts if amount is not None))
