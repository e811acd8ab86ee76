"""A learner's record through the HTTP door: who sees what, what is refused, what an erasure leaves."""

from typing import Any

import pytest
from atelier.assessment.v1.events_pb2 import MasteryChanged
from atelier.profile.v1.events_pb2 import AdultChanged, LearnerChanged
from atelier.scheduling.v1.events_pb2 import PlanPublished
from atelier_common.bus.envelope import NOTHING, Envelope, decode, encode

SUPPORTS = {
    "accommodations": [{"kind": "extended-time", "basis": "504", "time_factor": 1.5, "detail": "In written tests."}],
    "services": [
        {
            "kind": "reading-support",
            "minutes_per_week": 60,
            "setting": "pull-out",
            "provider_role": "reading-specialist",
            "group_size_max": 3,
            "may_be_pulled_from": ["independent"],
            "source": "plan-of-services",
        }
    ],
    "restrictions": [{"kind": "bar-zone", "other_id": "pool"}],
    "device": {"has_device": False},
    "languages": {"tags": ["es", "en-US"]},
}
DAY = 24 * 60 * 60 * 1000


@pytest.fixture
async def school(rig: Any, roster: Any) -> Any:
    await rig.import_roster(roster.zip())
    return rig


async def profile_of(rig: Any, learner: str) -> str:
    return f"/profile/v1/learners/{await rig.learner_id(learner)}"


async def kinds_seen(client: Any, url: str) -> set[str]:
    answer = await client.get(url)
    assert answer.status_code == 200, answer.text
    return {fact["kind"] for fact in answer.json()["facts"]}


async def with_supports(rig: Any, learner: str = "s1") -> str:
    """A learner with supports, and an interest of the learner's own; returns the URL."""
    url = await profile_of(rig, learner)
    etag = (await rig.admin.get(url)).headers["ETag"]
    answer = await rig.admin.patch(f"{url}/supports", json=SUPPORTS, headers={"If-Match": etag})
    assert answer.status_code == 200, answer.text
    await rig.quiet()
    return url


@pytest.mark.capability(45)
async def test_every_fact_has_source_time_confidence_and_visibility_and_stale_ones_are_marked(school: Any) -> None:
    url = await with_supports(school)
    student = school.client("student", learners=[await school.learner_id("s1")])
    await student.put(f"{url}/interests/model rockets", json={"strength": 0.8})
    await student.post(f"{url}/facts", json={"kind": "strength", "value": "I explain things well."})
    observed = {
        "kind": "observation",
        "value": "Reads aloud with joy.",
        "confidence": 0.7,
        "observed_at": school.clock.now() - DAY,
    }
    coach = school.client("coach")
    done = await coach.post(
        f"{url}/facts", json={**observed, "source": "classroom visit", "expires_at": school.clock.now() + DAY}
    )
    assert done.status_code == 201
    facts = (await school.admin.get(url, params={"after": done.json()["after"]})).json()["facts"]
    assert len(facts) >= 12
    for fact in facts:
        assert fact["source"]
        assert 0 < fact["observed_at"] <= school.clock.now()
        assert 0.0 <= fact["confidence"] <= 1.0
        assert fact["visibility"] in {"family", "staff", "support", "restricted", "reporting"}
        assert fact["stale"] is False
    by_kind = {fact["kind"]: fact for fact in facts}
    assert by_kind["observation"]["source"] == "classroom visit"
    assert by_kind["observation"]["observed_at"] == school.clock.now() - DAY
    assert (by_kind["strength"]["source"], by_kind["name"]["source"]) == ("learner", "oneroster")
    school.clock.advance(2 * DAY)
    stale = {fact["kind"] for fact in (await school.admin.get(url)).json()["facts"] if fact["stale"]}
    assert stale == {"observation"}
    school.clock.advance(200 * DAY)
    stale = {fact["kind"] for fact in (await school.admin.get(url)).json()["facts"] if fact["stale"]}
    assert stale == {"observation", "interest"}


