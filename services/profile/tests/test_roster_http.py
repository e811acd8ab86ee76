"""Rosters through the HTTP door: imported once, compared ever after, refused whole, rolled forward after a crash."""

import asyncio
from typing import Any

import pytest

IMPORTS = "/profile/v1/roster-imports"
ZIP = {"Content-Type": "application/zip"}


async def test_a_roster_enrols_its_learners_and_says_so(rig: Any, roster: Any) -> None:
    done = await rig.import_roster(roster.zip())
    assert done["state"] == "completed"
    assert done["counts"]["learner"] == {"active": 0, "created": 4, "changed": 0, "deactivated": 0, "unchanged": 0}
    assert (done["counts"]["adult"]["created"], done["counts"]["guardian"]["created"]) == (1, 1)
    listed = (await rig.admin.get("/profile/v1/learners", params={"limit": 3})).json()
    rest = (await rig.admin.get("/profile/v1/learners", params={"limit": 3, "cursor": listed["next_cursor"]})).json()
    assert {one["display_name"] for one in [*listed["items"], *rest["items"]]} == {
        f"Given{n} Family{n}" for n in range(1, 5)
    }
    assert rest["next_cursor"] == ""


async def test_the_same_roster_again_makes_no_event_at_all(rig: Any, roster: Any) -> None:
    await rig.import_roster(roster.zip())
    before = await rig.events()
    again = await rig.import_roster(roster.zip())
    assert again["state"] == "unchanged"
    assert again["counts"]["learner"] == {"active": 4, "created": 0, "changed": 0, "deactivated": 0, "unchanged": 4}
    assert await rig.events() == before


async def test_the_same_holds_over_any_document_database(rig_on_memory: Any, roster_of: Any) -> None:
    rig = rig_on_memory
    done = await rig.import_roster(roster_of(9).zip())
    assert (done["state"], done["counts"]["learner"]["created"]) == ("completed", 9)
    before = await rig.events()
    assert (await rig.import_roster(roster_of(9).zip()))["state"] == "unchanged"
    assert await rig.events() == before
    page = (await rig.admin.get("/profile/v1/learners", params={"site": "north", "limit": 5})).json()
    rest = (
        await rig.admin.get("/profile/v1/learners", params={"site": "north", "limit": 5, "cursor": page["next_cursor"]})
    ).json()
    assert (len(page["items"]), len(rest["items"])) == (5, 4)


async def test_a_read_model_built_anew_says_the_same(rig: Any, roster_of: Any) -> None:
    await rig.import_roster(roster_of(20).zip())
    await rig.import_roster(roster_of(20).without("s7").zip())
    service = rig.profile.service
    before = {name: await model.all("fictional") for name, model in service.models.items()}
    for name in service.models:
        await service.rebuild(name)
    assert {name: await model.all("fictional") for name, model in service.models.items()} == before
    assert len(before["learner_profile"]) == 20


async def test_only_the_changed_row_makes_events(rig: Any, roster: Any) -> None:
    await rig.import_roster(roster.zip())
    roster.row("users", "s2")["preferredGivenName"] = "Nickname"
    done = await rig.import_roster(roster.zip())
    assert (done["counts"]["learner"]["changed"], done["counts"]["learner"]["unchanged"], done["commands"]) == (1, 3, 1)
    shown = (await rig.admin.get(f"/profile/v1/learners/{await rig.learner_id('s2')}")).json()
    assert shown["display_name"] == "Nickname Family2"


async def test_a_removed_learner_is_deactivated_and_kept_and_may_come_back(rig: Any, roster_of: Any) -> None:
    await rig.import_roster(roster_of(20).zip())
    done = await rig.import_roster(roster_of(20).without("s7").zip())
    assert done["counts"]["learner"]["deactivated"] == 1
    url = f"/profile/v1/learners/{await rig.learner_id('s7')}"
    gone = (await rig.admin.get(url)).json()
    assert (gone["active"], gone["display_name"]) == (False, "Given7 Family7")
    await rig.import_roster(roster_of(20).zip())
    assert (await rig.admin.get(url)).json()["active"] is True


async def test_a_preview_applies_nothing_and_names_no_person(rig: Any, roster: Any) -> None:
    answer = await rig.admin.post(IMPORTS, content=roster.zip(), params={"preview": True}, headers=ZIP)
    assert answer.status_code == 201
    preview = answer.json()
    assert preview["counts"]["learner"]["created"] == 4
    assert {
        "change": "created",
        "kind": "learner",
        "id": await rig.learner_id("s1"),
        "table": "users",
        "row": 4,
    } in preview["samples"]
    assert "Given1" not in answer.text
    await rig.quiet()
    assert (await rig.admin.get("/profile/v1/learners")).json()["items"] == []
    accepted = await rig.admin.post(f"{IMPORTS}/{preview['import_id']}/acceptance", json={})
    assert accepted.status_code == 202
    await rig.quiet()
    assert len((await rig.admin.get("/profile/v1/learners")).json()["items"]) == 4


