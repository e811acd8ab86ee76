"""Results as a school sees them: learners at work on a step until they have shown it, many of them at a time."""

import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from atelier_assessment.engine.calibration import DEFAULT_CALIBRATION
from atelier_assessment.engine.estimator import advance, fold
from atelier_assessment.engine.observation import Conditions, Observation
from atelier_assessment.engine.policy import DEFAULT_POLICY
from atelier_standalone.client import Client

Pair = tuple[str, str]
"""Learner and competency."""

AT_WORK = 40
"""So many pairs are worked on at a time: at 50 results a second a learner's results on a step come about a second apart."""
_FAR = 20


@dataclass(frozen=True)
class Turn:
    """A learner's work on a step: ``last`` of the successes that show it come while it is measured."""

    pair: Pair
    last: int


async def successes_missing(client: Client, pair: Pair) -> int:
    """How many more successes the step takes to be shown, by the policy in force and the evidence there is."""
    learner, competency = pair
    found = await client.get(f"/assessment/v1/learners/{learner}/mastery/{competency}/evidence")
    observations = tuple(_observation(one) for one in found["evidence"])
    belief = fold(observations, DEFAULT_POLICY, DEFAULT_CALIBRATION)
    latest = max((one.performed_at for one in observations), default=0)
    count = 0
    while belief.claimed_at is None and count < _FAR:
        count += 1
        success = Observation(f"result-{count}", latest + count, latest + count, 1.0, "item", "", "", success=True)
        belief = advance(belief, success, observations, DEFAULT_POLICY, DEFAULT_CALIBRATION)
        observations = (*observations, success)
    return count


def _observation(told: dict[str, Any]) -> Observation:
    return Observation(
        told["evidence_id"],
        told["performed_at_ms"],
        told["recorded_at_ms"],
        told["score"],
        told["kind"],
        told["item"],
        told["provider"],
        told["attempt_id"],
        told["registration"],
        told["success"],
        Conditions(**told["conditions"]) if told["conditions"] else None,
    )


def taken_up(missing: dict[Pair, int], lasts: Sequence[int], draw: random.Random) -> list[Turn]:
    """In which order the steps are worked on, those that lack the fewest successes first. ``lasts``: how many of its successes come
    while it is measured, for one step after another in turn."""
    ranked = sorted(missing)
    draw.shuffle(ranked)
    ranked.sort(key=missing.__getitem__)
    return [Turn(pair, min(missing[pair], last)) for pair, last in zip(ranked, cycle(lasts), strict=False)]


def successes(turns: list[Turn], count: int) -> Iterator[Pair]:
    """Whose success on what comes next, ``count`` times at most: ``AT_WORK`` of the turns at a time, one after the other."""
    waiting = deque(turns)
    at_work = deque((waiting.popleft(), 1) for _ in range(min(AT_WORK, len(waiting))))
    while at_work and count:
        turn, done = at_work.popleft()
        yield turn.pair
        count -= 1
        if done < turn.last:
            at_work.append((turn, done + 1))
        elif waiting:
            at_work.append((waiting.popleft(), 1))
