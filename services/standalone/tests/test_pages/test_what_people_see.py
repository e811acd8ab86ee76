"""Each page, as the person for whom it is gets it from a browser."""

import re
from typing import Any

import pytest

pytestmark = pytest.mark.asyncio(loop_scope="session")

TIDEWATER, WEEK = "tidewater", "2026-W38"


def headings(text: str) -> list[str]:
    return [re.sub(r"<[^>]+>", "", one).strip() for one in re.findall(r"<h1[^>]*>(.*?)</h1>", text, re.DOTALL)]


async def test_a_token_in_the_address_becomes_a_cookie_that_scripts_and_other_sites_cannot_use(school: Any) -> None:
    answer = await school.http.get("/sign-in", params={"token": school.tokens["student"]})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    school.http.cookies.clear()
    for part in ("httponly", "samesite=strict", "path=/"):
        assert part in cookie


async def test_without_a_token_the_way_to_get_one_is_told(school: Any) -> None:
    assert "atelier token" in (await school.page("", "/sign-in")).text
    refused = await school.page("", "/")
    assert refused.status_code == 401
    assert headings(refused.text) == ["Please sign in"]


async def test_a_token_that_is_not_ours_signs_nobody_in(school: Any) -> None:
    answer = await school.http.get("/sign-in", params={"token": "made.up.token"})
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers


