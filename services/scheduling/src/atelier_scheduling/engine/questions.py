"""What a person may ask about a plan, and the answer as codes and parameters; rendering is another room."""

from dataclasses import dataclass
from enum import StrEnum

from atelier_scheduling.engine import wire
from atelier_scheduling.engine.needs import Focus
from atelier_scheduling.engine.plan import Parameters, PlacedBy


class Asking(StrEnum):
    WHY = "why"
    WHY_NOT = "why-not"
    WHAT_WOULD_CHANGE = "what-would-change"


@dataclass(frozen=True, slots=True)
class Question:
    """About one learner at one epoch minute. ``why-not`` and ``what-would-change`` name a wish: a focus, an adult, a
    zone or a session."""

    asking: Asking
    learner: str
    minute: int
    focus: Focus | None = None
    adult: str = ""
    zone: str = ""
    session: str = ""


@dataclass(frozen=True, slots=True)
class Reason:
    """``restricted`` reasons carry no parameters and share one code with ordinary neutral ones: nothing can be told
    from them."""

    code: str
    parameters: Parameters = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """``session``: where the learner is. ``reasons``: the facts, most important first. ``would_change``: changes
    after which, solved again, the wish would be met."""

    asking: Asking
    learner: str
    minute: int
    session: str = ""
    placed_by: PlacedBy | None = None
    reasons: tuple[Reason, ...] = ()
    would_change: tuple[Reason, ...] = ()

    def to_json(self) -> bytes:
        return wire.write(self)