async def test_an_outdated_preview_is_not_applied(rig: Any, roster: Any) -> None:
    preview = (await rig.admin.post(IMPORTS, content=roster.zip(), params={"preview": True}, headers=ZIP)).json()
    roster.person("s9", "Given9", "Family9", "student", "south")
    await rig.import_roster(roster.zip())
    late = await rig.admin.post(f"{IMPORTS}/{preview['import_id']}/acceptance", json={})
    assert (late.status_code, late.json()["rule"]) == (409, "one-import-at-a-time")


async def test_of_two_imports_accepted_at_once_one_is_applied_and_the_other_refused_whole(
    rig: Any, roster: Any
) -> None:
    first = (await rig.admin.post(IMPORTS, content=roster.zip(), params={"preview": True}, headers=ZIP)).json()
    roster.person("s9", "Given9", "Family9", "student", "south")
    second = (await rig.admin.post(IMPORTS, content=roster.zip(), params={"preview": True}, headers=ZIP)).json()
    ids = [first["import_id"], second["import_id"]]
    answers = await asyncio.gather(*(rig.admin.post(f"{IMPORTS}/{one}/acceptance", json={}) for one in ids))
    await rig.quiet()
    states = [(await rig.admin.get(f"{IMPORTS}/{one}")).json()["state"] for one in ids]
    refused_at_once = [answer.status_code for answer in answers].count(409)
    assert sorted(states) == (["completed", "previewed"] if refused_at_once else ["completed", "refused"])
    learners = (await rig.admin.get("/profile/v1/learners")).json()["items"]
    assert len(learners) == (4 if states[0] == "completed" else 5)


async def test_more_deactivations_than_the_threshold_are_refused_unless_confirmed(rig: Any, roster: Any) -> None:
    await rig.import_roster(roster.zip())
    before = await rig.profile.service.store.head("fictional")
    smaller = roster.without("s1").without("s2").zip()
    refused = await rig.admin.post(IMPORTS, content=smaller, headers=ZIP)
    problem = refused.json()
    assert (refused.status_code, problem["rule"], problem["deactivated"]) == (409, "deactivation-threshold", 2)
    assert len([one for one in (await rig.admin.get("/profile/v1/learners")).json()["items"] if one["active"]]) == 4
    assert await rig.profile.service.store.head("fictional") == before + 1, "only the preview is kept"
    done = await rig.import_roster(smaller, confirm_deactivations=2)
    assert (done["state"], done["counts"]["learner"]["deactivated"]) == ("completed", 2)


async def test_the_same_idempotency_key_answers_again_and_refuses_another_file(rig: Any, roster: Any) -> None:
    headers = {**ZIP, "Idempotency-Key": '"nightly-1"'}
    sent = roster.zip()
    first = await rig.admin.post(IMPORTS, content=sent, headers=headers)
    await rig.quiet()
    again = await rig.admin.post(IMPORTS, content=sent, headers=headers)
    assert (first.json()["import_id"], first.status_code) == (again.json()["import_id"], again.status_code)
    assert again.json()["repeated"] is True
    roster.person("s9", "Given9", "Family9", "student", "south")
    other = await rig.admin.post(IMPORTS, content=roster.zip(), headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "command-id-reused")


async def test_a_zip_may_come_as_a_form_field(rig: Any, roster: Any) -> None:
    answer = await rig.admin.post(IMPORTS, files={"file": ("roster.zip", roster.zip(), "application/zip")})
    assert answer.status_code == 202


async def test_an_import_broken_off_in_the_middle_is_rolled_forward(rig: Any, roster_of: Any) -> None:
    files = roster_of(9)
    for place in range(10, 460):
        files.person(f"s{place}", f"Given{place}", f"Family{place}", "student", "north")
    answer = await rig.admin.post(IMPORTS, content=files.zip(), headers=ZIP)
    assert answer.status_code == 202

    async def begun() -> bool:
        return bool(await rig.events() > 150)

    await rig.until(begun)
    await rig.stop()
    await rig.start()
    half = (await rig.admin.get(answer.headers["Location"])).json()
    assert half.get("state") != "completed", "the crash came too late to prove anything"
    await rig.quiet()
    done = (await rig.admin.get(answer.headers["Location"])).json()
    assert (done["state"], done["applied_chunks"]) == ("completed", done["chunks"])
    before = await rig.events()
    again = await rig.import_roster(files.zip())
    assert (again["counts"]["learner"]["unchanged"], again["commands"]) == (459, 0)
    assert await rig.events() == before


async def test_only_the_district_office_imports_rosters(rig: Any, roster: Any) -> None:
    answer = await rig.client("coach").post(IMPORTS, content=roster.zip(), headers=ZIP)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def refused(rig: Any, content: bytes) -> dict[str, Any]:
    """The problem that a file is refused with; nothing of it was applied or kept."""
    before = await rig.profile.service.store.head("fictional")
    answer = await rig.admin.post(IMPORTS, content=content, headers=ZIP)
    assert answer.status_code in (413, 422), answer.text
    assert await rig.profile.service.store.head("fictional") == before
    assert "Given" not in answer.text
    problem: dict[str, Any] = answer.json()
    return problem


