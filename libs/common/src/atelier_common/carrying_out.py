"""Carrying out what events cause: their commands executed, with ids made from the causes."""

from collections import defaultdict
from collections.abc import Sequence

from atelier_common.commands import Commands, Request
from atelier_common.commit import Context
from atelier_common.errors import AtelierError, CommandIdReused, ConcurrencyConflict, Unavailable
from atelier_common.ids import derive_id
from atelier_common.reaction import Issue

Refusals = dict[tuple[str, int], Exception]
"""What stopped which stream at which position."""


async def carry_out(commands: Commands, tenant: str, actor: str, name: str, issues: Sequence[Issue]) -> Refusals:
    """Execute the commands in order and say which causes were refused. What was carried out before is answered, not repeated.

    Where a command is refused, what later events of its cause's stream cause has to wait. Raises Unavailable and ConcurrencyConflict:
    all of it is to be tried again.
    """
    requests: list[Request] = []
    ordinals: dict[tuple[str, str], int] = defaultdict(int)
    for issue in issues:
        cause = issue.cause
        slot = (cause.place, f"{issue.decider.category}/{issue.key}")
        command_id = derive_id(tenant, cause.place, f"{name}>{slot[1]}", ordinals[slot])
        ordinals[slot] += 1
        context = Context(
            tenant,
            actor,
            command_id,
            cause.recorded_at,
            cause.correlation_id,
            (*(event.id for event in issue.also), cause.id),
            cause.trace,
        )
        requests.append(Request(issue.decider, issue.key, issue.command, context))
    stopped: Refusals = {}
    lanes = [(issue.cause.stream, issue.cause.position) for issue in issues]
    outcomes = await commands.execute_many(requests, lanes)
    for issue, outcome in zip(issues, outcomes, strict=True):
        if isinstance(outcome, Unavailable | ConcurrencyConflict):
            raise outcome
        if isinstance(outcome, AtelierError) and not isinstance(outcome, CommandIdReused):
            # The same cause has commanded this stream before where the id is known: that is done, not refused.
            for event in (*issue.also, issue.cause):
                stopped.setdefault((event.stream, event.position), outcome)
    return stopped
