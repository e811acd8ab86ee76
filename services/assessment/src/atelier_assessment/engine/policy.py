"""A mastery policy: how much each kind of evidence weighs and when a competency counts as earned."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

KINDS = (
    "item",
    "adaptive-item",
    "rubric",
    "observation",
    "portfolio",
    "presentation",
    "external",
    "activity",
    "ai-feedback",
)
ASSISTANCE = ("none", "hint", "adult", "group")


def _kind_weights() -> dict[str, float]:
    return {
        "item": 1.0,
        "adaptive-item": 1.0,
        "rubric": 1.5,
        "observation": 1.0,
        "portfolio": 1.5,
        "presentation": 1.5,
        "external": 1.0,
        "activity": 0.75,
        "ai-feedback": 0.25,
    }


def _assistance_weights() -> dict[str, float]:
    return {"none": 1.0, "hint": 0.5, "adult": 0.25, "group": 0.25}


@dataclass(frozen=True)
class MasteryPolicy:
    """Rules that turn evidence into a claim; a new version is a new value, never a change of this one.

    Earned means: the probability of an unaided success on an ordinary item is at least ``level``, by ``confidence`` standard
    deviations of the belief, after at least ``independent_evidence`` pieces of unaided, unmodified work of one's own of a kind
    that may carry a claim. Modified work weighs nothing here: it supports claims of its own framework only. ``group_weight``
    multiplies a group's product; ``same_stimulus_weight`` multiplies the second and later answers to one stimulus, because they
    are not independent.
    """

    name: str = "estimate"
    version: int = 1
    level: float = 0.7
    confidence: float = 1.0
    independent_evidence: int = 3
    kind_weights: Mapping[str, float] = field(default_factory=_kind_weights)
    assistance_weights: Mapping[str, float] = field(default_factory=_assistance_weights)
    group_weight: float = 0.5
    same_stimulus_weight: float = 0.5
    supporting_only: frozenset[str] = frozenset({"ai-feedback"})

    @property
    def cut(self) -> float:
        """``level`` on the scale of the belief (log odds)."""
        return math.log(self.level / (1.0 - self.level))


DEFAULT_POLICY = MasteryPolicy()
