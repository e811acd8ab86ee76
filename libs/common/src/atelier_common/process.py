"""How a server process runs: which event loop, and how often Python looks for garbage.

Every process that serves starts by :func:`run` and calls :func:`started` once it is up, whether it holds one service or all.
"""

import asyncio
import gc
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_NEW_OBJECTS = 50_000
"""How many containers more than were freed there must be before Python looks through the youngest.

Followers take some hundred commits at a time, and hold tens of thousands of objects before they let them go.
"""
_LOOKS = 2
"""How many looks at the youngest before one at those that stayed: few, so that these too are no more than 150,000."""


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run ``main`` to its end on uvloop, or on asyncio's own loop where uvloop is not made (Windows).

    Python counts objects made and freed, and looks for cycles each time 700 more were made: a batch of evidence makes tens of
    thousands of which next to none is in a cycle, since events, commits and documents are trees that go when nobody holds
    them. Looking seldom costs some megabytes of what is in cycles (exceptions, tasks) and saves the looks.
    """
    before = gc.get_threshold()
    gc.set_threshold(_NEW_OBJECTS, _LOOKS, before[2])
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            return runner.run(main)
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def started() -> None:
    """Say that the process is up: modules, routes, schemas and descriptors that stand now are never looked through again.

    They are hundreds of thousands of objects that live as long as the process; without this every full look passes them all.
    """
    gc.freeze()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