def place(problem: dict[str, Any]) -> tuple[str, int, str]:
    return problem["table"], problem["row"], problem["column"]


@pytest.mark.parametrize("table", ["users", "roles", "orgs", "academicSessions"])
async def test_a_zip_without_a_needed_table_is_refused(rig: Any, roster: Any, table: str) -> None:
    assert place(await refused(rig, roster.zip(leave_out=[table]))) == (table, 0, "")
    roster.modes[table] = "absent"
    assert place(await refused(rig, roster.zip(leave_out=[table]))) == (table, 0, "")


async def test_a_wrong_header_is_refused_by_its_column(rig: Any, roster: Any) -> None:
    roster.headers["users"][6] = "firstName"
    assert place(await refused(rig, roster.zip())) == ("users", 1, "givenName")


async def test_a_bad_date_is_refused_by_row_and_column(rig: Any, roster: Any) -> None:
    roster.row("demographics", "s3")["birthDate"] = "31.12.2016"
    assert place(await refused(rig, roster.zip())) == ("demographics", 4, "birthDate")


async def test_a_session_that_ends_before_it_starts_is_refused(rig: Any, roster: Any) -> None:
    roster.row("academicSessions", "year")["endDate"] = "2026-09-01"
    assert place(await refused(rig, roster.zip())) == ("academicSessions", 2, "endDate")


async def test_an_unknown_reference_is_refused_by_row_and_column(rig: Any, roster: Any) -> None:
    roster.row("roles", "role-s2")["orgSourcedId"] = "nowhere"
    assert place(await refused(rig, roster.zip())) == ("roles", 5, "orgSourcedId")


async def test_a_guardian_who_is_nobody_is_refused(rig: Any, roster: Any) -> None:
    roster.row("users", "s1")["agentSourcedIds"] = "p1,p2"
    assert place(await refused(rig, roster.zip())) == ("users", 4, "agentSourcedIds")


async def test_a_duplicate_id_is_refused(rig: Any, roster: Any) -> None:
    roster.person("s1", "Given", "Twice", "student", "south")
    roster.tables["roles"].pop()
    assert place(await refused(rig, roster.zip())) == ("users", 8, "sourcedId")


async def test_a_role_that_the_standard_does_not_know_is_refused(rig: Any, roster: Any) -> None:
    roster.row("roles", "role-t1")["role"] = "wizard"
    assert place(await refused(rig, roster.zip())) == ("roles", 2, "role")
    roster.row("roles", "role-t1")["role"] = "ext:wizard"
    assert (await rig.import_roster(roster.zip()))["state"] == "completed"


async def test_an_empty_name_is_refused(rig: Any, roster: Any) -> None:
    roster.row("users", "s4")["familyName"] = " "
    assert place(await refused(rig, roster.zip())) == ("users", 7, "familyName")


async def test_a_delta_is_refused_by_its_manifest_row(rig: Any, roster: Any) -> None:
    roster.modes["users"] = "delta"
    assert (await refused(rig, roster.zip()))["table"] == "manifest"


async def test_another_version_of_the_standard_is_refused(rig: Any, roster: Any) -> None:
    roster.manifest[1][1] = "1.1"
    assert place(await refused(rig, roster.zip())) == ("manifest", 3, "value")


async def test_a_table_that_the_standard_does_not_know_or_in_a_folder_is_refused(rig: Any, roster: Any) -> None:
    roster.more["wizards.csv"] = b"sourcedId\r\n"
    assert (await refused(rig, roster.zip()))["table"] == "wizards"
    roster.more = {"folder/users.csv": b"sourcedId\r\n"}
    assert (await refused(rig, roster.zip()))["table"] == "folder/users"


async def test_what_is_no_zip_no_csv_or_no_utf8_is_refused(rig: Any, roster: Any) -> None:
    await refused(rig, b"PK but not really")
    await refused(rig, b"")
    del roster.tables["demographics"]
    roster.more["demographics.csv"] = "sourcedId,Größe\r\n".encode("latin-1")
    assert (await refused(rig, roster.zip()))["table"] == "demographics"
    roster.more["demographics.csv"] = b'sourcedId,"unclosed'
    assert (await refused(rig, roster.zip()))["table"] == "demographics"


async def test_a_row_with_too_few_cells_is_refused(rig: Any, roster: Any) -> None:
    header = ",".join(roster.headers["demographics"])
    del roster.tables["demographics"]
    roster.more["demographics.csv"] = f"{header}\r\ns1,,\r\n".encode()
    assert place(await refused(rig, roster.zip())) == ("demographics", 2, "")


async def test_a_bomb_is_refused_before_it_is_unpacked(rig: Any, roster: Any) -> None:
    roster.modes["userProfiles"] = "bulk"
    roster.more["userProfiles.csv"] = b"0" * 20_000_000
    assert (await refused(rig, roster.zip()))["code"] == "too-large"


async def test_a_body_beyond_the_limit_is_refused(rig: Any) -> None:
    answer = await rig.admin.post("/profile/v1/supports", content=b" " * 10_000_001)
    assert answer.status_code == 413
