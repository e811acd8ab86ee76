"""A person's decision that no solve undoes: above stability and preferences, below safety and law."""

from dataclasses import dataclass
from enum import StrEnum

from atelier_scheduling.engine.needs import Focus
from atelier_scheduling.engine.times import Interval


class OverrideAction(StrEnum):
    """``place``: the learners are present, throughout the scope, in a session that matches every field given (focus,
    studio, session, zone, adult, kind). ``keep_out``: in no such session. ``staff``: the adults lead the sessions of
    the scope that match. ``home_group``: the learners belong to it. ``studio``: they are members of it. ``open``: a
    session of the focus and kind is held in the scope."""

    PLACE = "place"
    KEEP_OUT = "keep-out"
    STAFF = "staff"
    HOME_GROUP = "home-group"
    STUDIO = "studio"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class Override:
    """``owner`` (an opaque id), ``reason``, ``scope`` and ``expires`` (epoch minute; ``None``: until withdrawn) are
    always there."""

    id: str
    owner: str
    reason: str
    action: OverrideAction
    scope: Interval
    expires: int | None = None
    learners: tuple[str, ...] = ()
    adults: tuple[str, ...] = ()
    focus: Focus | None = None
    kind: str = ""
    studio: str = ""
    session: str = ""
    zone: str = ""
    home_group: str = ""
    given_at: int = 0
    restricted: bool = False


class OverrideStanding(StrEnum):
    """``refused``: it would break safety when it was first asked. ``suspended``: it held in the previous plan and
    later facts made it unlawful. ``expired``: its time is over."""

    HONOURED = "honoured"
    REFUSED = "refused"
    SUSPENDED = "suspended"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class OverrideOutcome:
    """What the plan did with an override or pin. ``rule`` names the safety rule that stood against it (see
    ``rules.Rule``)."""

    override: str
    owner: str
    standing: OverrideStanding
    rule: str = ""
    parameters: tuple[tuple[str, str], ...] = ()
