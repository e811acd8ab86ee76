"""The checks of `make contracts` catch what they are there to catch."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = Path(sys.executable).parent


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """What the checks read, apart from the working tree."""
    for name in ("proto", "contracts", "libs/contracts", "docs"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    return tmp_path


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([TOOLS / command[0], *command[1:]], cwd=folder, capture_output=True, text=True, timeout=120)


def breaking(folder: Path) -> subprocess.CompletedProcess[str]:
    return run(folder, "buf", "breaking", "--against", "proto/released.binpb")


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path.name}"
    path.write_text(text.replace(old, new))


def test_nothing_in_the_released_contracts_is_broken(copy: Path) -> None:
    finished = breaking(copy)
    assert finished.returncode == 0, finished.stdout


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("double estimate = 3;", "double estimate = 33;", '"estimate"'),
        ("double estimate = 3;", "float estimate = 3;", '"estimate"'),
        ("double estimate = 3;", "double chance = 3;", '"chance"'),
        ("MASTERY_CAUSE_CORRECTION = 3;", "MASTERY_CAUSE_VOIDED = 3;", "MASTERY_CAUSE"),
        ("optional double retention = 14;", "double retention = 14;", '"retention"'),
    ],
    ids=["renumbered", "another type", "renamed", "enum renamed", "presence lost"],
)
def test_a_break_of_a_released_contract_is_named(copy: Path, old: str, new: str, said: str) -> None:
    edit(copy / "proto/atelier/assessment/v1/events.proto", old, new)
    finished = breaking(copy)
    assert finished.returncode != 0
    assert said in finished.stdout


def test_a_new_field_breaks_nothing_but_asks_for_new_code_and_a_new_catalogue(copy: Path) -> None:
    edit(
        copy / "proto/atelier/profile/v1/events.proto",
        "bool step_free = 17;",
        "bool step_free = 17;\n  bool left_handed = 99;",
    )
    assert breaking(copy).returncode == 0
    generated = run(copy, "python", "libs/contracts/generate.py", "--check")
    assert generated.returncode == 1
    assert "profile/v1/events_pb2.py" in generated.stdout
    assert run(copy, "python", "libs/contracts/catalogue.py", "--check").returncode == 1


def test_a_changed_sample_asks_for_a_new_catalogue(copy: Path) -> None:
    sample = copy / "contracts/samples/atelier.profile.learner.v1.erased/full-1.json"
    edit(sample, '"req-1"', '"req-2"')
    assert run(copy, "python", "libs/contracts/catalogue.py", "--check").returncode == 1


def test_an_enum_without_a_zero_that_means_nothing_fails_the_linter(copy: Path) -> None:
    edit(copy / "proto/atelier/profile/v1/events.proto", "PAIR_KIND_UNSPECIFIED = 0;", "PAIR_KIND_NONE = 0;")
    finished = run(copy, "buf", "lint")
    assert finished.returncode != 0
    assert "_UNSPECIFIED" in finished.stdout
