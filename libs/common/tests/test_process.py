"""A server's process: its loop, and when Python looks for garbage."""

import asyncio
import gc
import sys

import pytest
from atelier_common import process


async def _loop() -> str:
    return type(asyncio.get_running_loop()).__module__.partition(".")[0]


def test_a_server_runs_on_uvloop_where_it_is_made() -> None:
    assert process.run(_loop()) == ("asyncio" if sys.platform == "win32" else "uvloop")


def test_without_uvloop_a_server_runs_on_the_loop_of_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert process.run(_loop()) == "asyncio"


def test_what_stands_when_a_server_is_up_is_not_looked_through_again_until_it_ends() -> None:
    async def serve() -> tuple[int, int]:
        process.started()
        return gc.get_freeze_count(), gc.get_threshold()[0]

    before = gc.get_threshold()
    frozen, new_objects = process.run(serve())
    assert frozen > 10_000
    assert new_objects > before[0]
    assert (gc.get_freeze_count(), gc.get_threshold()) == (0, before)


def test_a_cycle_that_a_running_server_leaves_behind_is_still_collected() -> None:
    class Node:
        other: object

    async def serve() -> int:
        process.started()
        for _ in range(1_000):
            node = Node()
            node.other = node
        del node
        return gc.collect()

    assert process.run(serve()) >= 1_000


def test_what_ends_a_server_reaches_its_caller() -> None:
    async def refuse() -> None:
        raise ValueError("no such folder")

    with pytest.raises(ValueError, match="no such folder"):
        process.run(refuse())
