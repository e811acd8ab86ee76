"""Paths through the public doors: evidence in, a frontier out, edits by people."""

from typing import Any

import pytest

DAY = 24 * 60 * 60 * 1000


def steps(answer: Any) -> list[tuple[str, str]]:
    assert answer.status_code == 200, answer.text
    return [(step["competency_id"][-2:], step["state"]) for step in answer.json()["frontier"]]


def at(letter: str) -> str:
    return f"{ord(letter):02x}"


@pytest.mark.capability(22)
async def test_the_path_endpoint_returns_the_frontier_with_its_prerequisites_satisfied(school: Any, make: Any) -> None:
    await school.adopt(make("abcd", "a=>b", "b=>c", "c>d"))
    (learner,) = await school.enrol("sam")
    async with school.client("coach") as coach:
        frontier = f"/pathing/v1/learners/{learner}/frontier"
        assert steps(await coach.get(frontier)) == [(at("a"), "probe"), (at("d"), "probe")]
        await school.master(learner, "a")
        answer = await coach.get(frontier)
        assert steps(answer) == [(at("b"), "probe"), (at("d"), "probe")]
        first = answer.json()["frontier"][0]
        assert {"code": "gate-met", "competency_id": first["competency_id"][:-2] + at("a"), "by": "earned"} in first[
            "reasons"
        ]
        await school.master(learner, "b", estimate=0.5, uncertainty=0.1)
        assert steps(await coach.get(frontier))[0] == (at("b"), "ready")
        assert all(at("c") != name for name, _ in steps(await coach.get(frontier)))
    told = school.revisions(learner)[-1]
    assert [entry.competency_id[-2:] for entry in told.frontier] == [at("b"), at("d")]
    assert [gate.competency_id[-2:] for gate in told.gates_met] == [at("a")]
    assert list(told.frontier[0].evidence_ids) == ["evidence-b"]


async def test_neighbours_hear_what_was_earned_and_what_no_longer_is(school: Any, make: Any, named: Any) -> None:
    await school.adopt(make("abc", "a=>b"))
    (learner,) = await school.enrol("sam")
    await school.master(learner, "a")
    await school.master(learner, "a", estimate=0.4, uncertainty=0.1)
    told = [(list(one.earned_now), list(one.no_longer_earned)) for one in school.revisions(learner)]
    assert told == [([], []), ([named("a")], []), ([], [named("a")])]


@pytest.mark.capability(48)
async def test_a_path_is_a_versioned_aggregate_with_human_and_engine_revisions(
    school: Any, make: Any, named: Any
) -> None:
    await school.adopt(make("abc"))
    (learner,) = await school.enrol("sam")
    path = f"/pathing/v1/learners/{learner}/path"
    async with school.client("student", learners=[learner]) as student, school.client("coach") as coach:
        seen = await student.get(path)
        moved = await student.post(
            f"{path}/reorder", json={"competency_ids": [named("c")]}, headers={"If-Match": seen.headers["etag"]}
        )
        assert (moved.status_code, moved.json()["revision"]) == (200, 2)
        edited = await coach.post(
            f"{path}/coach-edits",
            json={"order": [named("b"), named("c")], "reason": "The studio begins with b"},
            headers={"If-Match": moved.headers["etag"]},
        )
        assert edited.status_code == 200, edited.text
        await school.master(learner, "b")
        history = (await coach.get(path)).json()
    assert [(one["revision"], one["author"], one["tag"]) for one in history["revisions"]] == [
        (4, "engine", "pace"),
        (3, "coach", "approach"),
        (2, "student", "student-voice"),
        (1, "engine", "approach"),
    ]
    assert history["revisions_by_author"] == {"coach": 1, "engine": 2, "student": 1}
    assert history["revisions"][1]["note"] == "The studio begins with b"
    assert history["revisions"][0]["evidence_ids"] == ["evidence-b"]


