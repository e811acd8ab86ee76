"""Every name of a span, metric and attribute. A test refuses any that is used and does not stand here.

No name and no value may carry a personal value, a stream id or a learner's id: traces and metrics leave the district's
hands more easily than its data. Spans may carry the tenant; metrics carry only what has few values.
"""

from typing import Final

TRACER: Final = "atelier"

# Spans.
SPAN_HTTP: Final = "http.request"
SPAN_GRPC: Final = "grpc.request"
SPAN_GRPC_CALL: Final = "grpc.call"
SPAN_COMMAND: Final = "command.execute"
SPAN_APPEND: Final = "log.append"
SPAN_SEQUENCE: Final = "log.sequence"
SPAN_PUBLISH: Final = "log.publish"
SPAN_CONSUME: Final = "log.consume"
SPAN_PROJECT: Final = "projection.apply"
SPAN_REACT: Final = "reaction.react"
SPAN_TIMER: Final = "timer.fire"
SPAN_BACKFILL: Final = "neighbour.backfill"
SPAN_SOLVE: Final = "engine.solve"
SPAN_CHECK: Final = "engine.check"
SPANS: Final = frozenset(
    {
        SPAN_HTTP,
        SPAN_GRPC,
        SPAN_GRPC_CALL,
        SPAN_COMMAND,
        SPAN_APPEND,
        SPAN_SEQUENCE,
        SPAN_PUBLISH,
        SPAN_CONSUME,
        SPAN_PROJECT,
        SPAN_REACT,
        SPAN_TIMER,
        SPAN_BACKFILL,
        SPAN_SOLVE,
        SPAN_CHECK,
    }
)

# Attributes.
HTTP_METHOD: Final = "http.request.method"
HTTP_STATUS: Final = "http.response.status_code"
HTTP_ROUTE: Final = "http.route"
RPC_METHOD: Final = "rpc.method"
RPC_STATUS: Final = "rpc.grpc.status_code"
ERROR_CODE: Final = "atelier.error.code"
TENANT: Final = "atelier.tenant"
SERVICE: Final = "atelier.service"
CATEGORY: Final = "atelier.category"
COMMAND_TYPE: Final = "atelier.command.type"
EVENT_COUNT: Final = "atelier.event.count"
COMMIT_COUNT: Final = "atelier.commit.count"
POSITION: Final = "atelier.log.position"
PROJECTION: Final = "atelier.projection"
REACTION: Final = "atelier.reaction"
TOPIC: Final = "atelier.topic"
TIMER: Final = "atelier.timer"
SITE: Final = "atelier.site"
ATTRIBUTES: Final = frozenset(
    {
        HTTP_METHOD,
        HTTP_STATUS,
        HTTP_ROUTE,
        RPC_METHOD,
        RPC_STATUS,
        ERROR_CODE,
        TENANT,
        SERVICE,
        CATEGORY,
        COMMAND_TYPE,
        EVENT_COUNT,
        COMMIT_COUNT,
        POSITION,
        PROJECTION,
        REACTION,
        TOPIC,
        TIMER,
        SITE,
    }
)

# Metrics. Durations are in seconds, as OpenTelemetry's own are.
METRIC_COMMANDS: Final = "atelier.commands"
METRIC_COMMAND_SECONDS: Final = "atelier.command.duration"
METRIC_APPENDED: Final = "atelier.log.commits"
METRIC_PUBLISHED: Final = "atelier.published.events"
METRIC_CONSUMED: Final = "atelier.consumed.events"
METRIC_PROJECTION_LAG: Final = "atelier.projection.lag"
METRIC_PARKED: Final = "atelier.parked.keys"
METRIC_SOLVE_SECONDS: Final = "atelier.solve.duration"
METRIC_UNEXPECTED: Final = "atelier.unexpected.errors"
METRICS: Final = frozenset(
    {
        METRIC_COMMANDS,
        METRIC_COMMAND_SECONDS,
        METRIC_APPENDED,
        METRIC_PUBLISHED,
        METRIC_CONSUMED,
        METRIC_PROJECTION_LAG,
        METRIC_PARKED,
        METRIC_SOLVE_SECONDS,
        METRIC_UNEXPECTED,
    }
)
