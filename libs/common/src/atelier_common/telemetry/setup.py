"""Installing the OpenTelemetry SDK; called once, by a process's main, never at import time."""

from opentelemetry import metrics as api
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter

from atelier_common.telemetry import metrics, names, tracing


def install_tracing(service: str | Resource, exporter: SpanExporter, *, immediately: bool = False) -> TracerProvider:
    """Record spans and hand them to ``exporter``; which share of new traces, OTEL_TRACES_SAMPLER says (all).

    ``immediately`` exports within the span's own end, for tests and short commands. Shut the provider down to flush it.
    """
    provider = TracerProvider(resource=_resource(service), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter) if immediately else BatchSpanProcessor(exporter))
    tracing.record_with(provider.get_tracer(names.TRACER))
    return provider


def install_metrics(service: str | Resource, reader: MetricReader) -> MeterProvider:
    """Measure, and let ``reader`` collect. It cannot be taken back within a process."""
    provider = MeterProvider(metric_readers=[reader], resource=_resource(service), shutdown_on_exit=False)
    api.set_meter_provider(provider)
    metrics.measure()
    return provider


def _resource(service: str | Resource) -> Resource:
    return service if isinstance(service, Resource) else Resource.create({SERVICE_NAME: service})
