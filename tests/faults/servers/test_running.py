"""`make faults` goes on after what it breaks, says so, and ends accordingly; here without a server."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.servers import __main__, running
from tests.faults.servers.catalogue import ALL, ALONE, Needs, seeds_of
from tests.faults.servers.faults import a_full_disk, a_leader_asleep, a_process_killed
from tests.faults.servers.scene import Fault, Outcome, Stage
from tests.faults.servers.table import table


class Played:
    """What was opened and run, in order. ``broken`` and ``dead`` are seeds that break a promise, or do not come to their end."""

    def __init__(self) -> None:
        self.houses = 0
        self.runs: list[tuple[str, int, int]] = []
        self.broken: set[int] = set()
        self.dead: set[int] = set()

    @contextmanager
    def stage_for(self, _needs: Needs, folder: Path) -> Iterator[int]:
        self.houses += 1
        (folder / "log").write_text("what happened")
        yield self.houses

    async def live_through(self, fault: Fault, _stage: Stage, seed: int, **_how: bool) -> Outcome:
        self.runs.append((fault.__name__, seed, self.houses))
        if seed in self.dead:
            raise RuntimeError("Kafka 1 did not start")
        wrong = [f"lost {number}" for number in range(9)] if seed in self.broken else []
        return Outcome(fault.__name__, seed, acknowledged=100, refused=1, unreadable=0.5, recovery=seed, wrong=wrong)


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> Played:
    played = Played()
    monkeypatch.setattr(running, "stage_for", played.stage_for)
    monkeypatch.setattr(running, "live_through", played.live_through)
    return played


def test_runs_share_a_house_and_end_with_0_where_no_promise_was_broken(
    played: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    assert __main__.main(["--only", "a_process_killed", "a_leader_asleep", "--seeds", "2"]) == 0
    assert played.runs == [(name, seed, 1) for name in ("a_process_killed", "a_leader_asleep") for seed in (1, 2)]
    said = capsys.readouterr()
    assert [line.split()[0] for line in said.out.splitlines()] == ["fault", "a_process_killed", "a_leader_asleep", "2"]
    assert said.err.splitlines()[2].startswith("3/4 a_leader_asleep seed 1: 100 acknowledged, 1 refused")


def test_a_run_that_breaks_something_is_followed_by_the_next_in_a_new_house_and_counts_at_the_end(
    played: Played, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    played.broken, played.dead = {1}, {2}
    assert __main__.main(["--only", "a_process_killed", "--seeds", "4", "--logs", str(tmp_path)]) == 1
    assert [(seed, house) for _, seed, house in played.runs] == [(1, 1), (2, 2), (3, 3), (4, 3)]
    said = capsys.readouterr().out
    assert "it did not come to its end: RuntimeError('Kafka 1 did not start')" in said
    assert "make faults ARGS='--only a_process_killed --seed 2'" in said
    assert {one.parent.name for one in tmp_path.rglob("log")} == {"a_process_killed-1", "a_process_killed-2"}


def test_who_ends_it_gets_the_table_of_what_was_done(
    played: Played, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def ended_at_3(fault: Fault, stage: Stage, seed: int, *, long: bool) -> Outcome:
        if seed == 3:
            raise KeyboardInterrupt
        return await played.live_through(fault, stage, seed, long=long)

    monkeypatch.setattr(running, "live_through", ended_at_3)
    assert __main__.main(["--only", "a_process_killed", "--seeds", "9"]) == 130
    said = capsys.readouterr()
    assert said.out.splitlines()[1].split()[:3] == ["a_process_killed", "2", "200"]
    assert "ended after 2 of 9 runs" in said.err


def test_a_seed_is_run_alone(played: Played) -> None:
    assert __main__.main(["--seeds", "10", "--only", "a_full_disk", "--seed", "7"]) == 0
    assert played.runs == [("a_full_disk", 7, 1)]


def test_the_process_killed_has_most_seeds_and_every_fault_has_one() -> None:
    assert (seeds_of(a_process_killed, 200), seeds_of(a_leader_asleep, 200), seeds_of(a_full_disk, 200)) == (200, 10, 5)
    assert {seeds_of(fault, 1) for fault in ALL.values()} == {1}
    assert set(ALONE) < set(ALL.values())


def test_the_table_writes_out_a_few_violations_of_a_run_and_counts_the_others() -> None:
    lines = table([Outcome("a_full_disk", 1, wrong=[f"lost {number}" for number in range(9)])]).splitlines()
    assert lines[-1].strip() == "and 4 more"
    assert lines[1].split()[-1] == "9"