@pytest.mark.capability(21)
async def test_revisions_are_counted_per_tag_for_each_learner(school: Any, make: Any, named: Any) -> None:
    await school.adopt(make("abc"))
    sam, kim = await school.enrol("sam", "kim")
    async with school.client("student", learners=[sam]) as student, school.client("coach") as coach:
        await student.post(f"/pathing/v1/learners/{sam}/path/defer", json={"competency_id": named("a")})
        await student.post(f"/pathing/v1/learners/{sam}/path/test-out", json={"competency_id": named("b")})
        await school.master(sam, "b")
        counted = (await coach.get(f"/pathing/v1/learners/{sam}/path")).json()["revisions_by_tag"]
        other = (await coach.get(f"/pathing/v1/learners/{kim}/path")).json()["revisions_by_tag"]
    assert counted == {"approach": 1, "pace": 1, "student-voice": 2}
    assert other == {"approach": 1, "pace": 0, "student-voice": 0}


@pytest.mark.capability(8)
async def test_a_learner_reorders_and_defers_what_is_ready_unless_a_named_policy_blocks_it(
    school: Any, make: Any, named: Any
) -> None:
    await school.adopt(make("abcd", "a=>d"))
    (learner,) = await school.enrol("sam")
    path = f"/pathing/v1/learners/{learner}/path"
    async with school.client("student", learners=[learner]) as student:
        etag = (await student.get(path)).headers["etag"]
        blocked = await student.post(
            f"{path}/reorder", json={"competency_ids": [named("d")]}, headers={"If-Match": etag}
        )
        assert (blocked.status_code, blocked.json()["policy"]) == (409, "only-what-is-ready")
        assert blocked.json()["unmet"] == [named("a")]
        too_long = await student.post(f"{path}/defer", json={"competency_id": named("a"), "days": 60})
        assert (too_long.status_code, too_long.json()["policy"]) == (409, "a-deferral-ends")
        put_off = await student.post(f"{path}/defer", json={"competency_id": named("a"), "days": 3})
        assert put_off.status_code == 200
        etag = put_off.headers["etag"]
        order = {"competency_ids": [named("c"), named("b")]}
        assert (await student.post(f"{path}/reorder", json=order, headers={"If-Match": etag})).status_code == 200
        shown = await student.get(f"/pathing/v1/learners/{learner}/frontier")
        assert steps(shown) == [(at("c"), "probe"), (at("b"), "probe"), (at("a"), "deferred")]
        school.clock.advance(3 * DAY + 1)
        school.pathing.service.timers.wake()
        await school.settle()
        shown = await student.get(f"/pathing/v1/learners/{learner}/frontier")
        assert steps(shown)[-1] == (at("a"), "probe")
        history = (await student.get(path)).json()["revisions"]
        assert history[0]["reason"]["code"] == "deferral-ended"


@pytest.mark.capability(9)
async def test_a_students_edit_of_today_shows_in_the_coachs_view_with_its_author(
    school: Any, make: Any, named: Any
) -> None:
    await school.adopt(make("abc"))
    (learner,) = await school.enrol("sam")
    async with school.client("student", learners=[learner]) as student, school.client("coach") as coach:
        edited = await student.post(
            f"/pathing/v1/learners/{learner}/path/defer", json={"competency_id": named("a"), "days": 2}
        )
        latest = (await coach.get(f"/pathing/v1/learners/{learner}/path")).json()["revisions"][0]
        after = f"{edited.json()['stream']}@{edited.json()['version']}"
        overview = (await coach.get("/pathing/v1/paths", params={"after": after})).json()["paths"]
    assert (latest["author"], latest["at_ms"]) == ("student", school.clock.now())
    assert latest["edits"][0]["competency_id"] == named("a")
    assert [(one["learner_id"], one["last_edit"]["author_role"]) for one in overview] == [(learner, "student")]


