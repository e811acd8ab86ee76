"""What a learner can do in one competency, as a belief with uncertainty: a left fold over evidence sorted by time performed.

The belief is a normal distribution over ability in logits. Each answer moves it by one step of a logistic Gaussian filter: the
expected answer is averaged over the uncertainty of ability (the probit approximation that rating systems with uncertainty use),
then mean and variance move along the gradient and the information of that answer, times its weight. Every step rounds to
``DECIMALS``, so a belief stored and continued equals the same evidence folded anew, to the byte.
"""

import math
from bisect import insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from atelier_assessment.engine.calibration import Calibration
from atelier_assessment.engine.observation import Observation
from atelier_assessment.engine.policy import MasteryPolicy

DECIMALS = 9
SHOWN_DECIMALS = 6
_PROBIT = math.pi / 8.0
_LARGEST_LOGIT = 12.0


@dataclass(frozen=True, slots=True)
class Belief:
    """Ability in logits after ``count`` pieces of evidence that weighed something, ``independent`` of them the learner's own.

    ``claimed_at`` is when the work was performed that first met the policy, ``claimed_by`` that evidence; later work never unmakes
    it. ``stalled`` counts independent work since the mean was last as high as ``best``; 0 once claimed: the stuck clock reads it.
    ``performed_at``, ``activity`` and ``success`` are of the newest evidence that counted.
    """

    mean: float
    variance: float
    count: int = 0
    independent: int = 0
    claimed_at: int | None = None
    claimed_by: str = ""
    best: float = -_LARGEST_LOGIT
    stalled: int = 0
    performed_at: int = 0
    activity: str = ""
    success: bool | None = None

    @property
    def estimate(self) -> float:
        """Expected probability in [0, 1] of an unaided success on an ordinary item, guessing and slipping apart."""
        return round(_logistic(self.mean / math.sqrt(1.0 + _PROBIT * self.variance)), SHOWN_DECIMALS)

    @property
    def uncertainty(self) -> float:
        """Standard deviation of that probability under the belief."""
        shrink = 1.0 / math.sqrt(1.0 + _PROBIT * self.variance)
        expected = _logistic(self.mean * shrink)
        return round(expected * (1.0 - expected) * shrink * math.sqrt(self.variance), SHOWN_DECIMALS)


def _logistic(logit: float) -> float:
    bounded = min(_LARGEST_LOGIT, max(-_LARGEST_LOGIT, logit))
    return 1.0 / (1.0 + math.exp(-bounded))


def start(calibration: Calibration) -> Belief:
    """The belief before any evidence."""
    return Belief(calibration.prior_mean, calibration.prior_variance)


def weigh(observation: Observation, earlier: Iterable[Observation], policy: MasteryPolicy) -> float:
    """How much it counts given the evidence performed before it; 0.0 for modified work and for an attempt already counted."""
    weight = policy.kind_weights.get(observation.kind, 0.0)
    conditions = observation.conditions
    if conditions is not None:
        if conditions.modified:
            return 0.0
        weight *= policy.assistance_weights.get(conditions.assistance, 1.0)
        if conditions.group_size > 1:
            weight *= policy.group_weight
        if conditions.stimulus and any(
            other.conditions is not None and other.conditions.stimulus == conditions.stimulus for other in earlier
        ):
            weight *= policy.same_stimulus_weight
    if (observation.attempt or observation.registration) and _reported_before(observation, earlier):
        return 0.0
    return weight


def _reported_before(observation: Observation, earlier: Iterable[Observation]) -> bool:
    for other in earlier:
        if observation.attempt:
            if other.attempt == observation.attempt:
                return True
        elif (
            other.registration == observation.registration
            and other.item == observation.item
            and other.provider != observation.provider
            and not other.attempt
        ):
            return True
    return False


def is_independent(observation: Observation, policy: MasteryPolicy) -> bool:
    """Whether it is unaided work of the learner alone, of a kind that may carry a claim."""
    if observation.kind in policy.supporting_only:
        return False
    conditions = observation.conditions
    return conditions is None or (
        conditions.assistance in ("", "none") and not conditions.modified and conditions.group_size <= 1
    )


def advance(
    belief: Belief,
    observation: Observation,
    earlier: Iterable[Observation],
    policy: MasteryPolicy,
    calibration: Calibration,
) -> Belief:
    """The belief after one more observation that was performed after all ``earlier`` ones. Unchanged if it weighs nothing.

    Constant time, but for the look through ``earlier`` where the observation names an attempt, a sitting or a stimulus.
    """
    weight = weigh(observation, earlier, policy)
    if weight <= 0.0:
        return belief
    item = calibration.items.get(observation.item, calibration.ordinary)
    variance = (
        belief.variance if belief.count == 0 else min(belief.variance + calibration.drift, calibration.prior_variance)
    )
    slope = item.discrimination / math.sqrt(1.0 + _PROBIT * variance * item.discrimination * item.discrimination)
    knows = _logistic(slope * (belief.mean - item.difficulty))
    reach = 1.0 - item.guess - item.slip
    expected = item.guess + reach * knows
    gradient = reach * slope * knows * (1.0 - knows)
    pull = weight * gradient / (expected * (1.0 - expected))
    variance = round(1.0 / (1.0 / variance + pull * gradient), DECIMALS)
    mean = round(belief.mean + variance * pull * (observation.score - expected), DECIMALS)
    own_work = is_independent(observation, policy)
    independent = belief.independent + own_work
    claimed_at, claimed_by = belief.claimed_at, belief.claimed_by
    if (
        claimed_at is None
        and independent >= policy.independent_evidence
        and mean - policy.confidence * math.sqrt(variance) >= policy.cut
    ):
        claimed_at, claimed_by = observation.performed_at, observation.id
    best, stalled = (mean, 0) if mean > belief.best else (belief.best, belief.stalled + own_work)
    if claimed_at is not None:
        stalled = 0
    conditions = observation.conditions
    return Belief(
        mean,
        variance,
        belief.count + 1,
        independent,
        claimed_at,
        claimed_by,
        best,
        stalled,
        observation.performed_at,
        "" if conditions is None else conditions.activity,
        observation.success,
    )


def fold(observations: Sequence[Observation], policy: MasteryPolicy, calibration: Calibration) -> Belief:
    """The belief after all ``observations``, which are in order of their ``place``."""
    belief = start(calibration)
    earlier: list[Observation] = []
    for observation in observations:
        belief = advance(belief, observation, earlier, policy, calibration)
        earlier.append(observation)
    return belief


def insert(observations: Sequence[Observation], observation: Observation) -> tuple[Observation, ...]:
    """The observations with one more, in order of place."""
    if not observations or observations[-1].place < observation.place:
        return (*observations, observation)
    ordered = list(observations)
    insort(ordered, observation, key=lambda each: each.place)
    return tuple(ordered)
