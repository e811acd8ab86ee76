"""An attempt: one piece of evidence under one natural identity. It is recorded or parked, perhaps mapped later, perhaps voided.

Stream ``attempt/<evidence id>``. Nothing that was accepted is ever dropped: what cannot count yet is parked with its reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, assert_never

from atelier_common.decider import Decider
from atelier_common.errors import IdentityTaken, NotFound, RuleBroken

from atelier_assessment.domain.attempt_events import (
    Event,
    EvidenceMapped,
    EvidenceParked,
    EvidenceRecorded,
    EvidenceVoided,
    TargetsUnresolved,
    VoidingStated,
)
from atelier_assessment.domain.evidence import Evidence
from atelier_assessment.domain.registry import registry

UNKNOWN_LEARNER = "unknown-learner"
UNKNOWN_COMPETENCY = "unknown-competency"
NO_COMPETENCY = "no-competency"
NO_OUTCOME = "no-outcome"
VOIDED = "voided"


@dataclass(frozen=True, slots=True)
class Resolution:
    """What this district knew of the evidence when it came: competencies found, targets not found, learner known."""

    competencies: tuple[str, ...] = ()
    unresolved: tuple[str, ...] = ()
    learner_known: bool = True


@dataclass(frozen=True, slots=True)
class RecordEvidence:
    """Its command id is made from what was sent, so nothing else is hashed: sent again, the same report may be resolved better,
    typed by a provider's registration, or, where it bears no time, read at a later one. The first reading stands.
    """

    unhashed: ClassVar[tuple[str, ...]] = ("evidence", "resolution")
    evidence: Evidence
    resolution: Resolution
    now: int


@dataclass(frozen=True, slots=True)
class ResolveEvidence:
    """More is known now: a framework or a learner arrived."""

    resolution: Resolution
    now: int


@dataclass(frozen=True, slots=True)
class MapEvidence:
    """A person says which competencies the evidence is about."""

    competencies: tuple[str, ...]
    mapped_by: str
    now: int


@dataclass(frozen=True, slots=True)
class VoidEvidence:
    """Its provider, or the district (``provider`` empty), withdraws it; ``reference`` is the voiding statement."""

    provider: str
    reference: str
    reason: str
    now: int


@dataclass(frozen=True, slots=True)
class StateVoiding:
    """Claim the identity of a voiding statement, so that the same id cannot stand for something else."""

    unhashed: ClassVar[tuple[str, ...]] = ("performed_at",)
    target: str
    target_reference: str
    provider: str
    as_district: bool
    reference: str
    digest: str
    performed_at: int
    now: int


Command = RecordEvidence | ResolveEvidence | MapEvidence | VoidEvidence | StateVoiding


@dataclass(frozen=True, slots=True)
class Unheard:
    """Nothing of this identity came yet."""


@dataclass(frozen=True, slots=True)
class Held:
    """Evidence that counts towards ``counted``, or is parked for ``reasons``."""

    evidence: Evidence
    recorded_at: int
    counted: tuple[str, ...]
    competencies: tuple[str, ...]
    unresolved: tuple[str, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Voided:
    """Withdrawn. ``evidence`` is None while only the voiding has arrived."""

    evidence: Evidence | None
    provider: str
    reference: str


@dataclass(frozen=True, slots=True)
class Voiding:
    """This identity belongs to a statement that voids another."""

    stated: VoidingStated


State = Unheard | Held | Voided | Voiding


def decide(command: Command, state: State) -> Sequence[Event]:
    match command:
        case RecordEvidence():
            return _record(command, state)
        case ResolveEvidence():
            return _resolve(command.resolution, "", state)
        case MapEvidence():
            return _map(command, state)
        case VoidEvidence():
            return _void(command, state)
        case StateVoiding():
            return _state_voiding(command, state)
        case _:
            assert_never(command)


def _record(command: RecordEvidence, state: State) -> Sequence[Event]:
    evidence, found = command.evidence, command.resolution
    match state:
        case Unheard():
            return _first_report(command)
        case Voided(evidence=None):
            if state.provider in ("", evidence.provider):
                return (EvidenceParked(evidence, command.now, (VOIDED,), found.competencies, found.unresolved),)
            return _first_report(command)
        case Held() | Voided():
            if state.evidence is not None and state.evidence.digest != evidence.digest:
                raise _taken(evidence.reference)
            return ()
        case Voiding():
            raise _taken(evidence.reference)
        case _:
            assert_never(state)


def _first_report(command: RecordEvidence) -> Sequence[Event]:
    evidence, found = command.evidence, command.resolution
    reasons = _reasons(evidence, found.competencies, found.unresolved, found.learner_known)
    if reasons:
        return (EvidenceParked(evidence, command.now, reasons, found.competencies, found.unresolved),)
    recorded = EvidenceRecorded(evidence, command.now, found.competencies)
    if not found.unresolved:
        return (recorded,)
    return (recorded, TargetsUnresolved(evidence.learner, evidence.targets, found.unresolved))


def _reasons(
    evidence: Evidence, competencies: Sequence[str], unresolved: Sequence[str], learner_known: bool
) -> tuple[str, ...]:
    reasons = []
    if not learner_known:
        reasons.append(UNKNOWN_LEARNER)
    if not competencies:
        reasons.append(UNKNOWN_COMPETENCY if unresolved else NO_COMPETENCY)
    if evidence.outcome.score() is None:
        reasons.append(NO_OUTCOME)
    return tuple(reasons)


def _taken(reference: str) -> IdentityTaken:
    return IdentityTaken(
        f"{reference} was accepted before with other content; evidence is never overwritten", id=reference
    )


def _resolve(found: Resolution, mapped_by: str, state: State) -> Sequence[Event]:
    if not isinstance(state, Held):
        return ()
    competencies = tuple(dict.fromkeys((*state.competencies, *found.competencies)))
    unresolved = tuple(target for target in state.unresolved if target in found.unresolved)
    learner_known = found.learner_known or UNKNOWN_LEARNER not in state.reasons
    reasons = _reasons(state.evidence, competencies, unresolved, learner_known)
    if reasons:
        if not state.reasons or (reasons, unresolved) == (state.reasons, state.unresolved):
            return ()
        return (EvidenceParked(state.evidence, state.recorded_at, reasons, competencies, unresolved),)
    added = tuple(competency for competency in competencies if competency not in state.counted)
    if not added:
        return ()
    return (EvidenceMapped(state.evidence, state.recorded_at, added, unresolved, mapped_by),)


def _map(command: MapEvidence, state: State) -> Sequence[Event]:
    match state:
        case Unheard() | Voiding():
            raise NotFound("no evidence of this id is parked")
        case Voided():
            raise RuleBroken("this evidence was voided; it cannot be mapped")
        case Held():
            if UNKNOWN_LEARNER in state.reasons:
                raise RuleBroken(
                    "its learner is not on the roster yet; it is mapped when the roster arrives", reason=UNKNOWN_LEARNER
                )
            if state.evidence.outcome.score() is None:
                raise RuleBroken(
                    "it says nothing of how well the learner did; nothing can be estimated from it", reason=NO_OUTCOME
                )
            return _resolve(Resolution(command.competencies, (), True), command.mapped_by, state)
        case _:
            assert_never(state)


def _void(command: VoidEvidence, state: State) -> Sequence[Event]:
    match state:
        case Unheard():
            return (EvidenceVoided("", (), 0, command.provider, command.reference, command.reason),)
        case Held():
            if command.provider and command.provider != state.evidence.provider:
                return ()
            learner = state.evidence.learner
            return (
                EvidenceVoided(
                    learner,
                    state.counted,
                    len(state.evidence.targets),
                    command.provider,
                    command.reference,
                    command.reason,
                ),
            )
        case Voided() | Voiding():
            return ()
        case _:
            assert_never(state)


def _state_voiding(command: StateVoiding, state: State) -> Sequence[Event]:
    match state:
        case Unheard():
            return (
                VoidingStated(
                    command.target,
                    command.target_reference,
                    command.provider,
                    command.as_district,
                    command.reference,
                    command.digest,
                    command.performed_at,
                ),
            )
        case Voiding(stated=known) if known.digest == command.digest:
            return ()
        case _:
            raise _taken(command.reference)


def evolve(state: State, event: Event) -> State:
    match event:
        case EvidenceRecorded():
            return Held(event.evidence, event.recorded_at, event.competencies, event.competencies, (), ())
        case TargetsUnresolved():
            return replace(state, unresolved=event.unresolved) if isinstance(state, Held) else state
        case EvidenceParked():
            if VOIDED in event.reasons and isinstance(state, Voided):
                return Voided(event.evidence, state.provider, state.reference)
            return Held(event.evidence, event.recorded_at, (), event.competencies, event.unresolved, event.reasons)
        case EvidenceMapped():
            counted = state.counted if isinstance(state, Held) else ()
            counted = (*counted, *event.added)
            return Held(event.evidence, event.recorded_at, counted, counted, event.unresolved, ())
        case EvidenceVoided():
            return Voided(state.evidence if isinstance(state, Held) else None, event.provider, event.reference)
        case VoidingStated():
            return Voiding(event)
        case _:
            assert_never(event)


def _result(_command: Command, _events: Sequence[Event], state: State) -> Any:
    match state:
        case Held():
            return {"status": "parked" if state.reasons else "accepted", "reasons": list(state.reasons)}
        case Voided():
            return {"status": VOIDED, "reasons": []}
        case _:
            return {"status": "accepted", "reasons": []}


attempt = Decider[Command, State, Event]("attempt", registry, Unheard, decide, evolve, _result, remembered=False)