async def test_programs_still_get_problem_documents(school: Any) -> None:
    answer = await school.get("", "/")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_page_may_load_its_own_stylesheet_and_nothing_else(school: Any) -> None:
    answer = await school.page("staff", "/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "style-src 'self'" in policy and "unsafe" not in policy
    assert "<script" not in answer.text and "style=" not in answer.text
    sheet = re.search(r'href="(/style\.css[^"]*)"', answer.text)
    assert sheet and (await school.page("", sheet[1])).status_code == 200


async def test_staff_see_the_school_today(school: Any) -> None:
    answer = await school.page("staff", "/")
    assert headings(answer.text) == ["The school today"]
    assert "Sunday 13 September" in answer.text
    assert "The week of Monday 14 September 2026" in answer.text
    assert ">published<" in answer.text


async def test_a_learner_is_led_to_the_own_week(school: Any) -> None:
    answer = await school.page("student", "/")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/learners/{school.learner}/week")


async def test_tomorrows_studios_show_members_gap_evidence_and_place_without_any_question(school: Any) -> None:
    answer = await school.page("staff", f"/sites/{TIDEWATER}/studios")
    assert headings(answer.text) == ["Tomorrow&#39;s studios"] or headings(answer.text) == ["Tomorrow's studios"]
    day = (await school.get("staff", f"/scheduling/v1/sites/{TIDEWATER}/days/2026-09-14", studios=True)).json()[
        "sessions"
    ]
    assert day
    for studio in day:
        assert studio["label"] in answer.text and studio["zone_name"] in answer.text
        for member in studio["members"]:
            assert f"/learners/{member}/week" in answer.text
    assert "of evidence" in answer.text or "pieces" in answer.text or "None yet" in answer.text
    assert "no resource is linked" in answer.text


async def test_every_block_of_a_week_says_why(school: Any) -> None:
    answer = await school.page("student", f"/learners/{school.learner}/week")
    blocks = re.findall(r'<li class="block.*?</li>', answer.text, re.DOTALL)
    assert len(blocks) >= 25
    assert all(re.search(r'class="why"><span class="unseen">Why: </span>\S', one) for one in blocks)
    for day in ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"):
        assert day in answer.text
    assert school.person.given in answer.text


async def test_a_guardian_sees_pace_and_helpers_and_a_student_does_not(school: Any) -> None:
    path = f"/learners/{school.learner}/week"
    assert "On pace: not yet known." in (await school.page("guardian", path)).text
    assert "On pace" not in (await school.page("student", path)).text
    named = (await school.get("guardian", f"/assessment/v1/learners/{school.learner}/mastery")).json()["mastery"]
    goal = {
        "statement": "Finish what I began <b>",
        "measure": {"kind": "competencies", "competency_ids": [named[0]["competency_id"]]},
        "target": 1,
        "due": "2026-12-18",
    }
    await school.send("guardian", "POST", f"/profile/v1/learners/{school.learner}/goals", json=goal)
    await school.atelier.settle()
    shown = (await school.page("guardian", path)).text
    assert "Finish what I began &lt;b&gt;" in shown and "Friday 18 December" in shown


async def test_the_week_is_still_shown_when_the_database_is_gone(school: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def gone(*_: Any, **__: Any) -> Any:
        raise OSError("disk unplugged")

    for service in ("profile", "assessment", "pathing", "scheduling"):
        for name in ("find", "find_many", "scan"):
            monkeypatch.setattr(school.atelier.documents[service], name, gone)
    for role in ("student", "guardian", "staff"):
        answer = await school.page(role, f"/learners/{school.learner}/week")
        assert answer.status_code == 200, role
        assert len(re.findall(r'<li class="block', answer.text)) >= 25
    broken = await school.page("student", f"/learners/{school.learner}/progress")
    assert broken.status_code == 500
    assert headings(broken.text) == ["Something went wrong here"]


async def test_progress_is_one_number_for_every_reader_and_the_apis(school: Any) -> None:
    told = (await school.get("student", f"/assessment/v1/learners/{school.learner}/mastery")).json()["mastery"]
    expected = sorted(str(one["estimate"]) for one in told)
    for role in ("student", "guardian", "staff"):
        answer = await school.page(role, f"/learners/{school.learner}/progress")
        assert sorted(re.findall(r'<data value="([^"]+)"', answer.text)) == expected, role
        assert answer.text.count("<details id=") == len(told)


async def test_the_plan_shows_who_moves_what_is_owed_and_what_was_decided(school: Any) -> None:
    await decide_for(school, "Agreed with the family")
    await school.atelier.settle()
    document = (await school.get("staff", f"/scheduling/v1/sites/{TIDEWATER}/plans/{WEEK}")).json()
    shown = (await school.page("staff", f"/sites/{TIDEWATER}/plans/{WEEK}")).text
    for part in ("What is owed", "Agreed with the family", "in force", "Somebody asked for a plan"):
        assert part in shown
    assert document["proposed"]["moves"]
    assert "compared with what is published" in shown
    for moved in document["proposed"]["moves"]:
        assert f"/learners/{moved['learner_id']}/week?week={WEEK}" in shown
    assert ("forced" if document["proposed"]["moves"][0]["forced"] else "by choice") in shown


async def decide_for(school: Any, reason: str) -> None:
    """A person puts the learner elsewhere for a while: the first place that safety allows."""
    week = (await school.get("staff", f"/scheduling/v1/learners/{school.learner}/timetable")).json()["blocks"]
    for block in week:
        day = await school.get("staff", f"/scheduling/v1/sites/{TIDEWATER}/days/{block['date']}")
        for other in day.json()["sessions"]:
            same_time = (other["starts_at_ms"], other["ends_at_ms"]) == (block["starts_at_ms"], block["ends_at_ms"])
            if not same_time or other["session"] == block["session"]:
                continue
            decision = {
                "action": "place",
                "reason": reason,
                "starts_at_ms": block["starts_at_ms"],
                "ends_at_ms": block["ends_at_ms"],
                "learners": [school.learner],
                "session": other["session"],
                "week": WEEK,
            }
            headers = {"authorization": f"Bearer {school.tokens['staff']}"}
            path = f"/scheduling/v1/sites/{TIDEWATER}/overrides"
            if (await school.http.post(path, json=decision, headers=headers)).is_success:
                return
    raise AssertionError("safety allows the learner no other place in the whole week")


@pytest.mark.parametrize("page", ["studios", f"plans/{WEEK}", "learners"])
async def test_pages_of_a_site_are_for_its_staff(school: Any, page: str) -> None:
    path = f"/sites/{TIDEWATER}/{page}"
    assert (await school.page("staff", path)).status_code == 200
    for role in ("student", "guardian"):
        assert (await school.page(role, path)).status_code == 403
    assert (await school.page("stranger", path)).status_code == 404


async def test_another_districts_learners_are_not_found(school: Any) -> None:
    for page in ("week", "progress"):
        assert (await school.page("stranger", f"/learners/{school.learner}/{page}")).status_code == 404


async def test_a_date_that_is_none_is_said_so(school: Any) -> None:
    answer = await school.page("staff", f"/sites/{TIDEWATER}/studios?date=tomorrow")
    assert answer.status_code == 422
    assert "Date is a day like 2026-09-14" in answer.text
