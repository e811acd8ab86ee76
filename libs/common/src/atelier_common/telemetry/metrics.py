"""Counters and histograms by the OpenTelemetry API; names come from :mod:`atelier_common.telemetry.names`.

Instruments may be made before an SDK is installed: the API passes them on to it once it is there.
"""

from opentelemetry import metrics
from opentelemetry.metrics import Counter, Histogram

from atelier_common.telemetry import names


def counter(name: str, unit: str = "1") -> Counter:
    return metrics.get_meter(names.TRACER).create_counter(name, unit=unit)


def histogram(name: str, unit: str = "s") -> Histogram:
    return metrics.get_meter(names.TRACER).create_histogram(name, unit=unit)
