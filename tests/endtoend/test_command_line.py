"""The command line: help with an example, exit codes that mean something, JSON for machines, and a timetable that outlives all."""

import json
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
from atelier_standalone.cli.main import app
from typer.testing import CliRunner

from tests.support import school
from tests.support.process import ATELIER
from tests.support.running import running

RUNNER = CliRunner()
COMMANDS = [
    *("demo", "serve", "plan", "publish", "timetable", "why", "override", "token", "restored", "tombstones"),
    *(f"import {one}" for one in ("oneroster", "case", "evidence", "site")),
    *(f"events {one}" for one in ("tail", "parked", "unpark", "rebuild", "verify")),
]


def atelier(*arguments: object) -> Any:
    """A command, in this process; the same program that the shell starts."""
    return RUNNER.invoke(app, [str(one) for one in arguments])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A data folder that nobody serves, with a published week, and a learner in it."""
    data = tmp_path_factory.mktemp("cli") / "data"
    people = school.pupils(8)
    with running(data) as system:
        district = system.district("district")
        district.bring_in(people, school.site_description(school.studios(), people))
        district.plan()
        district.publish()
        learner = next(iter(district.learner_ids().values()))
    return data, learner


def test_the_commands_are_those_that_the_manual_names() -> None:
    root = typer.main.get_command(app)
    found: list[str] = []
    for name, command in root.commands.items():  # type: ignore[attr-defined]  # typer's root is a group
        inner = getattr(command, "commands", None)
        found += [f"{name} {one}" for one in inner] if inner else [name]
    assert set(COMMANDS) <= set(found)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    said = atelier(*command.split(), "--help")
    assert said.exit_code == 0
    assert f"atelier {command}" in " ".join(said.output.replace("│", " ").split())
    assert "Example:" in said.output


def test_json_is_json_and_exit_codes_say_what_went_wrong(folder: tuple[Path, str], tmp_path: Path) -> None:
    data, learner = folder
    nonsense = tmp_path / "nonsense.json"
    nonsense.write_text("{]")
    week = atelier("timetable", learner, "--json", "--data", data)
    assert week.exit_code == 0 and json.loads(week.stdout)["blocks"]
    tail = atelier("events", "tail", "profile", "--limit", "2", "--json", "--data", data)
    assert tail.exit_code == 0 and len(json.loads(tail.stdout)["events"]) == 2
    clean = atelier("events", "verify", "--json", "--data", data)
    assert clean.exit_code == 0 and json.loads(clean.stdout)["clean"] is True
    token = atelier("token", "coach", "--json", "--data", data)
    assert token.exit_code == 0 and json.loads(token.stdout)["token"].count(".") == 2

    assert atelier("import", "case", nonsense, "--data", data).exit_code == 2
    assert atelier("import", "site", tmp_path / "absent.json", "--data", data).exit_code == 2
    assert atelier("token", "king", "--data", data).exit_code == 2
    assert atelier("publish", school.SITE, "--week", school.WEEK, "--data", data).exit_code == 4
    assert atelier("timetable", "lrn_nobody", "--data", data).exit_code == 4
    assert atelier("plan", "no-such-site", "--data", data).exit_code == 4


def test_a_folder_in_use_and_a_rule_and_a_role_have_codes_of_their_own(folder: tuple[Path, str]) -> None:
    data, learner = folder
    with running(data) as system:
        district = system.district("district")
        district.plan()
        (data / "running.json").rename(data / "hidden.json")
        busy = atelier("events", "parked", "--data", data)
        (data / "hidden.json").rename(data / "running.json")
        assert busy.exit_code == 6, busy.output
        served = atelier("events", "parked", "--json", "--data", data)
        assert served.exit_code == 0 and json.loads(served.stdout) == {"parked": []}
        block = district.timetable(learner)[1]
        start, end = (f"{block['date']}T{block[at]}" for at in ("start", "end"))
        given = (
            "--reason",
            "hope",
            "--from",
            start,
            "--to",
            end,
            "--time-zone",
            school.TIME_ZONE,
            "--week",
            school.WEEK,
        )
        ahead = ("--focus", school.competency("N5"))
        refused = atelier("override", school.SITE, "--learner", learner, *given, *ahead, "--data", data)
        assert refused.exit_code == 3, refused.output
        assert "prerequisite" in refused.output


def test_the_published_timetable_outlives_engine_and_databases(folder: tuple[Path, str], tmp_path: Path) -> None:
    data, learner = folder
    ruins = tmp_path / "ruins"
    shutil.copytree(data, ruins)
    before = json.loads(atelier("timetable", learner, "--json", "--data", data).stdout)
    for number, database in enumerate(sorted(ruins.glob("*.sqlite*"))):
        if number % 2:
            database.unlink()
        else:
            database.write_bytes(b"not a database at all")
    after = atelier("timetable", learner, "--json", "--data", ruins)
    assert after.exit_code == 0, after.output
    assert json.loads(after.stdout) == before
    assert before["week"] == school.WEEK and before["blocks"]
    shown = atelier("timetable", learner, "--data", ruins)
    assert shown.exit_code == 0 and "Monday" in shown.output


def test_a_broken_invariant_is_told_by_exit_code_seven(folder: tuple[Path, str], tmp_path: Path) -> None:
    data, _ = folder
    broken = tmp_path / "broken"
    shutil.copytree(data, broken)
    lose_a_commit(broken / "assessment.sqlite")
    found = atelier("events", "verify", "--no-rebuild", "--json", "--data", broken)
    assert found.exit_code == 7, found.output
    assert json.loads(found.stdout)["violations"]["assessment"]


def lose_a_commit(database: Path) -> None:
    """One row less in the middle of the log."""
    with sqlite3.connect(database) as connection:
        connection.execute("DELETE FROM commits WHERE tenant = 'district' AND position = 5")
    connection.close()


def test_the_installed_program_is_this_one() -> None:
    said = subprocess.run(
        [ATELIER, "events", "verify", "--help"], capture_output=True, text=True, timeout=60, check=True
    )
    assert "Exit code 7" in said.stdout
