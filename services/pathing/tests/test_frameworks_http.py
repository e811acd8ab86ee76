"""Frameworks through the public doors: imported, refused, listed, adopted, given back."""

import json
from typing import Any

import pytest
from atelier.pathing.v1.events_pb2 import FrameworkListed

FRAMEWORKS = "/pathing/v1/frameworks"
DOCUMENT = "00000000-0000-4000-8000-0000000000d0"
OTHER = "00000000-0000-4000-8000-0000000000d1"


async def test_a_package_is_previewed_then_imported_listed_and_followed(school: Any, make: Any) -> None:
    package = json.dumps(make("abc", "a=>b", "b>c"))
    async with school.client("district-admin") as admin:
        preview = await admin.post(FRAMEWORKS, params={"preview": True}, content=package)
        assert (preview.status_code, preview.json()["difference"]["added"]) == (200, 3)
        assert (await admin.get(FRAMEWORKS)).json()["frameworks"] == []
        imported = await admin.post(FRAMEWORKS, content=package)
        assert imported.status_code == 201
        counts = imported.json()["counts"]
        assert (counts["items"], counts["precedes"], counts["essential"], counts["longest_path_nodes"]) == (3, 2, 1, 3)
        await school.settle()
        (shown,) = (await admin.get(FRAMEWORKS)).json()["frameworks"]
    assert (shown["state"], shown["adopted"], shown["up_to_date"]) == ("listed", True, True)
    (listed,) = [heard for heard in school.heard if isinstance(heard, FrameworkListed)]
    assert [competency.code for competency in listed.competencies] == ["G4.A", "G4.B", "G4.C"]
    assert [edge.essential for edge in listed.prerequisites] == [True, False]


async def test_importing_the_same_package_again_changes_nothing(school: Any, make: Any) -> None:
    await school.adopt(make("abc"))
    heard, head = len(school.heard), await school.pathing.service.store.head("district-1")
    again = await school.adopt(dict(reversed(make("abc").items())))
    assert (again.status_code, again.json()["changed"]) == (200, False)
    assert len(school.heard) == heard
    commits = await school.pathing.service.store.read_log("district-1", head)
    assert all(not commit.events for commit in commits)


async def test_a_new_version_revises_paths_and_keeps_mastery(school: Any, make: Any) -> None:
    await school.adopt(make("ab", "a=>b"))
    (learner,) = await school.enrol("sam")
    await school.master(learner, "a")
    package = make("abc", "a=>b", "b=>c")
    async with school.client("district-admin") as admin:
        difference = (await admin.post(FRAMEWORKS, params={"preview": True}, content=json.dumps(package))).json()
    assert difference["difference"]["added"] == 1
    await school.adopt(package)
    last = school.revisions(learner)[-1]
    assert last.earned_count == 1
    assert [gate.competency_id[-2:] for gate in last.gates_met] == [f"{ord('a'):02x}"]


async def test_a_second_framework_is_followed_only_when_adopted_and_counts_what_was_known(
    school: Any, make: Any
) -> None:
    await school.adopt(make("ab"))
    (learner,) = await school.enrol("sam")
    await school.adopt(make("xyz", "x=>y", document=OTHER))
    await school.master(learner, "x")
    async with school.client("district-admin") as admin:
        assert [one["adopted"] for one in (await admin.get(FRAMEWORKS)).json()["frameworks"]] == [True, False]
        assert (await admin.post(f"{FRAMEWORKS}/{OTHER}/adopt")).status_code == 200
        await school.settle()
        unclear = await admin.get(f"/pathing/v1/learners/{learner}/frontier")
        assert (unclear.status_code, unclear.json()["choices"]) == (422, [DOCUMENT, OTHER])
        path = await admin.get(f"/pathing/v1/learners/{learner}/frontier", params={"framework_id": OTHER})
    assert {step["competency_id"][-2:] for step in path.json()["frontier"]} == {f"{ord(name):02x}" for name in "yz"}


async def test_a_person_marks_an_order_as_essential_and_paths_follow(school: Any, make: Any, named: Any) -> None:
    await school.adopt(make("ab", "a>b"))
    (learner,) = await school.enrol("sam")
    mark = {"from_id": named("a"), "to_id": named("b"), "essential": True}
    async with school.client("coach") as coach:
        assert (await coach.post(f"{FRAMEWORKS}/{DOCUMENT}/prerequisites", json=mark)).status_code == 200
        await school.settle()
        back = {**mark, "from_id": named("b"), "to_id": named("a")}
        assert (await coach.post(f"{FRAMEWORKS}/{DOCUMENT}/prerequisites", json=back)).status_code == 409
    assert [entry.competency_id for entry in school.revisions(learner)[-1].frontier] == [named("a")]
    listed = [heard for heard in school.heard if isinstance(heard, FrameworkListed)]
    assert [edge.essential for edge in listed[-1].prerequisites] == [True]


