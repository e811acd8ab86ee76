"""One trace leads from the call through the commit to what it caused."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from atelier_common.commands import Request
from atelier_common.commit import Context
from atelier_common.projecting import ProjectionRunner
from atelier_common.projection import ReadModel
from atelier_common.reacting import ReactionRunner
from atelier_common.reaction import Reaction, each
from atelier_common.telemetry import names, tracing
from atelier_common.telemetry.setup import install_tracing
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

_HERE = Path(__file__).parent


def _thread() -> Any:
    """The jars of test_thread, loaded by path: tests are no package."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("thread_for_traces", _HERE / "test_thread.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    install_tracing("test", exporter, immediately=True)
    yield exporter
    tracing.record_with(None)


async def test_a_command_its_projection_and_its_reaction_share_the_callers_trace(
    tmp_path: Path, spans: InMemorySpanExporter
) -> None:
    jars = _thread()
    rig = jars.Rig(tmp_path)
    await rig.store.start()
    model = ReadModel(jars.TOTALS, rig.documents, rig.store)
    reaction = Reaction(
        "when_filled_then_mirror",
        frozenset({"jar.filled"}),
        each(jars.overflow),
        after=("totals",),
    )
    tasks = [
        asyncio.create_task(runner.run(1))
        for runner in (
            ProjectionRunner(jars.TOTALS, rig.store, rig.documents, jars.registry, model),
            ReactionRunner(reaction, rig.store, rig.documents, jars.registry, rig.commands, [model]),
        )
    ]
    with tracing.span(names.SPAN_HTTP) as caller:
        context = Context("fictional", "tester", "c1", 1, trace=tracing.current_traceparent())
        await rig.commands.execute(Request(jars.JAR, "a", jars.PutIn(3), context))
    for _ in range(300):
        if await model.get("fictional", "mirror"):
            break
        await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    commits = await rig.store.read_log("fictional", 0)
    await rig.store.close()
    wanted = f"{caller.get_span_context().trace_id:032x}"
    assert [commit.trace.split("-")[1] for commit in commits if commit.trace] == [wanted, wanted]
    in_trace = {one.name for one in spans.get_finished_spans() if f"{one.context.trace_id:032x}" == wanted}
    assert in_trace >= {names.SPAN_COMMAND, names.SPAN_PROJECT, names.SPAN_REACT}