async def test_each_reader_sees_the_facts_of_their_own_circle(school: Any) -> None:
    url = await with_supports(school)
    await school.client("counselor").post(f"{url}/facts", json={"kind": "basic-need", "value": "Breakfast at school."})
    await school.quiet()
    me = await school.learner_id("s1")
    family = {"name", "username", "birth-date", "sites", "guardians", "accommodation", "service", "device", "languages"}
    assert await kinds_seen(school.client("student", learners=[me]), url) == family
    assert await kinds_seen(school.client("guardian", learners=[me]), url) == family
    assert await kinds_seen(school.client("coach"), url) == (family - {"service"}) | {"legal-name"}
    counselor = family | {"legal-name", "restriction", "basic-need"}
    assert await kinds_seen(school.client("counselor"), url) == counselor
    services = {"kind": "service"}
    assert (await school.client("coach").get(f"{url}/facts", params=services)).json()["items"] == []
    seen = (await school.client("counselor").get(f"{url}/facts", params=services)).json()["items"]
    assert [(one["value"]["kind"], one["value"]["minutes_per_week"]) for one in seen] == [("reading-support", 60)]
    assert await kinds_seen(school.client("principal"), url) == counselor


async def test_a_teacher_with_a_child_at_the_school_is_family_to_that_child_alone(school: Any) -> None:
    url = await with_supports(school, "s2")
    parent_of_another = school.client("coach", "guardian", learners=[await school.learner_id("s1")])
    assert "service" not in await kinds_seen(parent_of_another, url)
    parent = school.client("coach", "guardian", learners=[await school.learner_id("s2")])
    assert "service" in await kinds_seen(parent, url)


async def test_a_guardian_loses_sight_of_a_child_with_the_roster_and_not_with_the_token(
    rig: Any, roster_of: Any
) -> None:
    await rig.import_roster(roster_of(20).zip())
    url = await profile_of(rig, "s1")
    pim = await rig.profile.keyring.pseudonym("fictional", "guardian", "p1")
    guardian = rig.client("guardian", subject=pim, learners=[await rig.learner_id("s1")])
    assert (await guardian.get(url)).status_code == 200
    changed = roster_of(20)
    changed.row("users", "s1")["agentSourcedIds"] = ""
    await rig.import_roster(changed.zip())
    assert (await guardian.get(url)).status_code == 404
    assert (await guardian.post(f"{url}/reflections", json={"text": "Still here?"})).status_code == 404


async def test_the_year_a_state_counts_a_learner_in_is_shown_to_the_district_office_alone(
    rig: Any, roster: Any
) -> None:
    roster.row("users", "s1")["grades"] = "05"
    await rig.import_roster(roster.zip())
    url = await profile_of(rig, "s1")
    assert "enrolled-year" in await kinds_seen(rig.admin, url)
    for role in ("coach", "counselor", "principal"):
        assert "enrolled-year" not in await kinds_seen(rig.client(role), url)
    student = rig.client("student", learners=[await rig.learner_id("s1")])
    assert "05" not in {
        fact["value"] for fact in (await student.get(url)).json()["facts"] if isinstance(fact["value"], str)
    }
    assert "enrolled" not in (await student.get(url)).text


async def test_nobody_finds_another_learner_another_tenant_or_a_site_of_others(school: Any, roster: Any) -> None:
    url = await profile_of(school, "s2")
    stranger = school.client("student", learners=[await school.learner_id("s1")])
    assert (await stranger.get(url)).status_code == 404
    assert (await school.client("district-admin", tenant="elsewhere").get(url)).status_code == 404
    assert (await school.client("partner").get(url)).status_code == 403
    roster.person("t2", "Tarn", "Example", "teacher", "south")
    await school.import_roster(roster.zip())
    south = await school.profile.keyring.pseudonym("fictional", "adult", "t2")
    north = await school.profile.keyring.pseudonym("fictional", "adult", "t1")
    assert (await school.client("coach", subject=south).get(url)).status_code == 404
    assert (await school.client("coach", subject=north).get(url)).status_code == 200
    listing = "/profile/v1/learners"
    assert (await school.client("coach", subject=south).get(listing)).status_code == 403
    assert (
        len((await school.client("coach", subject=north).get(listing, params={"site": "north"})).json()["items"]) == 4
    )
    assert (await school.client("coach", subject=south).get(listing, params={"site": "south"})).json()["items"] == []


