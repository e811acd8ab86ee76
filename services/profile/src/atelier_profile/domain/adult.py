"""An adult who works with learners: roles at sites, certificates; who leaves is deactivated, never deleted."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, assert_never

from atelier_common.decider import Decider
from atelier_common.errors import InvalidInput, NotFound

from atelier_profile.domain.registry import registry


@dataclass(frozen=True, slots=True)
class RoleAtSite:
    """A OneRoster role (``teacher``, ``aide``, ``counselor``, ``principal`` ...) at one site."""

    role: str
    site_id: str


@dataclass(frozen=True, slots=True)
class AdultEntry:
    """What a student information system says. ``fingerprint`` is a keyed digest of all of it in plaintext."""

    fingerprint: str
    roles: tuple[RoleAtSite, ...]
    display_name: str = field(default="", compare=False)
    """sealed"""
    username: str = field(default="", compare=False)
    """sealed"""
    email: str = field(default="", compare=False)
    """sealed"""
    phone: str = field(default="", compare=False)
    """sealed"""


@registry.event("AdultRecorded")
@dataclass(frozen=True, slots=True)
class AdultRecorded:
    """New, changed or back again; carries the whole record, so it is what neighbours are told."""

    adult_id: str
    entry: AdultEntry
    certificates: tuple[str, ...]


@registry.event("AdultDeactivated")
@dataclass(frozen=True, slots=True)
class AdultDeactivated:
    adult_id: str
    entry: AdultEntry
    certificates: tuple[str, ...]
    reason: str


AdultEvent = AdultRecorded | AdultDeactivated


@dataclass(frozen=True, slots=True)
class RecordAdult:
    unhashed: ClassVar[tuple[str, ...]] = ("entry",)
    adult_id: str
    fingerprint: str
    entry: AdultEntry
    now: int


@dataclass(frozen=True, slots=True)
class DeactivateAdult:
    adult_id: str
    reason: str
    now: int


@dataclass(frozen=True, slots=True)
class RecordCertificates:
    """The certificates an adult holds, as codes; replaces those known before."""

    adult_id: str
    certificates: tuple[str, ...]
    now: int


AdultCommand = RecordAdult | DeactivateAdult | RecordCertificates


@dataclass(frozen=True, slots=True)
class UnknownAdult:
    """Nobody has recorded this adult."""


@dataclass(frozen=True, slots=True)
class KnownAdult:
    adult_id: str
    active: bool
    entry: AdultEntry
    certificates: tuple[str, ...]


AdultState = UnknownAdult | KnownAdult


def decide(command: AdultCommand, state: AdultState) -> Sequence[AdultEvent]:
    match command:
        case RecordAdult():
            return _recorded(command, state)
        case DeactivateAdult():
            known = _known(command.adult_id, state)
            left = AdultDeactivated(command.adult_id, known.entry, known.certificates, command.reason)
            return [left] if known.active else []
        case RecordCertificates():
            known = _known(command.adult_id, state)
            if any(not certificate for certificate in command.certificates):
                raise InvalidInput("a certificate has a code", field="certificates")
            held = tuple(sorted(set(command.certificates)))
            return [] if held == known.certificates else [AdultRecorded(command.adult_id, known.entry, held)]
        case _:
            assert_never(command)


def _recorded(command: RecordAdult, state: AdultState) -> Sequence[AdultEvent]:
    if not isinstance(state, KnownAdult):
        return [AdultRecorded(command.adult_id, command.entry, ())]
    if state.active and state.entry.fingerprint == command.fingerprint:
        return []
    return [AdultRecorded(command.adult_id, command.entry, state.certificates)]


def _known(adult_id: str, state: AdultState) -> KnownAdult:
    if not isinstance(state, KnownAdult):
        raise NotFound(f"there is no adult {adult_id}")
    return state


def evolve(state: AdultState, event: AdultEvent) -> AdultState:
    match event:
        case AdultRecorded():
            return KnownAdult(event.adult_id, True, event.entry, event.certificates)
        case AdultDeactivated():
            return replace(state, active=False) if isinstance(state, KnownAdult) else state
        case _:
            assert_never(event)


def result(command: AdultCommand, events: Sequence[AdultEvent], _state: AdultState) -> Any:
    return {"adult_id": command.adult_id, "changes": len(events)}


adult: Decider[AdultCommand, AdultState, AdultEvent] = Decider(
    category="adult", registry=registry, initial=UnknownAdult, decide=decide, evolve=evolve, result=result
)
