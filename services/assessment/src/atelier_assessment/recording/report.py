"""A report as it came in through any door, checked for its form, not yet stored. It may name people by their SIS id."""

from dataclasses import dataclass
from typing import Any

from atelier_assessment.domain.evidence import Circumstances, Outcome

FUTURE_TOLERANCE_MS = 5 * 60 * 1000
"""Clocks of devices differ; what lies further ahead than this was not performed yet."""


@dataclass(frozen=True, slots=True)
class Person:
    """A learner or adult: by SIS id, or by the id that stands for it."""

    sourced_id: str = ""
    id: str = ""


@dataclass(slots=True)
class Report:
    """``reference`` is the sender's own id of it; ``content`` is all that was sent, which the same id must not change.

    ``private`` says that ``content`` holds more than codes and numbers, so that its digest must be keyed. ``circumstances`` carry
    no people yet; ``rater`` and ``group`` do.
    """

    reference: str
    learner: Person
    kind: str
    verb: str
    item: str
    performed_at: int
    outcome: Outcome
    targets: tuple[str, ...]
    content: Any
    private: bool = False
    attempt: str = ""
    registration: str = ""
    purpose: str = ""
    circumstances: Circumstances | None = None
    rater: Person | None = None
    group: tuple[Person, ...] = ()
