"""The entry of a service's process: settings, logs, then serve until told to stop."""

import importlib
import json
import logging
import sys
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from typing import Any

from atelier_common import process
from atelier_common.telemetry import tracing

from atelier_hosting.host import Build, serve
from atelier_hosting.settings import Misconfigured, Settings, read

__all__ = ["SERVICES", "Misconfigured", "run_service"]

SERVICES = ("profile", "assessment", "pathing", "scheduling")


class JsonLines(logging.Formatter):
    """One object a line, with the trace it belongs to. Messages hold ids and types; what a person is called never is in a
    log.
    """

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (traceparent := tracing.current_traceparent()) is not None:
            _, line["trace_id"], line["span_id"], _ = traceparent.split("-")
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line)


def run_service(name: str) -> None:
    """Serve the service ``name`` until SIGTERM. Raises Misconfigured before anything is opened."""
    if name not in SERVICES:
        raise Misconfigured([f"there is no service {name}; there are {', '.join(SERVICES)}"])
    settings = read(name)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(name))
    logging.basicConfig(level=settings.log_level, handlers=[handler])
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    build: Build = importlib.import_module(f"atelier_{name}.main").hosted

    def announce(url: str, grpc_port: int | None) -> None:
        grpc = {} if grpc_port is None else {"grpc": f"{settings.grpc.host}:{grpc_port}"}
        print(json.dumps({"service": name, "http": url, **grpc}), flush=True)

    with _telemetry(settings):
        process.run(serve(name, build, settings, announce))


def _telemetry(settings: Settings) -> AbstractContextManager[None]:
    if not settings.telemetry:
        return nullcontext()
    # The exporters and what they import are megabytes that a process without a collector need not have.
    from atelier_common.telemetry.otlp import exporting

    return exporting(settings.telemetry_name, settings.owner)
