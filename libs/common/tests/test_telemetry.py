"""Spans and traceparents: free where nobody records, one trace where somebody does, and nothing personal in it."""

import contextlib
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from atelier_common.errors import NotFound
from atelier_common.http.kit import create_app
from atelier_common.security.tokens import TokenIssuer
from atelier_common.telemetry import names, tracing
from atelier_common.telemetry.setup import install_tracing
from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture
def recorded() -> Iterator[InMemorySpanExporter]:
    """A process whose spans are recorded, for the length of one test."""
    exporter = InMemorySpanExporter()
    install_tracing("test", exporter, immediately=True)
    yield exporter
    tracing.record_with(None)


class TestWhereNobodyRecords:
    def test_a_span_is_one_shared_object_that_does_nothing(self) -> None:
        assert not tracing.is_recording()
        assert tracing.span(names.SPAN_COMMAND) is tracing.span(names.SPAN_REACT, parent=PARENT)
        with tracing.span(names.SPAN_COMMAND) as span:
            span.set_attribute(names.SERVICE, "note")
            assert tracing.current_traceparent() is None

    def test_an_error_passes_through_it(self) -> None:
        with pytest.raises(NotFound), tracing.span(names.SPAN_COMMAND):
            raise NotFound("nothing")

    def test_a_stored_trace_still_goes_on_within_a_block(self) -> None:
        with tracing.within(PARENT):
            assert tracing.current_traceparent() == PARENT
        assert tracing.current_traceparent() is None


class TestWhereSomebodyRecords:
    def test_a_span_continues_the_trace_it_is_given(self, recorded: InMemorySpanExporter) -> None:
        with tracing.span(names.SPAN_COMMAND, parent=PARENT, attributes={names.SERVICE: "note"}):
            stored = tracing.current_traceparent()
        [span] = recorded.get_finished_spans()
        assert span.name == "command.execute"
        assert span.attributes == {"atelier.service": "note"}
        assert span.parent is not None
        assert f"{span.parent.span_id:016x}" == "b7ad6b7169203331"
        assert stored == f"00-{TRACE}-{span.context.span_id:016x}-01"

    def test_a_trace_survives_being_stored_between_two_processes(self, recorded: InMemorySpanExporter) -> None:
        with tracing.span(names.SPAN_COMMAND):
            stored = tracing.current_traceparent()
        with tracing.span(names.SPAN_REACT, parent=stored), tracing.span(names.SPAN_SOLVE):
            pass
        command, solve, react = recorded.get_finished_spans()
        assert command.context.trace_id == react.context.trace_id == solve.context.trace_id
        assert react.parent is not None
        assert solve.parent is not None
        assert react.parent.span_id == command.context.span_id
        assert solve.parent.span_id == react.context.span_id

    def test_a_batch_is_linked_to_every_trace_it_serves(self, recorded: InMemorySpanExporter) -> None:
        with tracing.span(names.SPAN_PUBLISH, links=[PARENT, None, "nonsense"]):
            pass
        [span] = recorded.get_finished_spans()
        assert [f"{link.context.trace_id:032x}" for link in span.links] == [TRACE]

    def test_a_batch_of_one_trace_goes_on_in_it_and_is_linked_to_what_is_not_its_parent(
        self, recorded: InMemorySpanExporter
    ) -> None:
        other = f"00-{TRACE}-00f067aa0ba902b7-01"
        with tracing.batch_span(names.SPAN_REACT, [PARENT, None, other]):
            first = tracing.current_traceparent()
            with tracing.batch_span(names.SPAN_COMMAND, [PARENT]):
                pass
        command, react = recorded.get_finished_spans()
        assert react.parent is not None and tracing.traceparent_of(react.parent) == PARENT
        assert [tracing.traceparent_of(link.context) for link in react.links] == [other]
        assert command.parent is not None and tracing.traceparent_of(command.parent) == first
        assert [tracing.traceparent_of(link.context) for link in command.links] == [PARENT]

    def test_a_batch_of_several_traces_begins_its_own_and_is_linked_to_each(
        self, recorded: InMemorySpanExporter
    ) -> None:
        other = f"00-{'1' * 32}-00f067aa0ba902b7-01"
        with tracing.batch_span(names.SPAN_CONSUME, [PARENT, other]):
            pass
        [span] = recorded.get_finished_spans()
        assert span.parent is None
        assert [tracing.traceparent_of(link.context) for link in span.links] == [PARENT, other]

    def test_a_library_that_traces_on_its_own_account_is_not_listened_to(self, recorded: InMemorySpanExporter) -> None:
        with trace.get_tracer("library").start_as_current_span("GET /learners/lrn_secret"):
            pass
        assert recorded.get_finished_spans() == ()

    def test_a_failure_is_marked_by_its_code_and_never_by_its_text(self, recorded: InMemorySpanExporter) -> None:
        with pytest.raises(NotFound), tracing.span(names.SPAN_COMMAND):
            raise NotFound("Robin Sample is not enrolled")
        with pytest.raises(ValueError, match="Robin"), tracing.span(names.SPAN_COMMAND):
            raise ValueError("Robin Sample")
        spans = recorded.get_finished_spans()
        codes = [span.attributes and span.attributes["atelier.error.code"] for span in spans]
        assert codes == ["not-found", "ValueError"]
        assert all(span.status.status_code is StatusCode.ERROR for span in spans)
        assert "Robin" not in "".join(span.to_json() for span in spans)

    async def test_a_request_is_a_span_that_names_its_route_and_not_its_path(
        self, recorded: InMemorySpanExporter, tmp_path: Path
    ) -> None:
        issuer = TokenIssuer(tmp_path)
        app = create_app("Traced", issuer.verifier())
        add_learner_route(app)
        headers = {"Authorization": f"Bearer {issuer.issue('north', 'adu_1', ['coach'], 5)}", "traceparent": PARENT}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            answer = await client.get("/v1/learners/lrn_secret", headers=headers)
        [span] = recorded.get_finished_spans()
        assert answer.json()["trace"] == f"00-{TRACE}-{span.context.span_id:016x}-01"
        assert span.attributes is not None
        assert span.attributes["http.route"] == "/v1/learners/{learner}"
        assert span.attributes["http.response.status_code"] == 200
        assert "lrn_secret" not in span.to_json()

    @pytest.mark.parametrize(
        ("path", "token", "status", "failed"),
        [
            ("/v1/learners/lrn_1", False, 401, False),
            ("/v1/accident", True, 500, True),
            ("/v1/nothing", True, 404, False),
        ],
        ids=["refused", "an accident", "not there"],
    )
    async def test_what_ends_in_an_error_is_a_span_too_and_only_an_accident_is_a_failure(
        self, recorded: InMemorySpanExporter, tmp_path: Path, path: str, token: bool, status: int, failed: bool
    ) -> None:
        issuer = TokenIssuer(tmp_path)
        app = create_app("Traced", issuer.verifier())
        add_learner_route(app)
        headers = {"Authorization": f"Bearer {issuer.issue('north', 'adu_1', ['coach'], 5)}"} if token else {}
        logged = TracesOfLines()
        with logged.listening(), contextlib.suppress(ValueError):
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
                assert (await client.get(path, headers=headers)).status_code == status
                await client.get("/health/live")
        [span] = recorded.get_finished_spans()
        assert span.attributes is not None
        assert span.attributes["http.response.status_code"] == status
        assert (span.status.status_code is StatusCode.ERROR) is failed
        assert logged.traces == ([tracing.traceparent_of(span.context)] if failed else [])
        assert "Robin" not in span.to_json()


