"""Counters, histograms and gauges by the OpenTelemetry API; names come from :mod:`atelier_common.telemetry.names`.

Instruments may be made before an SDK is installed: the API passes them on to it once it is there.
"""

from collections.abc import Iterable, Mapping, Sequence

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Counter, Histogram, Observation

from atelier_common.telemetry import names

Reading = tuple[float, Mapping[str, str | int]]
"""A value and its attributes."""

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0)
"""The bounds that OpenTelemetry advises for HTTP, with milliseconds below and half a minute above them."""
_measuring = False


def measure() -> None:
    """Somebody collects from now on."""
    global _measuring
    _measuring = True


def is_measuring() -> bool:
    """Whether anybody collects; asked before what costs more than counting."""
    return _measuring


def counter(name: str, unit: str = "1") -> Counter:
    return metrics.get_meter(names.TRACER).create_counter(name, unit, names.METRICS[name])


def histogram(name: str, unit: str = "s") -> Histogram:
    """``unit`` s: with bounds from a millisecond to half a minute."""
    bounds: Sequence[float] | None = _SECONDS if unit == "s" else None
    meter = metrics.get_meter(names.TRACER)
    return meter.create_histogram(name, unit, names.METRICS[name], explicit_bucket_boundaries_advisory=bounds)


class Gauge:
    """Values that are looked up now and then and shown until the next look. What a look does not name is shown no more."""

    def __init__(self) -> None:
        self._shown: list[Observation] = []

    def show(self, readings: Iterable[Reading]) -> None:
        self._shown = [Observation(value, attributes) for value, attributes in readings]

    def observe(self, _options: CallbackOptions) -> Iterable[Observation]:
        return self._shown


def gauge(name: str, unit: str) -> Gauge:
    """``unit``: s, or a thing that is counted in braces; with 1, Prometheus calls it a ratio."""
    made = Gauge()
    metrics.get_meter(names.TRACER).create_observable_gauge(name, [made.observe], unit, names.METRICS[name])
    return made
