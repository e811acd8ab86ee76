"""What learners were last found to ask of a week's plan, so that a result by which nobody asks for anything else costs next to
nothing. It only saves time: what is not known here, the solver finds out.
"""

from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from atelier_scheduling.engine.changes import Change, LearnerChanged, LearnerLeft, NeedsChanged
from atelier_scheduling.engine.needs import what_is_asked

_PLANS_KEPT = 16
_Asked = tuple[Any, ...]


@dataclass(slots=True)
class _OfPlan:
    digest: str
    asked: dict[str, _Asked] = field(default_factory=dict)


class LastAsked:
    """By tenant and week; only for the plan whose digest was told last."""

    def __init__(self) -> None:
        self._plans: OrderedDict[tuple[str, str], _OfPlan] = OrderedDict()

    def anew(self, tenant: str, key: str, digest: str, changes: Sequence[Change]) -> list[Change]:
        """The changes without those by which a learner asks of the plan ``digest`` what its problem says already."""
        held = self._plans.get((tenant, key))
        if held is None or held.digest != digest:
            return list(changes)
        kept: list[Change] = []
        named: set[str] = set()
        for change in changes:
            if isinstance(change, NeedsChanged):
                if change.learner not in named and held.asked.get(change.learner) == _asked(change):
                    continue
                named.add(change.learner)
            kept.append(change)
        return kept

    def note(
        self, tenant: str, key: str, base: str, digest: str, changes: Sequence[Change], known: Collection[str] | None
    ) -> None:
        """The plan ``base`` was repaired to ``digest`` by these changes. ``known``: only what these learners ask is known to be what
        the problem says now (``None``: what everybody asks)."""
        held = self._plans.pop((tenant, key), None)
        if held is None or held.digest != base:
            held = _OfPlan(base)
        held.digest = digest
        for change in changes:
            match change:
                case NeedsChanged(learner, _) if known is None or learner in known:
                    held.asked[learner] = _asked(change)
                case NeedsChanged(learner, _) | LearnerLeft(learner):
                    held.asked.pop(learner, None)
                case LearnerChanged(learner, _):
                    held.asked.pop(learner.id, None)
                case _:
                    pass
        self._plans[(tenant, key)] = held
        while len(self._plans) > _PLANS_KEPT:
            self._plans.popitem(last=False)


def _asked(change: NeedsChanged) -> _Asked:
    return what_is_asked(change.needs), change.shown, change.later
