"""The sample framework as a CASE 1.1 package."""

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from atelier_standalone.sample.strands import BRIDGES, STRANDS, SUBJECTS, Edge, Strand

BASE = "https://example.org/ims/case/v1p1"
TITLE = "Harbour Competencies"
_SPACE = uuid.UUID("4c1f8b0e-6f7a-5d0c-8b55-2f6f0a7c9e11")
_STAMP = "2026-08-01T00:00:00Z"


def identifier(kind: str, key: str) -> str:
    """The lower-case uuid of a thing of the framework: ``document``, ``item`` or ``association``."""
    return str(uuid.uuid5(_SPACE, f"{kind}:{key}"))


FRAMEWORK_ID = identifier("document", TITLE)


@dataclass(frozen=True, slots=True)
class Step:
    """One competency. ``depth`` is the longest chain of steps before it, 0 for a beginning."""

    code: str
    competency_id: str
    uri: str
    subject: str
    statement: str
    before: tuple[str, ...]
    depth: int


def edges() -> tuple[Edge, ...]:
    """Every prerequisite: along the strands, then between them."""
    along = tuple(
        Edge(f"{strand.code}.{place - 1}", f"{strand.code}.{place}", place in strand.essential)
        for strand in STRANDS
        for place in range(2, len(strand.steps) + 1)
    )
    return (*along, *BRIDGES)


def steps() -> dict[str, Step]:
    """Every competency by its code, each after all that come before it."""
    before: dict[str, list[str]] = {}
    for edge in edges():
        before.setdefault(edge.then, []).append(edge.first)
    written = {
        f"{strand.code}.{place}": (strand, text)
        for strand in STRANDS
        for place, text in enumerate(strand.steps, start=1)
    }
    depths: dict[str, int] = {}

    def depth(code: str) -> int:
        if code not in depths:
            depths[code] = max((depth(first) + 1 for first in before.get(code, ())), default=0)
        return depths[code]

    return {
        code: _step(code, *written[code], before, depth(code))
        for code in sorted(written, key=lambda code: (depth(code), code))
    }


def _step(code: str, strand: Strand, text: str, before: dict[str, list[str]], depth: int) -> Step:
    item = identifier("item", code)
    return Step(code, item, f"{BASE}/CFItems/{item}", strand.subject, text, tuple(before.get(code, ())), depth)


def case_package() -> bytes:
    """The framework as CASE 1.1 JSON: document, headings per subject and strand, competencies, associations."""
    link = {"title": TITLE, "identifier": FRAMEWORK_ID, "uri": f"{BASE}/CFDocuments/{FRAMEWORK_ID}"}
    package = {
        "CFDocument": {
            "identifier": FRAMEWORK_ID,
            "uri": link["uri"],
            "creator": "Fictional Harbour District",
            "title": TITLE,
            "caseVersion": "1.1",
            "lastChangeDateTime": _STAMP,
            "adoptionStatus": "Adopted",
            "language": "en",
            "CFPackageURI": {**link, "uri": f"{BASE}/CFPackages/{FRAMEWORK_ID}"},
        },
        "CFItems": list(_items(link)),
        "CFAssociations": list(_associations(link)),
    }
    return json.dumps(package, indent=1).encode()


def _items(link: dict[str, str]) -> Iterator[dict[str, object]]:
    def item(key: str, statement: str, **more: object) -> dict[str, object]:
        made = identifier("item", key)
        base = {"identifier": made, "uri": f"{BASE}/CFItems/{made}", "fullStatement": statement}
        return {**base, **more, "lastChangeDateTime": _STAMP, "CFDocumentURI": link}

    for subject in SUBJECTS:
        yield item(subject, subject, CFItemType="Subject")
    for strand in STRANDS:
        yield item(strand.code, strand.title, CFItemType="Strand")
        for place, text in enumerate(strand.steps, start=1):
            code = f"{strand.code}.{place}"
            yield item(code, text, humanCodingScheme=code, CFItemType="Competency", subject=[strand.subject])


def _associations(link: dict[str, str]) -> Iterator[dict[str, object]]:
    def association(kind: str, first: str, then: str, **more: object) -> dict[str, object]:
        made = identifier("association", f"{kind}:{first}>{then}")
        return {
            "identifier": made,
            "uri": f"{BASE}/CFAssociations/{made}",
            "associationType": kind,
            "originNodeURI": _node(first),
            "destinationNodeURI": _node(then),
            "lastChangeDateTime": _STAMP,
            "CFDocumentURI": link,
            **more,
        }

    for strand in STRANDS:
        yield association("isChildOf", strand.code, strand.subject)
        for place in range(1, len(strand.steps) + 1):
            yield association("isChildOf", f"{strand.code}.{place}", strand.code, sequenceNumber=place)
    for edge in edges():
        mark: dict[str, object] = {"extensions": {"essential": True}} if edge.essential else {}
        yield association("precedes", edge.first, edge.then, **mark)


def _node(key: str) -> dict[str, str]:
    made = identifier("item", key)
    return {"title": key, "identifier": made, "uri": f"{BASE}/CFItems/{made}"}
