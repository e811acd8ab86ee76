"""Reactions: what an event makes a service do, as commands handed back as data."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from atelier_common.commit import RecordedEvent
from atelier_common.decider import Decider


class Issue(NamedTuple):
    """A command that an event causes. Its id is the uuid5 of (tenant, cause, reaction and stream, ordinal within the stream).

    So one cause commands one stream once, whatever else the reaction lists when it runs again after a crash (ADR 0007).
    """

    cause: RecordedEvent
    decider: Decider[Any, Any, Any]
    key: str
    command: Any
    also: tuple[RecordedEvent, ...] = ()
    """Earlier events of the same call that this command answers too; ``cause`` is the last of them. Such a command must be
    harmless where it comes again for fewer or more of them: after a crash the calls may be cut differently."""


React = Callable[[Sequence[RecordedEvent]], Awaitable[Sequence[Issue]]]


@dataclass(frozen=True)
class Reaction:
    """``react(events)`` gets those of the wanted ``types``, in order, some at a time, and returns the commands they cause.

    ``after`` names projections of the same service that have applied these events before ``react`` sees them. It may be called
    again for the same events; it must not act itself.
    """

    name: str
    types: frozenset[str]
    react: React
    after: tuple[str, ...] = ()


def each(react_to_one: Callable[[RecordedEvent], Awaitable[Sequence[Issue]]]) -> React:
    """A ``react`` for reactions that look at one event at a time."""

    async def react(events: Sequence[RecordedEvent]) -> Sequence[Issue]:
        issues: list[Issue] = []
        for event in events:
            issues.extend(await react_to_one(event))
        return issues

    return react
