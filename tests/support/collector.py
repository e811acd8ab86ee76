"""A collector in a test: takes OTLP over HTTP on loopback and keeps what comes, decoded."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, NumberDataPoint
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2

Attributes = dict[str, str | int | float | bool]
Place = tuple[str, str]
"""(trace id, span id), in hex."""


@dataclass(frozen=True)
class Span:
    """One span as it was exported by one ``instance`` of a service. ``follows`` is its parent, if it has one, and what it is linked
    to."""

    service: str
    instance: str
    name: str
    place: Place
    follows: frozenset[Place]
    attributes: Attributes
    began: int


class Collector:
    """What has come so far. ``endpoint`` is what OTEL_EXPORTER_OTLP_ENDPOINT is set to."""

    def __init__(self, port: int) -> None:
        self.endpoint = f"http://127.0.0.1:{port}"
        self.spans: list[Span] = []
        self.logs: list[tuple[str, str, str]] = []
        """(service, message, trace id in hex or "")."""
        self.values: dict[tuple[str, str], list[tuple[Attributes, float]]] = {}
        """By service and metric: the latest of each; of a histogram its count."""
        self.raw = b""
        """Everything that came, to be searched for what must not leave."""

    def take(self, path: str, body: bytes) -> None:
        self.raw += body
        match path:
            case "/v1/traces":
                traces = ExportTraceServiceRequest.FromString(body)
                for spans in traces.resource_spans:
                    for scoped in spans.scope_spans:
                        self.spans += [_span(spans.resource, span) for span in scoped.spans]
            case "/v1/metrics":
                metrics = ExportMetricsServiceRequest.FromString(body)
                for measured in metrics.resource_metrics:
                    for of_scope in measured.scope_metrics:
                        for metric in of_scope.metrics:
                            self.values[_service(measured.resource), metric.name] = _values(metric)
            case "/v1/logs":
                logs = ExportLogsServiceRequest.FromString(body)
                for lines in logs.resource_logs:
                    for of_logger in lines.scope_logs:
                        for line in of_logger.log_records:
                            said = (_service(lines.resource), line.body.string_value, line.trace_id.hex())
                            self.logs.append(said)


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector for as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the base class names it
            collector.take(self.path, self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_said: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector = Collector(server.server_port)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _service(resource: Resource) -> str:
    return str(_attributes(resource.attributes)["service.name"])


def _attributes(given: Iterable[KeyValue]) -> Attributes:
    return {one.key: getattr(one.value, one.value.WhichOneof("value") or "string_value") for one in given}


def _span(resource: Resource, span: trace_pb2.Span) -> Span:
    trace = span.trace_id.hex()
    follows = {(link.trace_id.hex(), link.span_id.hex()) for link in span.links}
    if span.parent_span_id:
        follows.add((trace, span.parent_span_id.hex()))
    place = (trace, span.span_id.hex())
    instance = str(_attributes(resource.attributes).get("service.instance.id", ""))
    told, began = _attributes(span.attributes), span.start_time_unix_nano
    return Span(_service(resource), instance, span.name, place, frozenset(follows), told, began)


def _values(metric: Metric) -> list[tuple[Attributes, float]]:
    match metric.WhichOneof("data"):
        case "histogram":
            return [(_attributes(one.attributes), one.count) for one in metric.histogram.data_points]
        case "gauge":
            return [(_attributes(one.attributes), _number(one)) for one in metric.gauge.data_points]
        case _:
            return [(_attributes(one.attributes), _number(one)) for one in metric.sum.data_points]


def _number(point: NumberDataPoint) -> float:
    return float(getattr(point, point.WhichOneof("value") or "as_int"))
