"""Which competencies does this district know? One document per CASE identifier, and one per URI that does not end in it."""

import re
from collections.abc import Sequence
from typing import Any

from atelier_common.commit import RecordedEvent
from atelier_common.projection import Projection

FRAMEWORK_LISTED = "atelier.pathing.framework.v1.listed"
_IDENTIFIER = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def name_of_target(target: str) -> str:
    """How a named competency is looked up: by the CASE identifier that its URI ends in, else by the URI itself."""
    last = target.rstrip("/").rpartition("/")[2].lower()
    return last if _IDENTIFIER.fullmatch(last) else f"uri:{target}"


def names_of_competency(competency_id: str, uri: str) -> tuple[str, ...]:
    by_uri = name_of_target(uri) if uri else competency_id
    return (competency_id,) if by_uri == competency_id else (competency_id, by_uri)


def _keys(recorded: RecordedEvent) -> Sequence[str]:
    return [
        name
        for competency in recorded.event.competencies
        for name in names_of_competency(competency.competency_id, competency.uri)
    ]


def _apply(_document: dict[str, Any] | None, recorded: RecordedEvent, key: str) -> dict[str, Any] | None:
    listed = recorded.event
    for competency in listed.competencies:
        if key in names_of_competency(competency.competency_id, competency.uri):
            return {
                "competency": competency.competency_id,
                "uri": competency.uri,
                "statement": competency.statement,
                "subject": competency.subject,
                "framework": listed.framework_id,
            }
    return None


competencies = Projection("competencies", 1, _keys, _apply, types=frozenset({FRAMEWORK_LISTED}))