class TracesOfLines(logging.Handler):
    """The trace that was open when each line of the kernel was logged."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.traces: list[str | None] = []

    def emit(self, _record: logging.LogRecord) -> None:
        self.traces.append(tracing.current_traceparent())

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        logging.getLogger().addHandler(self)
        try:
            yield
        finally:
            logging.getLogger().removeHandler(self)


def add_learner_route(app: FastAPI) -> None:
    @app.get("/v1/accident")
    async def have_an_accident() -> None:
        raise ValueError("Robin Sample")

    @app.get("/v1/learners/{learner}")
    async def get_learner(learner: str) -> dict[str, str | None]:
        assert learner
        return {"trace": tracing.current_traceparent()}


class TestTraceparent:
    def test_what_is_parsed_is_written_back_alike(self) -> None:
        parsed = tracing.parse_traceparent(PARENT)
        assert parsed is not None
        assert tracing.traceparent_of(parsed) == PARENT

    def test_a_newer_version_with_more_at_its_end_is_understood(self) -> None:
        assert tracing.parse_traceparent("01" + PARENT[2:] + "-more") is not None

    @pytest.mark.parametrize(
        "value",
        [
            None,
            "",
            "nonsense",
            PARENT + "-more",
            PARENT.upper(),
            PARENT[:-1],
            "ff" + PARENT[2:],
            f"00-{'0' * 32}-b7ad6b7169203331-01",
            f"00-{TRACE}-{'0' * 16}-01",
        ],
    )
    def test_what_is_none_is_ignored_and_never_an_error(self, value: str | None) -> None:
        assert tracing.parse_traceparent(value) is None


def test_a_counter_made_before_the_sdk_is_installed_counts_after_it() -> None:
    # In a process of its own: installing a meter provider cannot be taken back.
    script = """
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from atelier_common.telemetry import names
from atelier_common.telemetry.metrics import counter
from atelier_common.telemetry.setup import install_metrics
commands = counter(names.METRIC_UNEXPECTED)
commands.add(1)
reader = InMemoryMetricReader()
install_metrics("test", reader)
commands.add(2)
[resource] = reader.get_metrics_data().resource_metrics
[metric] = resource.scope_metrics[0].metrics
print(metric.name, metric.data.data_points[0].value)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["atelier.unexpected.errors", "2"]
