"""A guardian: contact details, kept apart from the learners, who name their guardians by id."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, assert_never

from atelier_common.decider import Decider
from atelier_common.errors import NotFound

from atelier_profile.domain.registry import registry


@dataclass(frozen=True, slots=True)
class GuardianEntry:
    """What a student information system says. ``fingerprint`` is a keyed digest of all of it in plaintext."""

    fingerprint: str
    relation: str
    display_name: str = field(default="", compare=False)
    """sealed"""
    email: str = field(default="", compare=False)
    """sealed"""
    phone: str = field(default="", compare=False)
    """sealed"""


@registry.event("GuardianRecorded")
@dataclass(frozen=True, slots=True)
class GuardianRecorded:
    guardian_id: str
    entry: GuardianEntry


@registry.event("GuardianDeactivated")
@dataclass(frozen=True, slots=True)
class GuardianDeactivated:
    guardian_id: str
    reason: str


GuardianEvent = GuardianRecorded | GuardianDeactivated


@dataclass(frozen=True, slots=True)
class RecordGuardian:
    unhashed: ClassVar[tuple[str, ...]] = ("entry",)
    guardian_id: str
    fingerprint: str
    entry: GuardianEntry
    now: int


@dataclass(frozen=True, slots=True)
class DeactivateGuardian:
    guardian_id: str
    reason: str
    now: int


GuardianCommand = RecordGuardian | DeactivateGuardian


@dataclass(frozen=True, slots=True)
class UnknownGuardian:
    """Nobody has recorded this guardian."""


@dataclass(frozen=True, slots=True)
class KnownGuardian:
    active: bool
    entry: GuardianEntry


GuardianState = UnknownGuardian | KnownGuardian


def decide(command: GuardianCommand, state: GuardianState) -> Sequence[GuardianEvent]:
    match command:
        case RecordGuardian():
            same = isinstance(state, KnownGuardian) and state.active and state.entry.fingerprint == command.fingerprint
            return [] if same else [GuardianRecorded(command.guardian_id, command.entry)]
        case DeactivateGuardian():
            if not isinstance(state, KnownGuardian):
                raise NotFound(f"there is no guardian {command.guardian_id}")
            return [GuardianDeactivated(command.guardian_id, command.reason)] if state.active else []
        case _:
            assert_never(command)


def evolve(state: GuardianState, event: GuardianEvent) -> GuardianState:
    match event:
        case GuardianRecorded():
            return KnownGuardian(True, event.entry)
        case GuardianDeactivated():
            return replace(state, active=False) if isinstance(state, KnownGuardian) else state
        case _:
            assert_never(event)


guardian: Decider[GuardianCommand, GuardianState, GuardianEvent] = Decider(
    category="guardian", registry=registry, initial=UnknownGuardian, decide=decide, evolve=evolve
)
