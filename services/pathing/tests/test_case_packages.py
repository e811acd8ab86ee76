"""CASE packages, read or refused."""

import json
from typing import Any

import pytest
from atelier_common.errors import InvalidInput, TooLarge
from atelier_pathing.case.model import Framework
from atelier_pathing.case.reading import parse_package, read_framework

BASE = "https://example.org/ims/case/v1p1"
STAMP = "2026-08-01T00:00:00Z"


def ident(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def item(number: int, **more: Any) -> dict[str, Any]:
    return {
        "identifier": ident(number),
        "uri": f"{BASE}/CFItems/{ident(number)}",
        "fullStatement": f"Can do thing {number}",
        "lastChangeDateTime": STAMP,
        **more,
    }


def association(number: int, first: int, second: int, kind: str = "precedes", **more: Any) -> dict[str, Any]:
    def node(of: int) -> dict[str, str]:
        return {"title": str(of), "identifier": ident(of), "uri": f"{BASE}/CFItems/{ident(of)}"}

    return {
        "identifier": ident(900_000 + number),
        "uri": f"{BASE}/CFAssociations/{number}",
        "associationType": kind,
        "originNodeURI": node(first),
        "destinationNodeURI": node(second),
        "lastChangeDateTime": STAMP,
        **more,
    }


def package(items: list[Any], associations: list[Any], **document: Any) -> dict[str, Any]:
    return {
        "CFDocument": {
            "identifier": ident(1),
            "uri": f"{BASE}/CFDocuments/{ident(1)}",
            "creator": "Example District",
            "title": "Things to do",
            "lastChangeDateTime": STAMP,
            **document,
        },
        "CFItems": items,
        "CFAssociations": associations,
    }


def read(items: list[Any], associations: list[Any], **document: Any) -> Framework:
    return read_framework(parse_package(json.dumps(package(items, associations, **document)).encode()))


def test_only_edges_marked_essential_are_essential() -> None:
    framework = read(
        [item(2), item(3), item(4)],
        [
            association(1, 2, 3, extensions={"essential": True}),
            association(2, 3, 4, extensions={"essential": "yes"}),
            association(3, 2, 4, extensions=None),
        ],
    )
    essential = {(edge.from_id, edge.to_id): edge.essential for edge in framework.prerequisites}
    assert essential == {(ident(2), ident(3)): True, (ident(3), ident(4)): False, (ident(2), ident(4)): False}
    assert framework.longest_path == 3


def test_a_cycle_is_refused_with_every_node_of_it_named() -> None:
    items = [item(number, humanCodingScheme=f"T.{number}") for number in range(2, 8)]
    edges = [(2, 3), (3, 4), (4, 5), (5, 3), (6, 7)]
    with pytest.raises(InvalidInput) as refused:
        read(items, [association(place, *edge) for place, edge in enumerate(edges)])
    assert {node["identifier"] for node in refused.value.extensions["cycle"]} == {ident(3), ident(4), ident(5)}
    assert all(code in refused.value.detail for code in ("T.3", "T.4", "T.5"))
    assert "T.2" not in refused.value.detail


def test_something_before_itself_is_a_cycle_of_one() -> None:
    with pytest.raises(InvalidInput) as refused:
        read([item(2)], [association(1, 2, 2)])
    assert [node["identifier"] for node in refused.value.extensions["cycle"]] == [ident(2)]


def test_a_dangling_association_is_reported_and_not_fatal() -> None:
    framework = read([item(2), item(3)], [association(1, 2, 99), association(2, 2, 3)])
    assert [(finding.code, finding.missing_id) for finding in framework.findings] == [("dangling", ident(99))]
    assert framework.counts()["precedes"] == 2
    assert len(framework.prerequisites) == 1


def test_an_order_said_twice_counts_once_and_stays_essential() -> None:
    framework = read([item(2), item(3)], [association(1, 2, 3, extensions={"essential": True}), association(2, 2, 3)])
    assert [edge.essential for edge in framework.prerequisites] == [True]
    assert (framework.precedes_total, framework.precedes_unique) == (2, 1)


def test_a_duplicate_item_identifier_is_refused_with_its_row() -> None:
    with pytest.raises(InvalidInput) as refused:
        read([item(2), item(3), item(2)], [])
    assert refused.value.extensions["row"] == 3
    assert refused.value.extensions["column"] == "CFItems.identifier"


def test_one_association_identifier_for_two_associations_is_refused() -> None:
    twice = {**association(1, 2, 4), "identifier": association(2, 2, 3)["identifier"]}
    with pytest.raises(InvalidInput, match="already stands for another association"):
        read([item(2), item(3), item(4)], [association(2, 2, 3), twice])


def test_every_missing_field_is_named_at_once() -> None:
    broken = item(3)
    del broken["fullStatement"]
    with pytest.raises(InvalidInput) as refused:
        read([item(2), broken, {**item(4), "identifier": "four"}], [], title="")
    found = [(defect["section"], defect["row"], defect["column"]) for defect in refused.value.extensions["defects"]]
    assert found == [("CFDocument", 1, "title"), ("CFItems", 2, "fullStatement"), ("CFItems", 3, "identifier")]


@pytest.mark.parametrize("content", [b"not json", b"[1, 2]", b'{"CFItems": []}', b'"text"', b"\xff\xfe"])
def test_what_is_no_case_package_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidInput):
        parse_package(content)


