"""What leaves by OTLP arrives; and a collector that is away, or never answers, is never in the way.

Each in a process of its own: what a process measures cannot be installed twice.
"""

import os
import socket
import subprocess
import sys

import pytest
from atelier_common.telemetry import names

from tests.support.collector import collecting

PROGRAM = """
import logging, sys, time
from atelier_common.telemetry import names, tracing
from atelier_common.telemetry.metrics import counter, gauge, histogram
from atelier_common.telemetry.otlp import exporting
logging.basicConfig(stream=sys.stderr, level="INFO", format="%(name)s %(message)s")
commands = counter(names.METRIC_UNEXPECTED)
lag = gauge(names.METRIC_FOLLOWER_LAG, "{commit}")
with exporting("atelier-test", "test-0"):
    for number in range(int(sys.argv[1])):
        with tracing.span(names.SPAN_COMMAND, attributes={names.TENANT: "north"}):
            commands.add(1)
            if number % 1000 == 0:
                logging.getLogger("atelier.test").info("one went by")
    lag.show([(3, {names.FOLLOWER: "publisher"})])
    try:
        raise ValueError("Robin Sample")
    except ValueError:
        logging.getLogger("atelier.test").warning("it failed", exc_info=True)
    time.sleep(float(sys.argv[2]))
    ends = time.monotonic()
print(time.monotonic() - ends)
"""


def run(endpoint: str, spans: int, seconds: float = 0.0, **settings: str) -> tuple[float, str]:
    """Seconds that the end took, and what was logged."""
    environment = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "NO_PROXY": "127.0.0.1", **settings}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(spans), str(seconds)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=environment,
    )
    return float(done.stdout), done.stderr


def test_traces_metrics_and_logs_arrive_and_no_exceptions_text() -> None:
    with collecting() as collector:
        took, _ = run(collector.endpoint, 10)
    assert took < 8.0
    assert [(one.service, one.name, one.attributes) for one in collector.spans] == [
        ("atelier-test", "command.execute", {"atelier.tenant": "north"})
    ] * 10
    assert collector.values["atelier-test", "atelier.unexpected.errors"] == [({}, 10.0)]
    assert collector.values["atelier-test", "atelier.follower.lag"] == [({"atelier.follower": "publisher"}, 3.0)]
    assert names.METRICS["atelier.follower.lag"].encode() in collector.raw
    lines = {message: trace for _, message, trace in collector.logs}
    assert set(lines) == {"one went by", "it failed"}
    assert lines["one went by"] == collector.spans[0].place[0]
    assert b"ValueError" in collector.raw and b"Robin" not in collector.raw


@pytest.mark.parametrize("answers", [False, True], ids=["nobody listens", "somebody listens and never answers"])
def test_a_collector_that_is_away_is_never_in_the_way(answers: bool) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        if answers:
            listening.listen()
        endpoint = f"http://127.0.0.1:{listening.getsockname()[1]}"
        # More than the queue holds, and metrics that fall due all the while.
        took, logged = run(endpoint, 4_000, 3.0, OTEL_METRIC_EXPORT_INTERVAL="500")
    # The SDK's own end would try for ten seconds with each batch that is left.
    assert took < 8.0
    complaints = [line for line in logged.splitlines() if line.startswith(("opentelemetry", "urllib3", "atelier.tele"))]
    assert len(complaints) == 1 and complaints[0].startswith("atelier.telemetry telemetry does not reach its collector")
