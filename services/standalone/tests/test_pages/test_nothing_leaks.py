"""No grade, no level, no code, nobody else: in whatever a student or guardian can be answered, page or JSON."""

import re
from collections.abc import Collection, Iterator
from typing import Any

import pytest
from fastapi.routing import APIRoute

pytestmark = pytest.mark.asyncio(loop_scope="session")

GRADES = re.compile(
    r"\b(?:grades?|graders?|grade[ -]?levels?|kindergarten\w*|enrolled[_ -]years?|education_?levels?)\b", re.IGNORECASE
)
LEVELS = re.compile(
    r"\b(?:level [0-9a-f]\b|tier [0-9]|beginner|novice|emerging|intermediate|advanced|proficient|below basic|"
    r"low group|top group|remedial|gifted|struggling)",
    re.IGNORECASE,
)
TIDEWATER, WEEK = "tidewater", "2026-W38"
NOT_ABOUT_LEARNERS = frozenset({"/openapi.json", "/style.css", "/mark.svg"})
"""Answers that are the same for everybody and speak of nobody."""


def findings(text: str, codes: Collection[str], others: Collection[str]) -> list[str]:
    """Everything in a text that a learner or guardian must not read."""
    found = [match.group() for pattern in (GRADES, LEVELS) for match in pattern.finditer(text)]
    words = set(re.findall(r"[\w.\-]+", text))
    found += sorted(code for code in codes if code in words or f"{code}." in words)
    return found + sorted(one for one in others if one in text)


def readable(routes: Any, prefix: str = "") -> Iterator[str]:
    """The path of every GET route of an app."""
    for route in routes:
        if isinstance(route, APIRoute) and "GET" in (route.methods or ()):
            yield prefix + route.path
        elif nested := getattr(getattr(route, "original_router", None), "routes", None):
            yield from readable(nested, prefix)


def of_others(school: Any) -> list[str]:
    names = [f"{one.given} {one.family}" for one in school.others.values()]
    return [*school.others, *names]


async def paths_of(school: Any, learner: str) -> dict[str, dict[str, Any]]:
    """Every path with its places filled in by things that exist, and the query it needs."""
    standings = (await school.get("staff", f"/assessment/v1/learners/{learner}/mastery")).json()["mastery"]
    frameworks = (await school.get("staff", "/pathing/v1/frameworks")).json()["frameworks"]
    block = (await school.get("staff", f"/scheduling/v1/learners/{learner}/timetable")).json()["blocks"][0]
    evidence = (
        await school.get("staff", f"/assessment/v1/learners/{learner}/mastery/{standings[0]['competency_id']}/evidence")
    ).json()["evidence"]
    places = {
        "learner_id": learner,
        "site_id": TIDEWATER,
        "week": WEEK,
        "date": block["date"],
        "competency_id": standings[0]["competency_id"],
        "framework_id": frameworks[0]["framework_id"],
        "evidence_id": evidence[0]["evidence_id"],
    }
    needs = {"/scheduling/v1/learners/{learner_id}/explanation": {"at_ms": block["starts_at_ms"], "asking": "why"}}
    return {
        re.sub(r"\{(\w+)[^}]*\}", lambda place: places.get(place[1], "unknown"), path): needs.get(path, {})
        for path in readable(school.app.routes)
        if path not in NOT_ABOUT_LEARNERS
    }


@pytest.mark.capability(6)
@pytest.mark.capability(40)
@pytest.mark.parametrize("role", ["student", "guardian"])
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
async def test_no_answer_to_a_learner_or_guardian_betrays_a_grade_or_another_learner(
    school: Any, role: str, accept: str
) -> None:
    answered = 0
    for path, query in (await paths_of(school, school.learner)).items():
        answer = await school.get(role, path, accept, **query)
        assert answer.status_code < 500, path
        assert findings(answer.text, school.codes, of_others(school)) == [], path
        answered += answer.status_code == 200 and school.learner in path
    assert answered >= 15


@pytest.mark.parametrize("role", ["student", "guardian"])
async def test_nothing_about_another_learner_is_found(school: Any, role: str) -> None:
    other = sorted(school.others)[0]
    for path, query in (await paths_of(school, other)).items():
        if other in path:
            answer = await school.get(role, path, "text/html", **query)
            assert answer.status_code in (403, 404), path
            told = [f"{one.given} {one.family}" for one in school.others.values()]
            assert findings(answer.text, school.codes, told) == [], path


async def test_the_scan_itself_finds_what_is_planted(school: Any) -> None:
    code, other = sorted(school.codes)[0], sorted(school.others)[0]
    person = school.others[other]
    planted = f"<p>Grade 4 reader, level 2, {code}, with {person.given} {person.family}</p>"
    assert findings(planted, school.codes, of_others(school)) == [
        "Grade",
        "level 2",
        code,
        f"{person.given} {person.family}",
    ]


async def test_the_same_pages_show_staff_what_the_scan_would_find(school: Any) -> None:
    shown = await school.page("staff", f"/learners/{school.learner}/progress")
    found = findings(shown.text, school.codes, ())
    assert "Grade" in found
    assert set(found) & school.codes
