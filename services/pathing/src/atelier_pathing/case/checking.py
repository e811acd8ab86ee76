"""Field by field checks of a CASE package, by hand because a package may hold a hundred thousand associations."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from atelier_common.errors import InvalidInput

from atelier_pathing.case.model import Finding

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_TYPES = frozenset(
    {
        "isChildOf",
        "isPeerOf",
        "isPartOf",
        "exactMatchOf",
        "precedes",
        "isRelatedTo",
        "replacedBy",
        "exemplar",
        "hasSkillLevel",
        "isTranslationOf",
    }
)
_MOST_DEFECTS = 20
_MOST_FINDINGS = 1000


class Defects:
    """Collects what is wrong, so that one refusal names everything a person must mend (up to twenty)."""

    def __init__(self) -> None:
        self._found: list[dict[str, Any]] = []
        self._more = 0

    def add(self, section: str, row: int, column: str, problem: str) -> None:
        """``row`` counts from 1 inside the section; ``column`` is the CASE field."""
        if len(self._found) < _MOST_DEFECTS:
            self._found.append({"section": section, "row": row, "column": column, "problem": problem})
        else:
            self._more += 1

    def refuse_if_any(self) -> None:
        if not self._found:
            return
        first = self._found[0]
        rest = len(self._found) + self._more - 1
        raise InvalidInput(
            f"{first['section']} {first['row']}, {first['column']}: {first['problem']}"
            + (f" (and {rest} more)" if rest else "")
            + ".",
            row=first["row"],
            column=f"{first['section']}.{first['column']}",
            defects=self._found,
            more=self._more,
        )


@dataclass(frozen=True, slots=True)
class Associations:
    """``precedes`` maps each unique pair to whether it is essential; ``parents`` an item to its heading."""

    precedes: dict[tuple[str, str], bool]
    precedes_total: int
    parents: dict[str, str]
    findings: tuple[Finding, ...]


def check_document(document: Mapping[str, Any], defects: Defects) -> dict[str, Any]:
    checked = dict(document)
    checked["identifier"] = _identifier(document, "CFDocument", 1, defects)
    for field in ("uri", "creator", "title", "lastChangeDateTime"):
        _text(document, field, "CFDocument", 1, defects)
    version = document.get("caseVersion")
    if version not in (None, "", "1.0", "1.1"):
        defects.add("CFDocument", 1, "caseVersion", f"CASE {version!r} is not read here, 1.0 and 1.1 are")
    return checked


def check_items(items: Any, defects: Defects) -> list[dict[str, Any]]:
    checked: list[dict[str, Any]] = []
    seen: dict[str, int] = {}
    for row, item in enumerate(_rows(items, "CFItems", defects), start=1):
        if not isinstance(item, dict):
            defects.add("CFItems", row, "", "not an object")
            continue
        identifier = _identifier(item, "CFItems", row, defects)
        for field in ("fullStatement", "uri", "lastChangeDateTime"):
            _text(item, field, "CFItems", row, defects)
        levels = item.get("educationLevel")
        if levels is not None and not isinstance(levels, list):
            defects.add("CFItems", row, "educationLevel", "not a list")
        first = seen.setdefault(identifier, row)
        if identifier and first != row:
            defects.add("CFItems", row, "identifier", f"{identifier} is already the identifier of row {first}")
        checked.append({**item, "identifier": identifier})
    return checked


def read_associations(associations: Any, document_id: str, known: set[str], defects: Defects) -> Associations:
    precedes: dict[tuple[str, str], bool] = {}
    total = 0
    parents: dict[str, str] = {}
    findings: list[Finding] = []
    seen: dict[str, tuple[int, tuple[str, str, str]]] = {}
    for row, association in enumerate(_rows(associations, "CFAssociations", defects), start=1):
        if not isinstance(association, dict):
            defects.add("CFAssociations", row, "", "not an object")
            continue
        identifier = _identifier(association, "CFAssociations", row, defects)
        kind = association.get("associationType")
        if not isinstance(kind, str) or not (kind in _TYPES or kind.startswith("ext:")):
            defects.add("CFAssociations", row, "associationType", f"{kind!r} is no association type of CASE")
            continue
        first = _end(association, "originNodeURI", row, defects)
        second = _end(association, "destinationNodeURI", row, defects)
        if not first or not second:
            continue
        earlier_row, earlier = seen.setdefault(identifier, (row, (kind, first, second)))
        if identifier and earlier_row != row:
            if earlier != (kind, first, second):
                defects.add(
                    "CFAssociations",
                    row,
                    "identifier",
                    f"{identifier} already stands for another association, row {earlier_row}",
                )
            else:
                _note(findings, Finding("repeated", identifier, kind))
            continue
        total += kind == "precedes"
        if kind == "precedes":
            extensions = association.get("extensions")
            essential = isinstance(extensions, dict) and extensions.get("essential") is True
            if (first, second) in precedes:
                _note(findings, Finding("repeated", identifier, kind))
            precedes[first, second] = precedes.get((first, second), False) or essential
        if kind == "isChildOf" and second in known:
            parents.setdefault(first, second)
        for end in (first, second):
            if end not in known and end != document_id and kind in ("precedes", "isChildOf"):
                _note(findings, Finding("dangling", identifier, kind, end))
                break
    return Associations(precedes, total, parents, tuple(findings))


def _note(findings: list[Finding], finding: Finding) -> None:
    if len(findings) < _MOST_FINDINGS:
        findings.append(finding)


def _rows(value: Any, section: str, defects: Defects) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        defects.add(section, 1, "", "not a list")
        return []
    return value


def _identifier(row_value: Mapping[str, Any], section: str, row: int, defects: Defects) -> str:
    value = row_value.get("identifier")
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        defects.add(section, row, "identifier", "missing" if value is None else "not a UUID")
        return ""
    return value.lower()


def _text(row_value: Mapping[str, Any], field: str, section: str, row: int, defects: Defects) -> None:
    value = row_value.get(field)
    if not isinstance(value, str) or not value.strip():
        defects.add(section, row, field, "missing" if value is None or value == "" else "not a text")


def _end(association: Mapping[str, Any], field: str, row: int, defects: Defects) -> str:
    node = association.get(field)
    identifier = node.get("identifier") if isinstance(node, dict) else None
    if not isinstance(identifier, str) or not identifier:
        defects.add("CFAssociations", row, f"{field}.identifier", "missing")
        return ""
    return identifier.lower()