async def test_an_edit_of_a_revision_that_has_passed_is_refused(school: Any, make: Any, named: Any) -> None:
    await school.adopt(make("abc"))
    (learner,) = await school.enrol("sam")
    path = f"/pathing/v1/learners/{learner}/path"
    body = {"competency_ids": [named("c")]}
    async with school.client("student", learners=[learner]) as student:
        etag = (await student.get(path)).headers["etag"]
        await school.master(learner, "a")
        assert (await student.post(f"{path}/reorder", json=body, headers={"If-Match": etag})).status_code == 412
        assert (await student.post(f"{path}/reorder", json=body)).status_code == 428


async def test_the_same_edit_sent_twice_is_one(school: Any, make: Any, named: Any) -> None:
    await school.adopt(make("abc"))
    (learner,) = await school.enrol("sam")
    path = f"/pathing/v1/learners/{learner}/path/defer"
    async with school.client("student", learners=[learner]) as student:
        key = {"Idempotency-Key": '"once"'}
        first = await student.post(path, json={"competency_id": named("a")}, headers=key)
        school.clock.advance(5)
        again = await student.post(path, json={"competency_id": named("a")}, headers=key)
        other = await student.post(path, json={"competency_id": named("b")}, headers=key)
    assert (first.json()["version"], again.json()["repeated"]) == (again.json()["version"], True)
    assert other.status_code == 422


async def test_a_waiver_by_a_named_person_opens_a_gate_and_says_who(school: Any, make: Any, named: Any) -> None:
    await school.adopt(make("ab", "a=>b"))
    (learner,) = await school.enrol("sam")
    waivers = f"/pathing/v1/learners/{learner}/waivers"
    waiver = {"competency_id": named("a"), "reason": "Shown in the workshop, seen by me"}
    async with school.client("student", learners=[learner]) as student, school.client("coach", subject="kay") as coach:
        assert (await student.post(waivers, json=waiver)).status_code == 403
        assert (await coach.post(waivers, json=waiver)).status_code == 200
        await school.settle()
        assert (at("b"), "probe") in steps(await student.get(f"/pathing/v1/learners/{learner}/frontier"))
        seen = (await coach.get(f"/pathing/v1/learners/{learner}/path")).json()
        own = (await student.get(f"/pathing/v1/learners/{learner}/path")).json()
    assert seen["waived"] == [{"competency_id": named("a"), "by": "kay"}]
    assert own["waived"] == [{"competency_id": named("a")}]
    assert seen["revisions"][0]["note"] == "Shown in the workshop, seen by me"
    assert "note" not in own["revisions"][0]
    assert [gate.waived_by for gate in school.revisions(learner)[-1].gates_met] == ["kay"]
    stored = [commit.body() for commit in await school.pathing.service.store.read_log("district-1", 0)]
    assert not any(b"workshop" in body for body in stored)


async def test_testing_out_of_what_is_not_ready_is_kept_beside_the_frontier(school: Any, make: Any, named: Any) -> None:
    await school.adopt(make("abc", "a=>b", "b=>c"))
    (learner,) = await school.enrol("sam")
    async with school.client("student", learners=[learner]) as student:
        await student.post(f"/pathing/v1/learners/{learner}/path/test-out", json={"competency_id": named("c")})
        shown = (await student.get(f"/pathing/v1/learners/{learner}/frontier")).json()
        assert [one["competency_id"] for one in shown["probes_beyond"] if one["asked"]] == [named("c")]
        assert steps(await student.get(f"/pathing/v1/learners/{learner}/frontier")) == [(at("a"), "probe")]
        await school.master(learner, "c")
        shown = await student.get(f"/pathing/v1/learners/{learner}/frontier")
    assert {name for name, _ in steps(shown)} == {at("a"), at("b")}


