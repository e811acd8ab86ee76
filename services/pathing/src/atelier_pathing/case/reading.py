"""Bytes to a :class:`Framework`, or a refusal that names what is wrong and where."""

import hashlib
from collections.abc import Mapping
from typing import Any

import orjson
from atelier_common.errors import InvalidInput, TooLarge

from atelier_pathing.case.checking import Associations, Defects, check_document, check_items, read_associations
from atelier_pathing.case.model import Competency, Framework, Prerequisite
from atelier_pathing.case.order import find_cycle, longest_path, topological_order
from atelier_pathing.case.subjects import subjects_of_items

MAX_PACKAGE_BYTES = 64 * 1024 * 1024


def parse_package(content: bytes, limit: int = MAX_PACKAGE_BYTES) -> dict[str, Any]:
    """The JSON object in ``content``. Raises TooLarge over ``limit`` bytes, InvalidInput where it is no package."""
    if len(content) > limit:
        raise TooLarge(f"The package has {len(content)} bytes; at most {limit} are taken.", limit=limit)
    try:
        package = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(
            f"This is not JSON: {error.msg} at line {error.lineno}, column {error.colno}.",
            row=error.lineno,
            column=error.colno,
        ) from error
    if not isinstance(package, dict) or not isinstance(package.get("CFDocument"), dict):
        raise InvalidInput("This is not a CASE package: it has no CFDocument.", field="CFDocument")
    return package


def canonical_package(package: Mapping[str, Any]) -> bytes:
    """The bytes that the digest is taken over: sorted keys, no space, so that layout makes no new version."""
    return orjson.dumps(package, option=orjson.OPT_SORT_KEYS)


def read_framework(package: Mapping[str, Any]) -> Framework:
    """Check a CASE package and understand it.

    Raises InvalidInput, naming up to twenty defects by section, row (from 1) and field: a missing or malformed field,
    a duplicate identifier, an unknown association type, or a cycle among ``precedes`` (extension ``cycle`` lists
    every node of one). A dangling or repeated association is a finding, not an error. Cost is linear in the package.
    """
    defects = Defects()
    document = check_document(package["CFDocument"], defects)
    items = check_items(package.get("CFItems"), defects)
    defects.refuse_if_any()
    known = {item["identifier"] for item in items}
    if document["identifier"] in known:
        raise InvalidInput(
            "An item carries the identifier of its document.",
            identifier=document["identifier"],
            field="CFItems.identifier",
        )
    associations = read_associations(package.get("CFAssociations"), document["identifier"], known, defects)
    defects.refuse_if_any()

    place = {item["identifier"]: index for index, item in enumerate(items)}
    resolved = {pair: essential for pair, essential in associations.precedes.items() if known.issuperset(pair)}
    successors: list[list[int]] = [[] for _ in items]
    for first, second in resolved:
        successors[place[first]].append(place[second])
    order = topological_order(len(items), successors)
    if order is None:
        raise _circle([items[node] for node in find_cycle(len(items), successors)])
    return Framework(
        framework_id=document["identifier"],
        uri=str(document["uri"]),
        title=str(document["title"]).strip(),
        case_version=str(document.get("caseVersion") or "1.0"),
        digest=hashlib.sha256(canonical_package(package)).hexdigest(),
        competencies=_competencies(items, document, associations, resolved),
        prerequisites=tuple(Prerequisite(first, second, essential) for (first, second), essential in resolved.items()),
        findings=associations.findings,
        precedes_total=associations.precedes_total,
        precedes_unique=len(associations.precedes),
        longest_path=longest_path(order, successors),
    )


def _competencies(
    items: list[dict[str, Any]],
    document: Mapping[str, Any],
    associations: Associations,
    resolved: Mapping[tuple[str, str], bool],
) -> tuple[Competency, ...]:
    subjects = subjects_of_items(items, associations.parents, document)
    headings = set(associations.parents.values())
    ordered = {end for pair in resolved for end in pair}
    return tuple(
        Competency(
            competency_id=item["identifier"],
            uri=str(item["uri"]),
            statement=str(item["fullStatement"]).strip(),
            code=str(item.get("humanCodingScheme") or ""),
            subject=subject,
            item_type=str(item.get("CFItemType") or ""),
            education_levels=tuple(str(level) for level in item.get("educationLevel") or ()),
            container=item["identifier"] in headings and item["identifier"] not in ordered,
        )
        for item, subject in zip(items, subjects, strict=True)
    )


def _circle(nodes: list[dict[str, Any]]) -> InvalidInput:
    named = [
        {
            "identifier": node["identifier"],
            "code": str(node.get("humanCodingScheme") or ""),
            "statement": str(node["fullStatement"])[:200],
        }
        for node in nodes
    ]
    chain = " -> ".join(node["code"] or node["identifier"] for node in [*named, named[0]])
    detail = f"The order of {len(named)} competencies runs in a circle: {chain}."
    return InvalidInput(detail, reason="cycle", cycle=named)
