"""Installing the OpenTelemetry SDK; called once, by a service's main, never at import time."""

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased


def install_tracing(
    service: str, exporter: SpanExporter, *, sampled: float = 1.0, immediately: bool = False
) -> TracerProvider:
    """Record spans and hand them to ``exporter``; ``sampled`` is the share of new traces that are kept.

    ``immediately`` exports within the span's own end, for tests and short commands. Shut the provider down to flush it.
    """
    provider = TracerProvider(
        resource=Resource.create({SERVICE_NAME: service}), sampler=ParentBased(TraceIdRatioBased(sampled))
    )
    provider.add_span_processor(SimpleSpanProcessor(exporter) if immediately else BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return provider


def install_metrics(service: str, reader: MetricReader) -> MeterProvider:
    provider = MeterProvider(metric_readers=[reader], resource=Resource.create({SERVICE_NAME: service}))
    metrics.set_meter_provider(provider)
    return provider