async def test_another_learner_and_another_district_are_not_found(school: Any, make: Any) -> None:
    await school.adopt(make("abc"))
    sam, kim = await school.enrol("sam", "kim")
    for view in ("frontier", "path"):
        async with school.client("student", learners=[sam]) as student:
            assert (await student.get(f"/pathing/v1/learners/{kim}/{view}")).status_code == 404
        async with school.client("coach", tenant="district-2") as stranger:
            assert (await stranger.get(f"/pathing/v1/learners/{sam}/{view}")).status_code == 404


async def test_a_guardian_sees_the_path_and_does_not_change_it(school: Any, make: Any, named: Any) -> None:
    await school.adopt(make("abc"))
    (learner,) = await school.enrol("sam")
    async with school.client("guardian", learners=[learner]) as guardian:
        assert (await guardian.get(f"/pathing/v1/learners/{learner}/frontier")).status_code == 200
        defer = await guardian.post(f"/pathing/v1/learners/{learner}/path/defer", json={"competency_id": named("a")})
    assert defer.status_code == 403


async def test_no_code_and_no_grade_is_in_anything_a_learner_or_guardian_sees(school: Any, make: Any) -> None:
    statements = {
        "a": "Add fractions as 4th graders do",
        "b": "Compare decimals (Grade 4)",
        "c": "Write in grades 3-5 about a level 2 text",
    }
    await school.adopt(make("abc", statements=statements))
    (learner,) = await school.enrol("sam")
    for role in ("student", "guardian"):
        async with school.client(role, learners=[learner]) as reader:
            for view in (
                f"/pathing/v1/learners/{learner}/frontier",
                f"/pathing/v1/learners/{learner}/path",
                "/pathing/v1/frameworks",
                "/pathing/v1/frameworks/00000000-0000-4000-8000-0000000000d0",
                "/pathing/v1/frameworks/00000000-0000-4000-8000-0000000000d0/competencies",
            ):
                text = (await reader.get(view)).text.lower()
                assert "grade" not in text
                assert "g4." not in text
                assert "level" not in text
            package = await reader.get("/pathing/ims/case/v1p1/CFPackages/00000000-0000-4000-8000-0000000000d0")
            assert package.status_code == 403
    async with school.client("coach") as coach:
        assert "G4.A" in (await coach.get(f"/pathing/v1/learners/{learner}/frontier")).text


async def test_learner_and_coach_see_the_same_number(school: Any, make: Any) -> None:
    await school.adopt(make("abc"))
    (learner,) = await school.enrol("sam")
    await school.master(learner, "a", estimate=0.61, uncertainty=0.12)
    await school.master(learner, "a", estimate=0.63, uncertainty=0.12)
    seen = []
    for role in ("student", "coach"):
        async with school.client(role, learners=[learner]) as reader:
            step = (await reader.get(f"/pathing/v1/learners/{learner}/frontier")).json()["frontier"][0]
            seen.append((step["estimate"], step["uncertainty"], step["evidence_ids"]))
    assert seen[0] == seen[1]
    assert seen[0][0] == 0.63


async def test_an_erased_learners_path_is_gone(school: Any, make: Any) -> None:
    await school.adopt(make("abc"))
    (learner,) = await school.enrol("sam")
    await school.erase(learner)
    async with school.client("coach") as coach:
        assert (await coach.get(f"/pathing/v1/learners/{learner}/frontier")).status_code == 404
        assert (await coach.get("/pathing/v1/paths")).json()["paths"] == []


async def test_a_restart_changes_nothing_and_says_nothing_twice(school: Any, make: Any) -> None:
    await school.adopt(make("ab", "a=>b"))
    (learner,) = await school.enrol("sam")
    await school.master(learner, "a")
    before = [heard.SerializeToString() for heard in school.heard]
    await school.restart()
    await school.settle()
    assert [heard.SerializeToString() for heard in school.heard] == before
    async with school.client("coach") as coach:
        assert steps(await coach.get(f"/pathing/v1/learners/{learner}/frontier")) == [(at("b"), "probe")]
