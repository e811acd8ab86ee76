"""Where a fact about a person comes from, how sure it is, who may see it and until when it holds."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Protocol

from atelier_common.errors import InvalidInput


class Visibility(StrEnum):
    """Who may see a fact. Each wider circle is named; nothing is visible by default."""

    FAMILY = "family"
    """The learner, the learner's guardians and the staff of the learner's sites."""
    STAFF = "staff"
    """Staff of the learner's sites."""
    SUPPORT = "support"
    """The family and those who arrange supports: counselors, principals, the district office. For plans of services."""
    RESTRICTED = "restricted"
    """Counselors, principals and the district office: basic needs, orders."""
    REPORTING = "reporting"
    """The district office only: what state reports ask for and no person needs in order to teach."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Carried by every fact. Times are milliseconds UTC; ``confidence`` lies in 0..1; ``expires_at`` None: holds until changed.

    In a command ``observed_at`` 0 means *as this command comes*; in an event it is always a time.
    """

    source: str
    observed_at: int
    confidence: float
    visibility: Visibility
    expires_at: int | None = None

    def stale(self, now: int) -> bool:
        """True from the moment of expiry on. A stale fact is marked, not hidden: people may still want to renew it."""
        return self.expires_at is not None and now >= self.expires_at


def settled(provenance: Provenance, now: int) -> Provenance:
    """The provenance with its time filled in; raises InvalidInput where it cannot be true."""
    settled = replace(provenance, observed_at=provenance.observed_at or now)
    if not settled.source:
        raise InvalidInput("a fact needs a source", field="source")
    if not 0.0 <= settled.confidence <= 1.0:
        raise InvalidInput("confidence lies between 0 and 1", field="confidence", value=settled.confidence)
    if settled.observed_at > now:
        raise InvalidInput("a fact cannot be observed in the future", field="observed_at", value=settled.observed_at)
    if settled.expires_at is not None and settled.expires_at <= settled.observed_at:
        raise InvalidInput("a fact expires after it was observed", field="expires_at", value=settled.expires_at)
    return settled


class Sourced(Protocol):
    """Anything that carries its provenance."""

    @property
    def provenance(self) -> Provenance: ...


def says_the_same(one: Sourced | None, other: Sourced) -> bool:
    """Equal but for the time of observation: to be told again what is known is no news."""
    if one is None:
        return False
    return bool(_timeless(one) == _timeless(other))


def _timeless(item: Any) -> Any:
    return replace(item, provenance=replace(item.provenance, observed_at=0))