def test_a_package_over_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(TooLarge):
        parse_package(b"{" * 200, limit=100)


def test_an_unknown_case_version_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"2\.0"):
        read([item(2)], [], caseVersion="2.0")


def test_layout_makes_no_new_version_but_content_does() -> None:
    content = package([item(2)], [])
    compact = read_framework(parse_package(json.dumps(content).encode()))
    spaced = read_framework(parse_package(json.dumps(dict(reversed(content.items())), indent=3).encode()))
    changed = read([item(2, notes="new")], [])
    assert compact.digest == spaced.digest != changed.digest


def test_the_subject_is_the_items_own_then_the_documents() -> None:
    own = read([item(2, subject=["Reading"]), item(3)], [], subject=["Science"])
    assert [competency.subject for competency in own.competencies] == ["Reading", "Science"]


def test_topmost_headings_are_subjects_unless_one_is_a_grade() -> None:
    children = [association(1, 4, 2, "isChildOf"), association(2, 5, 3, "isChildOf")]
    named = read([item(2, fullStatement="Reading"), item(3, fullStatement="Music"), item(4), item(5)], children)
    assert [competency.subject for competency in named.competencies[2:]] == ["Reading", "Music"]
    graded = read([item(2, fullStatement="Grade 3"), item(3, fullStatement="Music"), item(4), item(5)], children)
    assert {competency.subject for competency in graded.competencies} == {"Things to do"}


def test_a_heading_without_order_is_nothing_to_learn() -> None:
    framework = read([item(2), item(3), item(4)], [association(1, 3, 2, "isChildOf"), association(2, 3, 4)])
    assert [competency.container for competency in framework.competencies] == [True, False, False]


def test_identifiers_are_compared_in_lower_case() -> None:
    letters = "ABCDEF00-0000-4000-8000-00000000000A"
    upper = {**item(2), "identifier": letters}
    edge = association(1, 2, 3)
    edge["originNodeURI"]["identifier"] = letters
    framework = read([upper, item(3)], [edge])
    assert framework.prerequisites[0].from_id == letters.lower() == framework.competencies[0].competency_id


@pytest.mark.parametrize(
    ("title", "subject"),
    [("Grade 4 Mathematics", "Mathematics"), ("Reading, grades K-5", "Reading"), ("Third Grade", "General")],
)
def test_a_subject_never_names_a_grade(title: str, subject: str) -> None:
    assert read([item(2)], [], title=title).competencies[0].subject == subject
