"""Log lines as OpenTelemetry records: the message and where it came from, of an error its class alone.

The text of an exception may speak of people, and what leaves by OTLP leaves the district's hands; it stands in the
process's own log, under the same trace.
"""

import logging

from opentelemetry import context
from opentelemetry._logs import LoggerProvider, LogRecord, SeverityNumber

_SEVERITIES = (
    (logging.CRITICAL, SeverityNumber.FATAL, "FATAL"),
    (logging.ERROR, SeverityNumber.ERROR, "ERROR"),
    (logging.WARNING, SeverityNumber.WARN, "WARN"),
    (logging.INFO, SeverityNumber.INFO, "INFO"),
    (logging.NOTSET, SeverityNumber.DEBUG, "DEBUG"),
)
_ERROR_TYPE = "error.type"


class OpenTelemetryLines(logging.Handler):
    """Hands each line to ``provider``. Lines of the exporter itself never go this way: each would make another."""

    def __init__(self, provider: LoggerProvider) -> None:
        super().__init__()
        self._provider = provider

    def emit(self, record: logging.LogRecord) -> None:
        number, text = next((number, text) for level, number, text in _SEVERITIES if record.levelno >= level)
        raised = record.exc_info[0] if record.exc_info else None
        self._provider.get_logger(record.name).emit(
            LogRecord(
                timestamp=int(record.created * 1e9),
                context=context.get_current(),
                severity_number=number,
                severity_text=text,
                body=record.getMessage(),
                attributes={} if raised is None else {_ERROR_TYPE: raised.__name__},
            )
        )


class Sparingly(logging.Handler):
    """For the exporter's own complaints: the first is passed on, and then one in ``seconds`` at most.

    A collector that is away is worth a line, not a line for each batch.
    """

    def __init__(self, onward: logging.Logger, seconds: float = 600.0) -> None:
        super().__init__(logging.WARNING)
        self._onward = onward
        self._seconds = seconds
        self._passed_on = float("-inf")

    def emit(self, record: logging.LogRecord) -> None:
        if record.created >= self._passed_on + self._seconds:
            self._passed_on = record.created
            self._onward.warning("telemetry does not reach its collector and is dropped: %s", record.getMessage())
