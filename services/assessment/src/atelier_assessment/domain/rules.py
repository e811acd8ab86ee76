"""The district's mastery policy and calibration: versioned, adopted by a named person, version 1 of each built in.

Streams ``policy/mastery`` and ``calibration/items``. A version is never changed; adopting is the only way to another one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from atelier_common.decider import Decider
from atelier_common.errors import InvalidInput

from atelier_assessment.domain.registry import registry
from atelier_assessment.engine.calibration import DEFAULT_CALIBRATION, Calibration, ItemParameters
from atelier_assessment.engine.estimator import fold
from atelier_assessment.engine.observation import Observation
from atelier_assessment.engine.policy import DEFAULT_POLICY, MasteryPolicy

POLICY_KEY = "mastery"
CALIBRATION_KEY = "items"
_ENOUGH_PERFECT_ANSWERS = 100


@dataclass(frozen=True, slots=True)
class AdoptPolicy:
    """``policy.version`` is given by the aggregate: one more than the present."""

    policy: MasteryPolicy
    adopted_by: str
    reason: str
    now: int


@registry.event("PolicyAdopted")
@dataclass(frozen=True, slots=True)
class PolicyAdopted:
    policy: MasteryPolicy
    adopted_by: str
    reason: str


@dataclass(frozen=True, slots=True)
class AdoptCalibration:
    calibration: Calibration
    adopted_by: str
    reason: str
    now: int


@registry.event("CalibrationAdopted")
@dataclass(frozen=True, slots=True)
class CalibrationAdopted:
    calibration: Calibration
    adopted_by: str
    reason: str


def _decide_policy(command: AdoptPolicy, present: MasteryPolicy) -> Sequence[PolicyAdopted]:
    policy = replace(command.policy, version=present.version + 1)
    _named(command.adopted_by, command.reason)
    if not 0.5 <= policy.level < 1.0:
        raise InvalidInput("level is a probability from 0.5 to below 1", field="level")
    if not 0.0 <= policy.confidence <= 4.0:
        raise InvalidInput("confidence is a number of standard deviations from 0 to 4", field="confidence")
    if policy.independent_evidence < 1:
        raise InvalidInput("a claim needs at least one piece of a learner's own work", field="independent_evidence")
    weights = (
        *policy.kind_weights.values(),
        *policy.assistance_weights.values(),
        policy.group_weight,
        policy.same_stimulus_weight,
    )
    if not all(0.0 <= weight <= 3.0 for weight in weights):
        raise InvalidInput("weights lie between 0 and 3", field="kind_weights")
    if replace(policy, version=present.version) == present:
        return ()
    if not _can_be_met(policy):
        raise InvalidInput(
            f"this policy can never be met: {_ENOUGH_PERFECT_ANSWERS} right answers to ordinary items do not earn anything",
            field="level",
        )
    return (PolicyAdopted(policy, command.adopted_by, command.reason),)


def _can_be_met(policy: MasteryPolicy) -> bool:
    perfect = [
        Observation(f"{place:04d}", place, place, 1.0, "item", "", "") for place in range(_ENOUGH_PERFECT_ANSWERS)
    ]
    return fold(perfect, policy, DEFAULT_CALIBRATION).claimed_at is not None


def _decide_calibration(command: AdoptCalibration, present: Calibration) -> Sequence[CalibrationAdopted]:
    calibration = replace(command.calibration, version=present.version + 1)
    _named(command.adopted_by, command.reason)
    _check_item("an ordinary item", calibration.ordinary)
    for name, parameters in calibration.items.items():
        _check_item(name, parameters)
    if not 0.0 < calibration.prior_variance <= 25.0 or not 0.0 <= calibration.drift <= 5.0:
        raise InvalidInput(
            "prior_variance lies above 0 to 25, drift from 0 to 5 (squared logits)", field="prior_variance"
        )
    if replace(calibration, version=present.version) == present:
        return ()
    return (CalibrationAdopted(calibration, command.adopted_by, command.reason),)


def _check_item(name: str, item: ItemParameters) -> None:
    if not 0.0 < item.discrimination <= 5.0:
        raise InvalidInput(f"discrimination of {name} lies above 0 to 5", field="discrimination", item=name)
    if not -10.0 <= item.difficulty <= 10.0:
        raise InvalidInput(f"difficulty of {name} lies from -10 to 10 logits", field="difficulty", item=name)
    if not (item.guess >= 0.0 and item.slip >= 0.0 and item.guess + item.slip <= 0.9):
        raise InvalidInput(f"guess and slip of {name} are chances whose sum is at most 0.9", field="guess", item=name)


def _named(adopted_by: str, reason: str) -> None:
    if not adopted_by or not reason.strip():
        raise InvalidInput("adopting names who does it and why", field="reason")


def _policy_after(_present: MasteryPolicy, event: PolicyAdopted) -> MasteryPolicy:
    return event.policy


def _calibration_after(_present: Calibration, event: CalibrationAdopted) -> Calibration:
    return event.calibration


def _version(_command: Any, _events: Sequence[Any], state: MasteryPolicy | Calibration) -> Any:
    return {"version": state.version}


policy = Decider[AdoptPolicy, MasteryPolicy, PolicyAdopted](
    "policy", registry, lambda: DEFAULT_POLICY, _decide_policy, _policy_after, _version
)
calibration = Decider[AdoptCalibration, Calibration, CalibrationAdopted](
    "calibration", registry, lambda: DEFAULT_CALIBRATION, _decide_calibration, _calibration_after, _version
)
