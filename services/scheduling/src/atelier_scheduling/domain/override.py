"""A person's decision about a timetable: owner, reason, scope, expiry. Stream ``override/<site_id>:<override_id>``.

No solve undoes it. One that would break safety is refused and names the rule; one that later facts make unlawful is suspended and
its owner told; it comes back to force when they change again, until it expires or its owner withdraws it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from atelier_common.decider import Decider
from atelier_common.errors import InvalidInput, NotFound, RuleBroken

from atelier_scheduling.domain.registry import REGISTRY


class Standing(StrEnum):
    NONE = "none"
    GIVEN = "given"
    SUSPENDED = "suspended"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class GiveOverride:
    """``content`` is the engine's Override as canonical JSON text; owner, reason and scope are checked here."""

    override_id: str
    site_id: str
    owner: str
    reason: str
    scope_start: int
    scope_end: int
    expires: int | None
    content: str
    now: int


@dataclass(frozen=True, slots=True)
class WithdrawOverride:
    by: str
    reason: str
    now: int


@dataclass(frozen=True, slots=True)
class NoteStanding:
    """What the latest plan could do with it."""

    standing: Standing
    rule: str
    plan_id: str
    now: int


OverrideCommand = GiveOverride | WithdrawOverride | NoteStanding


@REGISTRY.event("override.given")
@dataclass(frozen=True, slots=True)
class OverrideGiven:
    override_id: str
    site_id: str
    owner: str
    reason: str
    scope_start: int
    scope_end: int
    expires: int | None
    content: str
    given_at: int


@REGISTRY.event("override.withdrawn")
@dataclass(frozen=True, slots=True)
class OverrideWithdrawn:
    by: str
    reason: str
    withdrawn_at: int


@REGISTRY.event("override.stood")
@dataclass(frozen=True, slots=True)
class OverrideStood:
    """Its standing changed with a plan."""

    standing: Standing
    rule: str
    plan_id: str
    noted_at: int


OverrideEvent = OverrideGiven | OverrideWithdrawn | OverrideStood


@dataclass(frozen=True, slots=True)
class OverrideState:
    standing: Standing = Standing.NONE
    owner: str = ""


def decide(command: OverrideCommand, state: OverrideState) -> Sequence[OverrideEvent]:
    match command:
        case GiveOverride():
            if state.standing is not Standing.NONE:
                raise RuleBroken(f"override {command.override_id} exists already; withdraw it and give another")
            if not command.reason.strip():
                raise InvalidInput("an override says why", field="reason")
            if command.scope_end <= command.scope_start:
                raise InvalidInput("the scope of an override ends after it starts", field="scope")
            if command.expires is not None and command.expires * 60_000 <= command.now:
                raise InvalidInput("an override expires in the future", field="expires")
            return [
                OverrideGiven(
                    command.override_id,
                    command.site_id,
                    command.owner,
                    command.reason,
                    command.scope_start,
                    command.scope_end,
                    command.expires,
                    command.content,
                    command.now,
                )
            ]
        case WithdrawOverride():
            if state.standing is Standing.NONE:
                raise NotFound("there is no such override")
            if state.standing is Standing.WITHDRAWN:
                return []
            return [OverrideWithdrawn(command.by, command.reason, command.now)]
        case NoteStanding():
            if state.standing in (Standing.NONE, Standing.WITHDRAWN, command.standing):
                return []
            return [OverrideStood(command.standing, command.rule, command.plan_id, command.now)]


def evolve(state: OverrideState, event: OverrideEvent) -> OverrideState:
    match event:
        case OverrideGiven():
            return OverrideState(Standing.GIVEN, event.owner)
        case OverrideWithdrawn():
            return replace(state, standing=Standing.WITHDRAWN)
        case OverrideStood():
            return replace(state, standing=event.standing)


OVERRIDE: Decider[OverrideCommand, OverrideState, OverrideEvent] = Decider(
    "override", REGISTRY, OverrideState, decide, evolve
)
