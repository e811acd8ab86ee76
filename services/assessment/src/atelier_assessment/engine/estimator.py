"""What a learner can do in one competency, as a belief with uncertainty: a left fold over evidence sorted by time performed.

The belief is a normal distribution over ability in logits. Each answer moves it by one step of a logistic Gaussian filter: the
expected answer is averaged over the uncertainty of ability (the probit approximation that rating systems with uncertainty use),
then mean and variance move along the gradient and the information of that answer, times its weight. Every step rounds to
``DECIMALS``, so a belief stored and continued equals the same evidence folded anew, to the byte.
"""

import math
from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass

from atelier_assessment.engine.calibration import Calibration
from atelier_assessment.engine.observation import Observation
from atelier_assessment.engine.policy import MasteryPolicy

DECIMALS = 9
SHOWN_DECIMALS = 6
_LATEST_BEFORE = 2
"""With one more a belief names three pieces of evidence; all of it can be asked for."""
_PROBIT = math.pi / 8.0
_LARGEST_LOGIT = 12.0


@dataclass(frozen=True, slots=True)
class Belief:
    """Ability in logits after ``count`` pieces of evidence that weighed something, ``independent`` of them the learner's own.

    ``claimed_at`` is when the work was performed that first met the policy, ``claimed_by`` that evidence; later work never unmakes
    it. ``stalled`` counts independent work since the mean was last as high as ``best``; 0 once claimed: the stuck clock reads it.
    ``performed_at``, ``activity`` and ``success`` are of the newest evidence that counted, ``latest`` the newest few of all that did,
    in order of time performed.
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
    latest: tuple[str, ...] = ()

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


def weigh(observation: Observation, earlier: Sequence[Observation], policy: MasteryPolicy) -> float:
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


def _reported_before(observation: Observation, earlier: Sequence[Observation]) -> bool:
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
    earlier: Sequence[Observation],
    policy: MasteryPolicy,
    calibration: Calibration,
) -> Belief:
    """The belief after one more observation, performed after all ``earlier`` ones. The same object if it weighs nothing.

    Constant time, but for the look through ``earlier`` where the observation names an attempt, a sitting or a stimulus.
    """
    ordinary = observation.conditions is None and not observation.attempt and not observation.registration
    history = (observation,) if ordinary else (*earlier, observation)
    return _continue(belief, history, len(history) - 1, policy, calibration)


def fold(observations: Sequence[Observation], policy: MasteryPolicy, calibration: Calibration) -> Belief:
    """The belief after all ``observations``, which are in order of their ``place``."""
    return _continue(start(calibration), observations, 0, policy, calibration)


def _continue(
    belief: Belief, history: Sequence[Observation], begin: int, policy: MasteryPolicy, calibration: Calibration
) -> Belief:
    """Fold ``history[begin:]`` onto the belief. One plain loop over local names, because late evidence folds a long history anew."""
    mean, variance, count, independent = belief.mean, belief.variance, belief.count, belief.independent
    claimed_at, claimed_by, best, stalled = belief.claimed_at, belief.claimed_by, belief.best, belief.stalled
    latest, newest = belief.latest, None
    kind_weights, supporting_only, enough = policy.kind_weights, policy.supporting_only, policy.independent_evidence
    items, ordinary, most = calibration.items, calibration.ordinary, calibration.prior_variance
    sqrt, exp, cut, confidence, drift = math.sqrt, math.exp, policy.cut, policy.confidence, calibration.drift
    for place in range(begin, len(history)):
        observation = history[place]
        if observation.conditions is None and not observation.attempt and not observation.registration:
            weight, own_work = kind_weights.get(observation.kind, 0.0), observation.kind not in supporting_only
        else:
            weight, own_work = weigh(observation, history[:place], policy), is_independent(observation, policy)
        if weight <= 0.0:
            continue
        item = items.get(observation.item, ordinary)
        if count:
            variance += drift
            if variance > most:
                variance = most
        discrimination = item.discrimination
        slope = discrimination / sqrt(1.0 + _PROBIT * variance * discrimination * discrimination)
        logit = slope * (mean - item.difficulty)
        if not -_LARGEST_LOGIT < logit < _LARGEST_LOGIT:
            logit = math.copysign(_LARGEST_LOGIT, logit)
        knows = 1.0 / (1.0 + exp(-logit))
        reach = 1.0 - item.guess - item.slip
        expected = item.guess + reach * knows
        gradient = reach * slope * knows * (1.0 - knows)
        pull = weight * gradient / (expected * (1.0 - expected))
        variance = round(1.0 / (1.0 / variance + pull * gradient), DECIMALS)
        mean = round(mean + variance * pull * (observation.score - expected), DECIMALS)
        count += 1
        independent += own_work
        if mean > best:
            best, stalled = mean, 0
        else:
            stalled += own_work
        if claimed_at is None and independent >= enough and mean - confidence * sqrt(variance) >= cut:
            claimed_at, claimed_by = observation.performed_at, observation.id
        newest = observation
        latest = (*latest[-_LATEST_BEFORE:], observation.id)
    if newest is None:
        return belief
    return Belief(
        mean,
        variance,
        count,
        independent,
        claimed_at,
        claimed_by,
        best,
        0 if claimed_at is not None else stalled,
        newest.performed_at,
        "" if newest.conditions is None else newest.conditions.activity,
        newest.success,
        latest,
    )


def insert(observations: Sequence[Observation], observation: Observation) -> tuple[Observation, ...]:
    """The observations with one more, in order of place."""
    if not observations or observations[-1].place < observation.place:
        return (*observations, observation)
    ordered = list(observations)
    insort(ordered, observation, key=lambda each: each.place)
    return tuple(ordered)
