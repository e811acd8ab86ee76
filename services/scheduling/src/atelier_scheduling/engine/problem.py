"""The door: everything the planner may know about one site and one stretch of days (usually a week), as plain data.

It is complete and self-contained: no clock, no look-up. Collections are tuples in any order; the planner sorts by id,
so the order in which facts arrived never shows in a plan. Ids are opaque and unique within their kind.
"""

from dataclasses import dataclass

from atelier_scheduling.engine import wire
from atelier_scheduling.engine.needs import Need
from atelier_scheduling.engine.overrides import Override
from atelier_scheduling.engine.people import Adult, Learner, Pair
from atelier_scheduling.engine.places import Travel, Zone
from atelier_scheduling.engine.policy import Policy, SessionKind
from atelier_scheduling.engine.sessions import HomeGroup, Session, Studio
from atelier_scheduling.engine.times import Day, Slot

_DEFAULT_POLICY = Policy()


@dataclass(frozen=True, slots=True)
class Title:
    """What people call a focus, a subject or a place of this site ("Fractions on a line"). Never a person's name."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class SiteProblem:
    """One site, one stretch of days. ``week`` names it (ISO week or the site's own). ``now``: epoch minute of the
    facts.

    ``fixed_sessions`` are meetings that stand already (official sections, an assembly): the planner fills and never
    moves them. ``home_groups`` and ``studios`` are those that exist; the planner keeps them as stability asks and may
    form others.
    """

    site: str
    week: str
    time_zone: str
    now: int
    days: tuple[Day, ...]
    slots: tuple[Slot, ...]
    zones: tuple[Zone, ...]
    kinds: tuple[SessionKind, ...]
    adults: tuple[Adult, ...] = ()
    learners: tuple[Learner, ...] = ()
    needs: tuple[Need, ...] = ()
    pairs: tuple[Pair, ...] = ()
    travel: tuple[Travel, ...] = ()
    home_groups: tuple[HomeGroup, ...] = ()
    studios: tuple[Studio, ...] = ()
    fixed_sessions: tuple[Session, ...] = ()
    overrides: tuple[Override, ...] = ()
    policy: Policy = _DEFAULT_POLICY
    titles: tuple[Title, ...] = ()

    def to_json(self) -> bytes:
        """Canonical bytes: equal problems, equal bytes."""
        return wire.write(self)

    @staticmethod
    def from_json(data: bytes) -> "SiteProblem":
        """Inverse of ``to_json``. Raises ``wire.Unreadable``."""
        return wire.read(SiteProblem, data)

    def digest(self) -> str:
        """SHA-256 of the canonical bytes."""
        return wire.digest(self)
