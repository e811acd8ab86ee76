"""Traces, metrics and logs by OTLP over HTTP to a collector, and never in the way.

Everything is handed to queues of bounded length and sent by threads of its own; what finds no room, or no collector, is
dropped. The end of the process waits for what is left no longer than :data:`LAST_SECONDS`.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_NAMESPACE, Resource

from atelier_common.telemetry import tracing
from atelier_common.telemetry.logs import OpenTelemetryLines, Sparingly
from atelier_common.telemetry.setup import install_metrics, install_tracing

LAST_SECONDS = 2.0
_EXPORTERS = ("opentelemetry", "urllib3", "requests")


@contextmanager
def exporting(service: str, instance: str) -> Iterator[None]:
    """Record for as long as the block lasts and send it to OTEL_EXPORTER_OTLP_ENDPOINT; then send what is left.

    ``service`` is shown as the name, ``instance`` tells replicas apart. The SDK reads whatever else it knows (headers,
    time-outs, queues, sampler) from its own OTEL_* variables. Once in a process: metrics cannot be installed twice.
    """
    resource = Resource.create({SERVICE_NAME: service, SERVICE_NAMESPACE: "atelier", SERVICE_INSTANCE_ID: instance})
    tracer = install_tracing(resource, OTLPSpanExporter())
    meter = install_metrics(resource, PeriodicExportingMetricReader(OTLPMetricExporter()))
    logger = LoggerProvider(resource, shutdown_on_exit=False)
    logger.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    lines = OpenTelemetryLines(logger)
    logging.getLogger().addHandler(lines)
    _say_little()
    try:
        yield
    finally:
        logging.getLogger().removeHandler(lines)
        tracing.record_with(None)
        _all_within(LAST_SECONDS, tracer.shutdown, meter.shutdown, logger.shutdown)


def _say_little() -> None:
    sparingly = Sparingly(logging.getLogger("atelier.telemetry"))
    for name in _EXPORTERS:
        own = logging.getLogger(name)
        own.handlers = [sparingly]
        own.propagate = False


def _all_within(seconds: float, *works: Callable[[], None]) -> None:
    """Run them side by side, and leave those that take longer: their threads end with the process."""
    threads = [threading.Thread(target=work, daemon=True) for work in works]
    until = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
