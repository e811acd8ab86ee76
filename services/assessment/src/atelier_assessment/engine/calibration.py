"""A calibration: what is known about items and about learners in general, frozen under a version.

Nobody's mastery moves by another learner's answers, because answers never change a calibration: a new one is made beside it and
adopted by a person.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ItemParameters:
    """Four-parameter logistic item: ``discrimination`` per logit, ``difficulty`` in logits, chances of a guess and of a slip."""

    discrimination: float = 1.0
    difficulty: float = 0.0
    guess: float = 0.1
    slip: float = 0.05


@dataclass(frozen=True)
class Calibration:
    """Parameters by item id, ``ordinary`` for an item that is not in it.

    Before any evidence a learner's ability is normal with ``prior_mean`` and ``prior_variance`` (logits). Between two pieces of
    evidence the variance grows by ``drift``, never beyond the prior's: learners change, so recent work says more.
    """

    version: int = 1
    ordinary: ItemParameters = ItemParameters()
    items: Mapping[str, ItemParameters] = field(default_factory=dict)
    prior_mean: float = 0.0
    prior_variance: float = 4.0
    drift: float = 0.02


DEFAULT_CALIBRATION = Calibration()
