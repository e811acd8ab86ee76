"""A process's log lines are JSON, and say which trace they belong to."""

import json
import logging

from atelier_common.telemetry import tracing
from atelier_hosting.process import JsonLines

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def line(message: str) -> dict[str, str]:
    record = logging.LogRecord("atelier.test", logging.INFO, "", 0, message, (), None)
    found: dict[str, str] = json.loads(JsonLines("pathing").format(record))
    return found


def test_a_line_names_the_trace_it_was_written_in() -> None:
    with tracing.within(f"00-{TRACE}-{SPAN}-01"):
        inside = line("something happened")
    assert (inside["trace_id"], inside["span_id"]) == (TRACE, SPAN)
    assert (inside["service"], inside["level"], inside["message"]) == ("pathing", "INFO", "something happened")


def test_a_line_outside_of_any_trace_names_none() -> None:
    assert set(line("something happened")) == {"at", "level", "service", "logger", "message"}
