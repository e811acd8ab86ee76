"""The solver's process: started when first needed, started again when it dies, never the service's own."""

import asyncio
import functools
import gc
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from atelier_common.errors import Unavailable
from atelier_common.telemetry import metrics, names, tracing

Result = TypeVar("Result")
_TRIES = 3
_NEW_OBJECTS = 50_000
"""How many containers more than were freed there must be before Python looks through the youngest."""
_LOOKS = 20
"""How many looks at the youngest before one at those that stayed."""
_SECONDS = metrics.histogram(names.METRIC_SOLVE_SECONDS)


class SolverProcess:
    """One process, one piece of work at a time. What it holds is a cache; killing it loses nothing."""

    def __init__(self) -> None:
        self._pool: ProcessPoolExecutor | None = None
        self._restarts = asyncio.Lock()

    async def run(self, work: Callable[..., Result], *arguments: Any, **named: Any) -> Result:
        """Call a module-level function in the process. Raises what it raises; Unavailable where the process keeps dying.

        Its span and its time are taken here, with the wait for the work before it: the process itself reports to nobody.
        """
        began, kind = time.perf_counter(), {names.WORK: work.__name__}
        try:
            with tracing.span(names.SPAN_SOLVE, attributes=kind):
                return await self._run(work, *arguments, **named)
        finally:
            _SECONDS.record(time.perf_counter() - began, kind)

    async def _run(self, work: Callable[..., Result], *arguments: Any, **named: Any) -> Result:
        for _ in range(_TRIES):
            pool = self._pool or self._start()
            try:
                return await asyncio.get_running_loop().run_in_executor(
                    pool, functools.partial(work, *arguments, **named)
                )
            except BrokenProcessPool:
                async with self._restarts:
                    if self._pool is pool:
                        self._pool = None
                        pool.shutdown(wait=False)
        raise Unavailable("the solver's process died three times on the same work")

    def _start(self) -> ProcessPoolExecutor:
        # Spawned, not forked: a fork of a process with threads and open databases is not safe.
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=_begin)
        return self._pool

    async def warm_up(self) -> None:
        """Start the process now, so that the first plan does not wait for imports."""
        await self._run(_nothing)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None


def _begin() -> None:
    """A look at everything takes longer than ten repairs, which leave next to nothing in cycles: Python seldom looks by itself, and
    the solver has it look where a plan was made or taken up."""
    gc.set_threshold(_NEW_OBJECTS, _LOOKS)
    _end_with_the_service()


def _end_with_the_service() -> None:
    """A killed service cannot tell its solver to stop: the solver watches for that itself, and holds nothing to save."""
    service = multiprocessing.parent_process()

    def watch() -> None:
        if service is not None:
            service.join()
        os._exit(0)

    threading.Thread(target=watch, name="service-watch", daemon=True).start()


def _nothing() -> None:
    from atelier_scheduling.planning import solving

    del solving
