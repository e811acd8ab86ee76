"""Where tests get their real servers: given, present, fetched; what a run says without them; how fetching bears a bad network."""

import subprocess
import sys
from pathlib import Path

import pytest

from infra.dev import cache
from infra.dev.availability import KAFKA, MONGO, available

ROOT = next(folder for folder in Path(__file__).parents if (folder / "conftest.py").exists())


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine that has nothing but Python, and no servers given; its cache."""
    for name in (KAFKA, MONGO):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("ATELIER_SERVERS", str(tmp_path / "servers"))
    return tmp_path / "servers"


@pytest.mark.usefixtures("bare")
def test_given_servers_are_used_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KAFKA, "127.0.0.1:1")
    assert not available(), "one alone is not enough"
    monkeypatch.setenv(MONGO, "mongodb://127.0.0.1:1/")
    assert available()


@pytest.mark.usefixtures("bare")
def test_where_nothing_was_fetched_nothing_is_present() -> None:
    assert not available(if_present=True)


@pytest.mark.usefixtures("bare")
def test_servers_that_are_needed_and_cannot_be_had_are_an_error_that_names_what_is_missing() -> None:
    with pytest.raises(cache.NotHere, match=r"lacks java, mvn, (root, )?apt-get, go"):
        available(needed=True)


def test_a_run_without_servers_says_at_its_end_what_it_left_out(bare: Path) -> None:
    asks = bare.parent / "test_asks.py"
    asks.write_text("import pytest\n\n@pytest.mark.servers\ndef test_asks(): pass\n")
    said = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", "pyproject.toml", "-p", "conftest", asks, "--servers=present"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    end = said.stdout.splitlines()[-2:]
    assert [line for line in end if line.startswith("1 tests on real servers were not run: give ATELIER_KAFKA")]


@pytest.fixture
def attempts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("ATELIER_SERVERS", str(tmp_path))
    monkeypatch.setattr(cache, "_PAUSE_SECONDS", 0.0)
    return []


@pytest.mark.parametrize(("failures", "built"), [(2, True), (3, False)])
def test_a_fetch_that_fails_is_tried_three_times(
    tmp_path: Path, attempts: list[str], failures: int, built: bool
) -> None:
    def build(folder: Path) -> None:
        assert list(folder.iterdir()) == [], "each time from nothing"
        attempts.append("tried")
        (folder / "half").touch()
        cache.call("true" if len(attempts) > failures else "false")

    if built:
        assert cache.kept("server", build) == tmp_path / "server"
    else:
        with pytest.raises(cache.Failed):
            cache.kept("server", build)
    assert (len(attempts), cache.has("server")) == (3, built)
    assert not (tmp_path / "server.half").exists()


def test_what_is_not_installed_is_not_waited_for(attempts: list[str]) -> None:
    def build(_folder: Path) -> None:
        attempts.append("tried")
        cache.need("no-such-program")

    with pytest.raises(cache.NotHere, match="no-such-program must be installed"):
        cache.kept("server", build)
    assert attempts == ["tried"]
