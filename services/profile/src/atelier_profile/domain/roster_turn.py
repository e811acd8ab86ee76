"""Whose turn it is to change the roster: one import at a time, each made against the one before it. One stream per district."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from atelier_common.decider import Decider

from atelier_profile.domain.registry import registry

KEY = "current"
"""The key of the only stream."""


@registry.event("RosterTurnTaken")
@dataclass(frozen=True, slots=True)
class RosterTurnTaken:
    """``first_part`` is the digest of the first chunk of commands to apply."""

    import_id: str
    first_part: str


@registry.event("RosterTurnDenied")
@dataclass(frozen=True, slots=True)
class RosterTurnDenied:
    import_id: str
    reason: str


@registry.event("RosterTurnEnded")
@dataclass(frozen=True, slots=True)
class RosterTurnEnded:
    import_id: str


TurnEvent = RosterTurnTaken | RosterTurnDenied | RosterTurnEnded


@dataclass(frozen=True, slots=True)
class TakeTurn:
    """``baseline`` is the import that the taker compared with; it must still be the last one."""

    import_id: str
    baseline: str
    first_part: str
    now: int


@dataclass(frozen=True, slots=True)
class EndTurn:
    import_id: str
    now: int


TurnCommand = TakeTurn | EndTurn


@dataclass(frozen=True, slots=True)
class RosterTurn:
    """``taken_by`` is the import being applied ('' for none); ``last`` the one that was completed last ('' for none)."""

    taken_by: str = ""
    last: str = ""


def denial(import_id: str, baseline: str, state: RosterTurn) -> str | None:
    """Why it is not this import's turn; None: it is."""
    if state.taken_by not in ("", import_id):
        return f"import {state.taken_by} is still being applied"
    if state.last not in (baseline, import_id):
        return f"import {state.last} was completed since this one was compared with the roster: preview it again"
    return None


def decide(command: TurnCommand, state: RosterTurn) -> Sequence[TurnEvent]:
    """A denial is an event and no error: whoever accepted the import is told through it, also after a crash."""
    match command:
        case TakeTurn():
            if command.import_id in (state.taken_by, state.last):
                return []
            reason = denial(command.import_id, command.baseline, state)
            if reason is not None:
                return [RosterTurnDenied(command.import_id, reason)]
            return [RosterTurnTaken(command.import_id, command.first_part)]
        case EndTurn():
            return [RosterTurnEnded(command.import_id)] if state.taken_by == command.import_id else []
        case _:
            assert_never(command)


def evolve(state: RosterTurn, event: TurnEvent) -> RosterTurn:
    match event:
        case RosterTurnTaken():
            return RosterTurn(event.import_id, state.last)
        case RosterTurnDenied():
            return state
        case RosterTurnEnded():
            return RosterTurn("", event.import_id)
        case _:
            assert_never(event)


roster_turn: Decider[TurnCommand, RosterTurn, TurnEvent] = Decider(
    category="roster_turn", registry=registry, initial=RosterTurn, decide=decide, evolve=evolve
)
