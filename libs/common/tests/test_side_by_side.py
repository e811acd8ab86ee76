"""Of three runs of pytest at once all is said and the worst counts; few failures on real servers are looked at again."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.side_by_side import HOUSES, Environment, side_by_side

Run = Callable[[str, str], tuple[int, str]]


@contextmanager
def told() -> Iterator[Environment]:
    """Servers that are nothing but a word, and leave a trace when they are stopped."""
    yield {"WHERE": "here"}
    Path("stopped").touch()


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    """Plain tests and tests on servers of single parts, in a project with one house and one system in one process; the exit code,
    and what was said.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    Path("pyproject.toml").write_text(
        f'[tool.pytest.ini_options]\ntestpaths = ["parts", "{HOUSES}"]\nmarkers = ["servers: ask nobody", "long: none", "whole: all"]\n'
    )
    Path("parts").mkdir()
    Path(HOUSES).mkdir()
    Path(HOUSES, "test_whole.py").write_text(
        "import os, pytest\npytestmark = pytest.mark.whole\n"
        "@pytest.mark.servers\n"
        "def test_house(): assert os.environ['WHERE'] == 'here' and not os.path.exists('stopped')\n"
        "def test_in_one_process(): pass\n"
    )

    def both(plain: str, on_servers: str) -> tuple[int, str]:
        Path("parts", "test_plain.py").write_text(plain)
        Path("parts", "test_servers.py").write_text(
            f"import pathlib, pytest\npytestmark = pytest.mark.servers\n{on_servers}"
        )
        code = side_by_side(["-q"], [], told())
        assert Path("stopped").exists()
        return code, capfd.readouterr().out

    return both


def test_every_test_is_run_once_and_all_is_said(run: Run) -> None:
    code, said = run("def test_one(): pass\ndef test_two(): pass", "def test_three(): pass\ndef test_four(): pass")
    assert code == 0
    plain, houses, parts = said.split("\nOn real servers, ")
    assert "2 passed, 2 deselected" in plain
    assert houses.startswith("houses of processes:\n") and "1 passed, 1 deselected" in houses
    assert parts.startswith("single parts; then whole systems without:\n") and "3 passed, 3 deselected" in parts
    assert "Once more" not in said


def test_a_failure_beside_servers_fails_both(run: Run) -> None:
    code, said = run("def test_one(): assert False", "def test_two(): pass")
    assert code == 1
    assert "Once more" not in said


def test_a_failure_on_servers_that_stays_fails_both(run: Run) -> None:
    code, said = run("def test_one(): pass", "def test_two(): assert False")
    assert code == 1
    assert said.endswith("Tests that failed alone too: parts/test_servers.py::test_two\n")


def test_what_failed_on_servers_and_passes_with_nothing_beside_it_is_named(run: Run) -> None:
    fails_once = (
        "def test_two():\n    met = pathlib.Path('met').exists()\n    pathlib.Path('met').touch()\n    assert met"
    )
    code, said = run("def test_one(): pass", fails_once)
    assert code == 0
    assert said.endswith("Tests that failed beside the other tests and passed alone: parts/test_servers.py::test_two\n")


def test_many_failures_on_servers_are_not_looked_at_again(run: Run) -> None:
    code, said = run("def test_one(): pass", "\n".join(f"def test_{n}(): assert False" for n in range(5)))
    assert code == 1
    assert "Once more" not in said
