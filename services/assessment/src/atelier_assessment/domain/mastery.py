"""Mastery of one competency by one learner: an estimate with uncertainty, and whether it is earned.

Stream ``mastery/<learner>:<competency>``. It keeps what the estimator needs of every piece of evidence, so it folds anew from
itself alone; evidence that comes in order costs one step. The result is a function of the evidence sorted by time performed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, assert_never

from atelier_common.decider import Decider
from atelier_common.errors import InvalidInput, RuleBroken

from atelier_assessment.domain.mastery_events import (
    AwardWithdrawn,
    EarnedCorrected,
    Event,
    EvidenceSetAside,
    EvidenceWithdrawn,
    MasteryAwarded,
    MasteryMoved,
    MasteryReestimated,
    Standing,
)
from atelier_assessment.domain.registry import registry
from atelier_assessment.engine.calibration import DEFAULT_CALIBRATION, Calibration
from atelier_assessment.engine.estimator import Belief, advance, fold, insert, start
from atelier_assessment.engine.observation import Observation
from atelier_assessment.engine.policy import DEFAULT_POLICY, MasteryPolicy


def mastery_key(learner: str, competency: str) -> str:
    return f"{learner}:{competency}"


def learner_and_competency(key: str) -> tuple[str, str]:
    """Of a key or of a whole stream name."""
    learner, _, competency = key.rpartition("/")[2].partition(":")
    return learner, competency


@dataclass(frozen=True, slots=True)
class Rules:
    """What turns evidence into a claim at this moment. Both are immutable values, named by version in every event."""

    policy: MasteryPolicy = DEFAULT_POLICY
    calibration: Calibration = DEFAULT_CALIBRATION


@dataclass(frozen=True, slots=True)
class CountEvidence:
    """Its command id is made from the event that recorded the evidence, which never changes: nothing is hashed again."""

    unhashed: ClassVar[tuple[str, ...]] = ("observation", "rules")
    observation: Observation
    rules: Rules
    now: int


@dataclass(frozen=True, slots=True)
class WithdrawEvidence:
    unhashed: ClassVar[tuple[str, ...]] = ("rules",)
    evidence_id: str
    reason: str
    rules: Rules
    now: int


@dataclass(frozen=True, slots=True)
class Reestimate:
    """Another policy or calibration was adopted."""

    unhashed: ClassVar[tuple[str, ...]] = ("rules",)
    policy_version: int
    calibration_version: int
    rules: Rules
    now: int


@dataclass(frozen=True, slots=True)
class AwardMastery:
    """A person says that it is earned, and why. Sticky: no evidence and no policy takes it away."""

    awarded_by: str
    reason: str
    awarded_at: int
    now: int


@dataclass(frozen=True, slots=True)
class WithdrawAward:
    withdrawn_by: str
    reason: str
    now: int


Command = CountEvidence | WithdrawEvidence | Reestimate | AwardMastery | WithdrawAward


@dataclass(frozen=True, slots=True)
class Mastery:
    """``observations`` stand in order of time performed. ``standing`` is None before anything was said.

    ``kept_at`` is when it was earned under earlier rules, ``awarded_at`` when a person said so.
    """

    observations: tuple[Observation, ...] = ()
    standing: Standing | None = None
    kept_at: int | None = None
    awarded_at: int | None = None
    awarded_by: str = ""
    withdrawn: frozenset[str] = frozenset()

    def holds(self, evidence_id: str) -> bool:
        for each in self.observations:  # a plain loop: this runs for every answer of a busy day
            if each.id == evidence_id:
                return True
        return evidence_id in self.withdrawn


def decide(command: Command, state: Mastery) -> Sequence[Event]:
    match command:
        case CountEvidence():
            return _count(command, state)
        case WithdrawEvidence():
            return _withdraw(command, state)
        case Reestimate():
            return _under(command.rules, state)
        case AwardMastery():
            return _award(command, state)
        case WithdrawAward():
            return _withdraw_award(command, state)
        case _:
            assert_never(command)


def _count(command: CountEvidence, state: Mastery) -> Sequence[Event]:
    observation, rules = command.observation, command.rules
    if state.holds(observation.id):
        return ()
    adopted = _under(rules, state)
    for event in adopted:
        state = evolve(state, event)
    before = state.standing
    observations = insert(state.observations, observation)
    newest = observations[-1].id == observation.id
    known = before.belief if before is not None else start(rules.calibration)
    if newest:
        belief = advance(known, observation, state.observations, rules.policy, rules.calibration)
    else:
        belief = fold(observations, rules.policy, rules.calibration)
    if belief is known or (not newest and belief == known):
        return (*adopted, EvidenceSetAside(observation))
    # Which of two reports of one piece of work counted is no correction of what was said of the learner.
    corrected = not newest and replace(belief, latest=known.latest) != known
    standing = _standing(belief, rules, state)
    return (*adopted, MasteryMoved(observation, standing, corrected), *_correction(observation.id, before, standing))


def _withdraw(command: WithdrawEvidence, state: Mastery) -> Sequence[Event]:
    if command.evidence_id in state.withdrawn:
        return ()
    adopted = _under(command.rules, state)
    for event in adopted:
        state = evolve(state, event)
    before = state.standing
    observations = tuple(each for each in state.observations if each.id != command.evidence_id)
    if len(observations) == len(state.observations):
        return (*adopted, EvidenceWithdrawn(command.evidence_id, command.reason, before))
    standing = _standing(fold(observations, command.rules.policy, command.rules.calibration), command.rules, state)
    withdrawn = EvidenceWithdrawn(command.evidence_id, command.reason, standing)
    return (*adopted, withdrawn, *_correction(command.evidence_id, before, standing))


def _under(rules: Rules, state: Mastery) -> Sequence[MasteryReestimated]:
    """What brings the state under these rules; nothing where it is."""
    before = state.standing
    if before is None or (before.policy == rules.policy.version and before.calibration == rules.calibration.version):
        return ()
    kept_at = _earliest(state.kept_at, before.belief.claimed_at)
    belief = fold(state.observations, rules.policy, rules.calibration)
    cause = "policy" if before.policy != rules.policy.version else "calibration"
    return (MasteryReestimated(_standing(belief, rules, replace(state, kept_at=kept_at)), kept_at, cause),)


def _award(command: AwardMastery, state: Mastery) -> Sequence[Event]:
    if not command.awarded_by or not command.reason.strip():
        raise InvalidInput("an award names who gives it and why", field="reason")
    if command.awarded_at > command.now:
        raise InvalidInput("an award cannot be dated in the future", field="awarded_at")
    if state.awarded_at is not None:
        raise RuleBroken(f"it was awarded before by {state.awarded_by}")
    before = state.standing or _nothing_yet()
    standing = replace(before, earned=True, earned_at=_earliest(before.earned_at, command.awarded_at))
    return (MasteryAwarded(command.awarded_by, command.reason, command.awarded_at, standing),)


def _withdraw_award(command: WithdrawAward, state: Mastery) -> Sequence[Event]:
    if state.awarded_at is None or state.standing is None:
        raise RuleBroken("nobody has awarded it")
    if not command.withdrawn_by or not command.reason.strip():
        raise InvalidInput("withdrawing an award names who does it and why", field="reason")
    earned_at = _earliest(state.standing.belief.claimed_at, state.kept_at)
    standing = replace(state.standing, earned=earned_at is not None, earned_at=earned_at)
    return (AwardWithdrawn(command.withdrawn_by, command.reason, standing),)


def _nothing_yet() -> Standing:
    belief = start(DEFAULT_CALIBRATION)
    return Standing(
        belief, belief.estimate, belief.uncertainty, False, None, DEFAULT_POLICY.version, DEFAULT_CALIBRATION.version
    )


def _earliest(*moments: int | None) -> int | None:
    return min((moment for moment in moments if moment is not None), default=None)


def _standing(belief: Belief, rules: Rules, state: Mastery) -> Standing:
    earned_at = _earliest(belief.claimed_at, state.kept_at, state.awarded_at)
    return Standing(
        belief=belief,
        estimate=belief.estimate,
        uncertainty=belief.uncertainty,
        earned=earned_at is not None,
        earned_at=earned_at,
        policy=rules.policy.version,
        calibration=rules.calibration.version,
    )


def _correction(because: str, before: Standing | None, after: Standing) -> Sequence[EarnedCorrected]:
    if before is None or before.earned_at is None or before.earned_at == after.earned_at:
        return ()
    return (EarnedCorrected(because, before.earned_at, after.earned_at),)


def _known(standing: Standing | None) -> Standing | None:
    """None again once nothing counts any more, so that what was withdrawn leaves no trace in the state."""
    if standing is None or (standing.belief.count == 0 and not standing.earned):
        return None
    return standing


def evolve(state: Mastery, event: Event) -> Mastery:
    match event:
        case MasteryMoved():
            observations = insert(state.observations, event.observation)
            return Mastery(
                observations, _known(event.standing), state.kept_at, state.awarded_at, state.awarded_by, state.withdrawn
            )
        case EvidenceSetAside():
            return replace(state, observations=insert(state.observations, event.observation))
        case EvidenceWithdrawn():
            kept = tuple(each for each in state.observations if each.id != event.evidence_id)
            withdrawn = state.withdrawn | {event.evidence_id}
            return replace(state, observations=kept, standing=_known(event.standing), withdrawn=withdrawn)
        case MasteryReestimated():
            return replace(state, standing=event.standing, kept_at=event.kept_at)
        case EarnedCorrected():
            return state
        case MasteryAwarded():
            return replace(state, standing=event.standing, awarded_at=event.awarded_at, awarded_by=event.awarded_by)
        case AwardWithdrawn():
            return replace(state, standing=event.standing, awarded_at=None, awarded_by="")
        case _:
            assert_never(event)


def _result(_command: Command, _events: Sequence[Event], state: Mastery) -> Any:
    standing = state.standing
    return None if standing is None else {"estimate": standing.estimate, "earned": standing.earned}


mastery = Decider[Command, Mastery, Event]("mastery", registry, Mastery, decide, evolve, _result)
