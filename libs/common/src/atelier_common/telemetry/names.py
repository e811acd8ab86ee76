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
SPAN_SEQUENCE: Final = "log.sequence"
SPAN_PUBLISH: Final = "log.publish"
SPAN_CONSUME: Final = "log.consume"
SPAN_PROJECT: Final = "projection.apply"
SPAN_REACT: Final = "reaction.react"
SPAN_WORK: Final = "work.do"
SPAN_TIMER: Final = "timer.fire"
SPAN_SOLVE: Final = "engine.solve"
SPANS: Final = frozenset(
    {
        SPAN_HTTP,
        SPAN_GRPC,
        SPAN_GRPC_CALL,
        SPAN_COMMAND,
        SPAN_SEQUENCE,
        SPAN_PUBLISH,
        SPAN_CONSUME,
        SPAN_PROJECT,
        SPAN_REACT,
        SPAN_WORK,
        SPAN_TIMER,
        SPAN_SOLVE,
    }
)

# Attributes. Those that begin otherwise than with `atelier` are OpenTelemetry's own.
HTTP_METHOD: Final = "http.request.method"
HTTP_STATUS: Final = "http.response.status_code"
HTTP_ROUTE: Final = "http.route"
RPC_SYSTEM: Final = "rpc.system.name"
RPC_METHOD: Final = "rpc.method"
RPC_STATUS: Final = "rpc.response.status_code"
GROUP: Final = "messaging.consumer.group.name"
TOPIC: Final = "messaging.destination.name"
PARTITION: Final = "messaging.destination.partition.id"
ERROR_CODE: Final = "atelier.error.code"
TENANT: Final = "atelier.tenant"
SERVICE: Final = "atelier.service"
EVENT_COUNT: Final = "atelier.event.count"
COMMIT_COUNT: Final = "atelier.commit.count"
PROJECTION: Final = "atelier.projection"
REACTION: Final = "atelier.reaction"
FOLLOWER: Final = "atelier.follower"
CONSUMER: Final = "atelier.consumer"
LEASE: Final = "atelier.lease"
TIMER: Final = "atelier.timer"
WORK: Final = "atelier.work"
PLAN_STEP: Final = "atelier.plan.step"
ATTRIBUTES: Final = frozenset(
    {
        HTTP_METHOD,
        HTTP_STATUS,
        HTTP_ROUTE,
        RPC_SYSTEM,
        RPC_METHOD,
        RPC_STATUS,
        GROUP,
        TOPIC,
        PARTITION,
        ERROR_CODE,
        TENANT,
        SERVICE,
        EVENT_COUNT,
        COMMIT_COUNT,
        PROJECTION,
        REACTION,
        FOLLOWER,
        CONSUMER,
        LEASE,
        TIMER,
        WORK,
        PLAN_STEP,
    }
)

# Metrics. Durations and ages are in seconds, as OpenTelemetry's own are.
METRIC_HTTP_SECONDS: Final = "http.server.request.duration"
METRIC_RPC_SECONDS: Final = "rpc.server.call.duration"
METRIC_APPEND_SECONDS: Final = "atelier.log.append.duration"
METRIC_PENDING_SECONDS: Final = "atelier.log.pending.age"
METRIC_FOLLOWER_LAG: Final = "atelier.follower.lag"
METRIC_CONSUMER_LAG: Final = "atelier.consumer.lag"
METRIC_CONSUMER_SECONDS: Final = "atelier.consumer.oldest.age"
METRIC_PUBLISHED: Final = "atelier.published.events"
METRIC_CONSUMED: Final = "atelier.consumed.events"
METRIC_WAITING: Final = "atelier.work.waiting"
METRIC_ANSWERED: Final = "atelier.work.answered"
METRIC_PARKED: Final = "atelier.parked.keys"
METRIC_LEASE_HELD: Final = "atelier.lease.held"
METRIC_LEASE_EPOCH: Final = "atelier.lease.epoch"
METRIC_SOLVE_SECONDS: Final = "atelier.solve.duration"
METRIC_PLANS: Final = "atelier.plans"
METRIC_UNEXPECTED: Final = "atelier.unexpected.errors"
METRICS: Final = {
    METRIC_HTTP_SECONDS: "How long HTTP calls took.",
    METRIC_RPC_SECONDS: "How long gRPC calls between services took.",
    METRIC_APPEND_SECONDS: "How long the database took to make commits durable.",
    METRIC_PENDING_SECONDS: "Age of the oldest commit that has no position in its log yet.",
    METRIC_FOLLOWER_LAG: "Commits of the log that a publisher, a projection or a reaction has before it.",
    METRIC_CONSUMER_LAG: "Messages of a topic that a consumer group has not taken in yet.",
    METRIC_CONSUMER_SECONDS: "Age of the oldest message that was fetched and is not taken in yet.",
    METRIC_PUBLISHED: "Contract events sent; what was sent twice counts twice.",
    METRIC_CONSUMED: "Contract events fetched; what came twice counts twice.",
    METRIC_WAITING: "Work that is asked for in the log and not answered, in all replicas.",
    METRIC_ANSWERED: "Work answered by this replica.",
    METRIC_PARKED: "Keys that are parked and wait for an operator.",
    METRIC_LEASE_HELD: "1 in the replica that holds the lease, 0 in the others.",
    METRIC_LEASE_EPOCH: "How often the lease has changed hands.",
    METRIC_SOLVE_SECONDS: "How long work in the solver's process took, waiting for it included.",
    METRIC_PLANS: "Plans by step: proposed and published.",
    METRIC_UNEXPECTED: "Errors that no code foresaw; each has a log line.",
}
"""Each with what it says: the description that leaves with it."""
