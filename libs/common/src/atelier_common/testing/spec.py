"""Decisions tested as sentences: given events, when a command, then events, nothing, or a refusal.

Specification(account).given(Opened("a")).when(Close("a", now=5)).then(Closed("a"))
Specification(account).given(Opened("a"), Closed("a")).when(Close("a", now=6)).refused(RuleBroken, rule="closed")
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from atelier_common.decider import Decider
from atelier_common.errors import AtelierError


@dataclass(frozen=True)
class Outcome:
    """What a decision gave: events and the state after them, or the error that refused it."""

    events: tuple[Any, ...]
    state: Any
    error: AtelierError | None

    def then(self, *events: Any) -> "Outcome":
        """Exactly these events, in this order."""
        assert self.error is None, f"refused with {self.error!r}"
        assert self.events == events, f"expected {events}\n     got {self.events}"
        return self

    def then_nothing(self) -> "Outcome":
        """Accepted without an event."""
        return self.then()

    def then_includes(self, *events: Any) -> "Outcome":
        """At least these events."""
        assert self.error is None, f"refused with {self.error!r}"
        missing = [event for event in events if event not in self.events]
        assert not missing, f"missing {missing}\n    among {self.events}"
        return self

    def refused(self, error: type[AtelierError], **extensions: Any) -> AtelierError:
        """Refused with exactly this class, and with at least these extensions."""
        assert self.error is not None, f"not refused; got {self.events}"
        assert type(self.error) is error, f"refused with {self.error!r}"
        told = {name: self.error.extensions.get(name) for name in extensions}
        assert told == extensions, f"expected {extensions}, got {self.error.extensions}"
        return self.error


@dataclass(frozen=True)
class Specification:
    """One aggregate type under test. Every event passes through its stored form, so that what is tested can be read back."""

    decider: Decider[Any, Any, Any]
    history: tuple[Any, ...] = ()

    def given(self, *events: Any) -> "Specification":
        """Events that happened before, after those already given."""
        return Specification(self.decider, (*self.history, *events))

    def when(self, command: Any) -> Outcome:
        state = self._fold(self.decider.initial(), self.history)
        try:
            events = tuple(self.decider.decide(command, state))
        except AtelierError as error:
            return Outcome((), state, error)
        return Outcome(events, self._fold(state, events), None)

    def _fold(self, state: Any, events: Sequence[Any]) -> Any:
        registry = self.decider.registry
        for event in events:
            stored = registry.encode(event)
            stored.value = None
            read_back = registry.decode(stored)
            assert read_back == event, f"stored and read back it is {read_back}"
            state = self.decider.evolve(state, read_back)
        return state