async def test_a_framework_larger_than_a_chunk_is_listed_in_several_and_paged(school: Any, make: Any) -> None:
    package = make("a")
    item = package["CFItems"][0]
    package["CFItems"] = [{**item, "identifier": f"00000000-0000-4000-8000-{number:012d}"} for number in range(1, 1102)]
    await school.adopt(package)
    listed = [heard for heard in school.heard if isinstance(heard, FrameworkListed)]
    assert [(chunk.chunk, chunk.chunks, len(chunk.competencies)) for chunk in listed] == [
        (0, 3, 500),
        (1, 3, 500),
        (2, 3, 101),
    ]
    found, cursor = [], ""
    async with school.client("coach") as coach:
        while True:
            params = {"limit": 500} | ({"cursor": cursor} if cursor else {})
            page = (await coach.get(f"{FRAMEWORKS}/{DOCUMENT}/competencies", params=params)).json()
            found += [one["competency_id"] for one in page["competencies"]]
            cursor = page["next_cursor"]
            if not cursor:
                break
    assert len(found) == len(set(found)) == 1101


async def test_what_was_imported_is_given_back(school: Any, make: Any) -> None:
    package = make("abc", "a=>b")
    await school.adopt(package)
    async with school.client("district-admin") as admin:
        assert (await admin.get(f"/pathing/ims/case/v1p1/CFPackages/{DOCUMENT}")).json() == package
        assert (await admin.get(f"/pathing/ims/case/v1p1/CFPackages/{OTHER}")).status_code == 404
    async with school.client("district-admin", tenant="district-2") as stranger:
        assert (await stranger.get(f"/pathing/ims/case/v1p1/CFPackages/{DOCUMENT}")).status_code == 404


async def test_a_cycle_is_refused_with_every_node_named_and_nothing_is_stored(
    school: Any, make: Any, named: Any
) -> None:
    refused = await school.adopt(make("abcd", "a>b", "b>c", "c>a", "c>d"))
    assert refused.status_code == 422
    assert {node["identifier"] for node in refused.json()["cycle"]} == {named("a"), named("b"), named("c")}
    assert await school.pathing.service.store.head("district-1") == 0


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"CFDocument": 5}'])
async def test_what_is_no_package_is_refused(school: Any, content: str) -> None:
    async with school.client("district-admin") as admin:
        answer = await admin.post(FRAMEWORKS, content=content)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_package_of_200_megabytes_is_refused_announced_or_not(school: Any) -> None:
    async def unannounced() -> Any:
        for _ in range(200):
            yield b" " * 1_000_000

    async with school.client("district-admin") as admin:
        answer = await admin.post(FRAMEWORKS, content=unannounced())
        announced = await admin.post(FRAMEWORKS, content=b"{}", headers={"Content-Length": "200000000"})
    assert answer.status_code == 413
    assert announced.status_code == 413


async def test_only_the_district_imports(school: Any, make: Any) -> None:
    async with school.client("coach") as coach:
        assert (await coach.post(FRAMEWORKS, content=json.dumps(make("a")))).status_code == 403


async def test_an_import_that_stopped_halfway_is_rolled_forward_at_the_next_start(school: Any, make: Any) -> None:
    async with school.client("district-admin") as admin:
        await admin.post(FRAMEWORKS, content=json.dumps(make("abc")))
    await school.restart()
    await school.settle()
    async with school.client("district-admin") as admin:
        (shown,) = (await admin.get(FRAMEWORKS)).json()["frameworks"]
    assert (shown["state"], shown["adopted"]) == ("listed", True)
    assert len([heard for heard in school.heard if isinstance(heard, FrameworkListed)]) == 1


async def test_a_competency_behind_more_gates_than_anybody_can_pass_is_refused(school: Any, make: Any) -> None:
    package = make("ab", "a=>b")
    item, edge = package["CFItems"][0], package["CFAssociations"][0]
    for number in range(1, 300):
        identifier = f"10000000-0000-4000-8000-{number:012d}"
        package["CFItems"].append({**item, "identifier": identifier})
        package["CFAssociations"].append(
            {**edge, "identifier": identifier, "originNodeURI": {**edge["originNodeURI"], "identifier": identifier}}
        )
    refused = await school.adopt(package)
    assert (refused.status_code, refused.json()["reason"]) == (422, "too-many-gates")
