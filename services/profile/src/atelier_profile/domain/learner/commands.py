"""What can be asked of a learner's record. ``now`` is domain time in milliseconds UTC; ``unhashed`` fields hold sealed values."""

from dataclasses import dataclass
from typing import ClassVar

from atelier_profile.domain.learner.values import (
    Absence,
    Accommodation,
    Choice,
    Cohort,
    Device,
    Fact,
    Interest,
    Languages,
    OffSite,
    Presence,
    Restriction,
    RosterEntry,
    SupportService,
)


@dataclass(frozen=True, slots=True)
class RecordRosterEntry:
    """Enrol, change or reactivate by a row of a roster; the same fingerprint again changes nothing."""

    unhashed: ClassVar[tuple[str, ...]] = ("entry",)
    learner_id: str
    fingerprint: str
    entry: RosterEntry
    now: int


@dataclass(frozen=True, slots=True)
class DeactivateLearner:
    learner_id: str
    reason: str
    now: int


@dataclass(frozen=True, slots=True)
class RecordSupports:
    """Set supports and circumstances in one decision, and end others by id.

    Each replaces what has its id; those not named stay as they are. ``digest`` is a keyed digest of the
    accommodations and off-site times as they were in plaintext.
    """

    unhashed: ClassVar[tuple[str, ...]] = ("accommodations", "off_site")
    learner_id: str
    now: int
    digest: str = ""
    accommodations: tuple[Accommodation, ...] = ()
    services: tuple[SupportService, ...] = ()
    absences: tuple[Absence, ...] = ()
    off_site: tuple[OffSite, ...] = ()
    restrictions: tuple[Restriction, ...] = ()
    languages: Languages | None = None
    device: Device | None = None
    presence: Presence | None = None
    ended_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecordFact:
    unhashed: ClassVar[tuple[str, ...]] = ("fact",)
    learner_id: str
    fact: Fact
    digest: str
    now: int


@dataclass(frozen=True, slots=True)
class WithdrawFact:
    learner_id: str
    fact_id: str
    reason: str
    now: int


@dataclass(frozen=True, slots=True)
class SetInterest:
    learner_id: str
    interest: Interest
    now: int


@dataclass(frozen=True, slots=True)
class RemoveInterest:
    learner_id: str
    topic: str
    now: int


@dataclass(frozen=True, slots=True)
class MakeChoice:
    learner_id: str
    choice: Choice
    now: int


@dataclass(frozen=True, slots=True)
class AssignCohort:
    learner_id: str
    cohort: Cohort
    now: int


@dataclass(frozen=True, slots=True)
class EraseLearner:
    learner_id: str
    request_id: str
    now: int


LearnerCommand = (
    RecordRosterEntry
    | DeactivateLearner
    | RecordSupports
    | RecordFact
    | WithdrawFact
    | SetInterest
    | RemoveInterest
    | MakeChoice
    | AssignCohort
    | EraseLearner
)