async def test_an_edit_needs_the_version_that_was_read(school: Any) -> None:
    url = await with_supports(school)
    device = {"device": {"has_device": True}}
    assert (await school.admin.patch(f"{url}/supports", json=device)).status_code == 428
    stale = await school.admin.patch(f"{url}/supports", json=device, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition-failed")
    etag = (await school.admin.get(url)).headers["ETag"]
    done = await school.admin.patch(f"{url}/supports", json=device, headers={"If-Match": etag})
    assert done.status_code == 200
    assert done.headers["ETag"] != etag


async def test_the_same_key_is_answered_again_and_with_another_body_refused(school: Any) -> None:
    url = await profile_of(school, "s1")
    key = {"Idempotency-Key": '"once"'}
    body = {"kind": "observation", "value": "Asks good questions."}
    coach = school.client("coach")
    first = await coach.post(f"{url}/facts", json=body, headers=key)
    school.clock.advance(5_000)
    again = await coach.post(f"{url}/facts", json=body, headers=key)
    assert (again.json()["fact_id"], again.json()["repeated"]) == (first.json()["fact_id"], True)
    other = await coach.post(f"{url}/facts", json={**body, "value": "Something else."}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "command-id-reused")


async def test_supports_of_many_learners_come_in_one_batch_and_again_change_nothing(school: Any) -> None:
    batch = {
        "learners": [
            {"sourced_id": "s1", **SUPPORTS},
            {"sourced_id": "s2", "absences": [{"starts_at": 1, "ends_at": 2}]},
        ]
    }
    assert (await school.admin.post("/profile/v1/supports", json=batch)).json()["changed"] == 2
    before = await school.events()
    school.clock.advance(DAY)
    again = (await school.admin.post("/profile/v1/supports", json=batch)).json()
    assert (again["changed"], again["unchanged"]) == (0, 2)
    assert await school.events() == before


async def test_a_batch_with_one_fault_is_refused_whole_and_names_the_learner(school: Any) -> None:
    before = await school.events()
    bad = {
        "learners": [
            {"sourced_id": "s1", **SUPPORTS},
            {"sourced_id": "s2", "absences": [{"starts_at": 2, "ends_at": 1}]},
        ]
    }
    answer = await school.admin.post("/profile/v1/supports", json=bad)
    assert (answer.status_code, answer.json()["place"], answer.json()["field"]) == (422, 1, "ends_at")
    unknown = {"learners": [{"sourced_id": "nobody", **SUPPORTS}]}
    assert (await school.admin.post("/profile/v1/supports", json=unknown)).status_code == 404
    assert await school.events() == before


@pytest.mark.capability(63)
async def test_a_learner_edits_own_interests_and_only_own(school: Any) -> None:
    url, other = await profile_of(school, "s1"), await profile_of(school, "s2")
    student = school.client("student", learners=[await school.learner_id("s1")])
    done = await student.put(f"{url}/interests/dinosaurs", json={})
    facts = (await student.get(url, params={"after": done.json()["after"]})).json()["facts"]
    interest = next(fact for fact in facts if fact["kind"] == "interest")
    assert (interest["source"], interest["stale"]) == ("learner", False)
    assert interest["expires_at"] > school.clock.now()
    assert (await student.put(f"{other}/interests/dinosaurs", json={})).status_code == 404
    gone = await student.delete(f"{url}/interests/dinosaurs", headers={"If-Match": done.headers["ETag"]})
    assert gone.json()["result"]["changes"] > 0


@pytest.mark.capability(51)
async def test_a_goal_is_refused_unless_it_can_be_measured_and_its_progress_is_computed(school: Any) -> None:
    url = await profile_of(school, "s1")
    student = school.client("student", learners=[await school.learner_id("s1")])
    vague = await student.post(f"{url}/goals", json={"statement": "I want to get better at fractions."})
    assert (vague.status_code, vague.json()["missing"]) == (422, ["measure", "target", "due"])
    goal = {
        "statement": "I want to know two more things about fractions by winter.",
        "measure": {"kind": "competencies", "competency_ids": ["c1", "c2"]},
        "target": 2,
        "due": "2026-12-18",
    }
    done = await student.post(f"{url}/goals", json=goal)
    assert done.status_code == 201, done.text
    await said_by_assessment(school, "s1", "c1", 0.93, earned=True)
    shown = (await student.get(f"{url}/goals", params={"after": done.json()["after"]})).json()["items"][0]
    assert (shown["statement"], shown["reached"], shown["share"]) == (goal["statement"], 1.0, 0.5)
    closed = await student.post(f"/profile/v1/goals/{done.json()['goal_id']}/closing", json={"outcome": "dropped"})
    assert closed.status_code == 200


@pytest.mark.capability(62)
async def test_an_objection_gets_a_recorded_answer(school: Any) -> None:
    url = await profile_of(school, "s1")
    student = school.client("student", learners=[await school.learner_id("s1")])
    words = {
        "kind": "objection",
        "about": {"kind": "placement", "id": "ses-1"},
        "text": "I was in this group last week.",
    }
    filed = (await student.post(f"{url}/requests", json=words)).json()
    await school.quiet()
    waiting = (await school.client("coach").get("/profile/v1/requests")).json()["items"]
    assert [(one["request_id"], one["state"]) for one in waiting] == [(filed["request_id"], "waiting")]
    answer = {"answer": "granted", "text": "You are right; next week you choose."}
    answered = await school.client("coach", subject="coach-1").post(
        f"/profile/v1/requests/{filed['request_id']}/answer", json=answer
    )
    assert answered.status_code == 200, answered.text
    seen = (await student.get(f"{url}/requests", params={"after": answered.json()["after"]})).json()["items"][0]
    assert (seen["state"], seen["text"], seen["answer"]["text"]) == ("answered", words["text"], answer["text"])
    assert (await school.client("coach").get("/profile/v1/requests")).json()["items"] == []
    assert (await school.client("coach").post(f"{url}/requests", json=words)).status_code == 403


async def test_a_reflection_is_linked_to_its_evidence(school: Any) -> None:
    url = await profile_of(school, "s1")
    student = school.client("student", learners=[await school.learner_id("s1")])
    done = await student.post(f"{url}/reflections", json={"text": "Drawing it first helped.", "evidence_ids": ["ev-1"]})
    items = (await student.get(f"{url}/reflections", params={"after": done.json()["after"]})).json()["items"]
    assert [(one["text"], one["evidence_ids"]) for one in items] == [("Drawing it first helped.", ["ev-1"])]


async def said_by_assessment(rig: Any, learner: str, competency: str, estimate: float, *, earned: bool) -> str:
    """Let the bus carry what assessment says of a learner, and wait until it is shown; returns the event's id."""
    learner_id = await rig.learner_id(learner)
    told = MasteryChanged(
        learner_id=learner_id,
        competency_id=competency,
        estimate=estimate,
        uncertainty=0.05,
        earned=earned,
        policy_version="p1",
        calibration_version="k1",
        evidence_ids=["ev-1", "ev-2"],
        evidence_count=2,
        performed_at_ms=rig.clock.now(),
    )
    said = Envelope(
        id=f"mastery-{learner}-{competency}",
        service="assessment",
        type="atelier.assessment.mastery.v1.changed",
        time=rig.clock.now(),
        subject=learner_id,
        tenant="fictional",
        stream=f"mastery/{learner_id}:{competency}",
        place=(1, 0),
        previous=NOTHING,
        incarnation="assessment-log",
        correlation_id="a posted result",
        causation_ids=("the result's event",),
        trace=None,
        payload=told.SerializeToString(),
    )
    await rig.bus.publish("assessment.mastery", [encode(said)])

    async def shown() -> bool:
        return await rig.profile.progress.get("fictional", f"{learner_id}:{competency}") is not None

    await rig.until(shown)
    return said.id


@pytest.mark.capability(46)
async def test_the_learner_sees_the_number_that_the_coach_sees(school: Any) -> None:
    await said_by_assessment(school, "s1", "c1", 0.91, earned=True)
    url = f"{await profile_of(school, 's1')}/progress"
    me = await school.learner_id("s1")
    seen = [
        (await reader.get(url)).json()
        for reader in (
            school.client("student", learners=[me]),
            school.client("guardian", learners=[me]),
            school.client("coach"),
        )
    ]
    assert seen[0] == seen[1] == seen[2]
    assert (seen[0]["earned_count"], seen[0]["competencies"][0]["estimate"]) == (1, 0.91)
    assert seen[0]["competencies"][0]["evidence_ids"] == ["ev-1", "ev-2"]


@pytest.mark.capability(15)
async def test_a_proficiency_event_shows_in_the_profile_with_what_caused_it(school: Any) -> None:
    event_id = await said_by_assessment(school, "s1", "c1", 0.91, earned=True)
    shown = (await school.client("coach").get(f"{await profile_of(school, 's1')}/progress")).json()["competencies"][0]
    assert (shown["caused_by"], shown["correlation_id"]) == (["the result's event"], "a posted result")
    kept = await school.profile.service.store.read_stream(
        "fictional", f"assessment/mastery/{await school.learner_id('s1')}:c1"
    )
    assert [commit.command_id for commit in kept] == [event_id]


async def test_progress_names_the_plan_that_the_site_published_last(school: Any) -> None:
    told = PlanPublished(site_id="north", week="2026-W40", plan_id="plan-7", published_at_ms=school.clock.now())
    said = Envelope(
        id="plan-7-published",
        service="scheduling",
        type="atelier.scheduling.plan.v1.published",
        time=school.clock.now(),
        subject="north",
        tenant="fictional",
        stream="plan/north:2026-W40",
        place=(1, 0),
        previous=NOTHING,
        incarnation="scheduling-log",
        correlation_id="a cut-off",
        causation_ids=(),
        trace=None,
        payload=told.SerializeToString(),
    )
    await school.bus.publish("scheduling.plan", [encode(said)])

    async def shown() -> bool:
        return await school.profile.plans.get("fictional", "north") is not None

    await school.until(shown)
    plan = (await school.client("coach").get(f"{await profile_of(school, 's1')}/progress")).json()["plan"]
    assert (plan["plan_id"], plan["week"]) == ("plan-7", "2026-W40")


async def told_to_neighbours(rig: Any, topic: str) -> list[Envelope]:
    """Everything published in a topic so far."""
    await rig.quiet()
    subscription = rig.bus.subscribe(f"test-{topic}", [topic])
    told = [decode(one.message) for one in await subscription.fetch(10_000, 0.5)]
    await subscription.close()
    return told


@pytest.mark.capability(83)
async def test_an_erased_learner_is_gone_everywhere_and_stays_gone(school: Any, roster: Any) -> None:
    url = await with_supports(school)
    student = school.client("student", learners=[await school.learner_id("s1")])
    await student.post(f"{url}/reflections", json={"text": "Drawing it first helped."})
    assert (await student.post(f"{url}/erasure")).status_code == 403
    erased = await school.admin.post(f"{url}/erasure")
    assert erased.status_code == 202
    await school.quiet()
    gone = await school.admin.get(url)
    assert (gone.status_code, gone.json()["code"]) == (410, "subject-erased")
    assert (await student.get(f"{url}/reflections")).status_code == 410
    assert len((await school.admin.get("/profile/v1/learners")).json()["items"]) == 3
    keyring = school.profile.keyring
    log = await school.profile.service.store.read_log("fictional", 0, 10_000)
    stored = b"".join(commit.body() for commit in log)
    for secret in (b"Given1", b"Family1", b"Drawing it first", b"In written tests"):
        assert secret not in stored
    entry = (await school.profile.service.store.read_stream("fictional", f"learner/{await school.learner_id('s1')}"))[0]
    sealed = entry.events[0].data["entry"]["display_name"]
    assert [str(text) for text in await keyring.open_many("fictional", [("display_name", sealed)])] == ["erased"]
    told = await told_to_neighbours(school, "profile.learner")
    assert [one.type for one in told if one.stream.endswith(await school.learner_id("s1"))][
        -1
    ] == "atelier.profile.learner.v1.erased"
    before = await school.events()
    again = await school.import_roster(roster.zip())
    assert (again["state"], await school.events()) == ("unchanged", before)
    assert (await school.admin.put(f"{url}/interests/dinosaurs", json={})).status_code == 410


async def test_neighbours_are_told_the_whole_state_with_names_sealed(school: Any) -> None:
    await with_supports(school)
    mine = await school.learner_id("s1")
    told = [one for one in await told_to_neighbours(school, "profile.learner") if one.subject == mine]
    assert [one.type for one in told] == ["atelier.profile.learner.v1.changed"] * 2
    assert told[1].previous == told[0].place
    learner = LearnerChanged.FromString(told[1].payload)
    assert (learner.learner_id, learner.active, list(learner.site_ids)) == (mine, True, ["north"])
    assert learner.display_name.startswith("sealed:1:")
    assert learner.birth_date.startswith("sealed:1:")
    assert [(one.kind, one.minutes_per_week, one.group_size_max) for one in learner.services] == [
        ("reading-support", 60, 3)
    ]
    assert [(one.kind, one.time_factor) for one in learner.accommodations] == [("extended-time", 1.5)]
    assert (list(learner.languages), learner.has_device, learner.bars[0].target_id) == (["es", "en-US"], False, "pool")
    opened = await school.profile.keyring.open_many("fictional", [("detail", learner.accommodations[0].detail)])
    assert opened == ["In written tests."]
    adults = [AdultChanged.FromString(one.payload) for one in await told_to_neighbours(school, "profile.adult")]
    assert [(list(one.roles), list(one.site_ids), one.active) for one in adults] == [(["teacher"], ["north"], True)]


async def test_planners_are_told_which_adults_are_a_learners_own_parents(rig: Any, roster: Any) -> None:
    roster.row("users", "s1")["agentSourcedIds"] = "p1,t1"
    await rig.import_roster(roster.zip())
    mine, teacher = await rig.learner_id("s1"), await rig.profile.keyring.pseudonym("fictional", "adult", "t1")
    told = [
        LearnerChanged.FromString(one.payload)
        for one in await told_to_neighbours(rig, "profile.learner")
        if one.subject == mine
    ]
    assert [bar.target_id for bar in told[-1].bars] == [teacher]


async def test_guardians_are_reachable_for_the_family_and_those_who_arrange_supports(school: Any) -> None:
    url = f"{await profile_of(school, 's1')}/guardians"
    counselor = (await school.client("counselor").get(url)).json()["items"]
    assert [(one["display_name"], one["relation"], one["email"]) for one in counselor] == [
        ("Pim Sample", "parent", "pim@example.org")
    ]
    coach = (await school.client("coach").get(url)).json()["items"]
    assert "email" not in coach[0]


async def test_sites_sessions_and_adults_are_listed_and_certificates_recorded(school: Any) -> None:
    sites = (await school.client("coach").get("/profile/v1/sites")).json()["items"]
    assert {(one["site_id"], one["kind"]) for one in sites} == {
        ("district", "district"),
        ("north", "school"),
        ("south", "school"),
    }
    sessions = (await school.client("coach").get("/profile/v1/academic-sessions")).json()["items"]
    assert [(one["session_id"], one["first_day"]) for one in sessions] == [("year", "2026-09-07")]
    adult = (await school.client("principal").get("/profile/v1/adults")).json()["items"][0]
    url = f"/profile/v1/adults/{adult['adult_id']}/certificates"
    assert (await school.client("principal").put(url, json={"codes": ["mathematics"]})).status_code == 200
    await school.quiet()
    assert (await school.client("coach").get("/profile/v1/adults")).json()["items"][0]["certificates"] == [
        "mathematics"
    ]


async def test_no_call_passes_without_a_token(school: Any) -> None:
    client = school.client("coach")
    del client.headers["Authorization"]
    answer = await client.get("/profile/v1/learners")
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
