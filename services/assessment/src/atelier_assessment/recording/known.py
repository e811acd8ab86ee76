"""What this service knows of its neighbours' facts when evidence comes in: learners on a roster, competencies of a framework."""

import time
from collections.abc import Callable, Iterable, Sequence

from atelier_common.projection import ReadModel

from atelier_assessment.domain.attempt import Resolution
from atelier_assessment.projections.competencies import name_of_target

_KEPT_SECONDS = 5.0


class Known:
    """Answers from the read models, and remembers what is known (never what is not) for a few seconds.

    An answer that is a moment too old does no harm: evidence parked for it is looked at again by the reaction that follows the
    log.
    """

    def __init__(
        self, learners: ReadModel, competencies: ReadModel, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._learners = learners
        self._competencies = competencies
        self._monotonic = monotonic
        self._emptied = monotonic()
        self._roster: set[tuple[str, str]] = set()
        self._names: dict[tuple[str, str], str] = {}

    async def resolve(self, tenant: str, named: Sequence[tuple[str, Sequence[str]]]) -> list[Resolution]:
        """What is known of each (learner id, targets), in order; at most two reads for all of them."""
        self._forget_old()
        roster = await self.on_roster(tenant, (learner for learner, _ in named))
        names = await self.competencies(tenant, (target for _, targets in named for target in targets))
        resolved = []
        for learner, targets in named:
            found = tuple(dict.fromkeys(names[target] for target in targets if target in names))
            unresolved = tuple(target for target in targets if target not in names)
            resolved.append(Resolution(found, unresolved, learner in roster))
        return resolved

    async def on_roster(self, tenant: str, learners: Iterable[str]) -> set[str]:
        asked = set(learners)
        missing = [learner for learner in asked if (tenant, learner) not in self._roster]
        if missing:
            documents = await self._learners.get_many(tenant, missing)
            self._roster.update((tenant, learner) for learner, body in documents.items() if not body.get("erased"))
        return {learner for learner in asked if (tenant, learner) in self._roster}

    async def is_erased(self, tenant: str, learner: str) -> bool:
        """Whether the learner was erased: then nothing derived of them is shown any more."""
        document = await self._learners.get(tenant, learner)
        return document is not None and bool(document.get("erased"))

    async def competencies(self, tenant: str, targets: Iterable[str]) -> dict[str, str]:
        """Target -> competency id, for those that are known."""
        asked = set(targets)
        missing = {target: name_of_target(target) for target in asked if (tenant, target) not in self._names}
        if missing:
            documents = await self._competencies.get_many(tenant, list(set(missing.values())))
            for target, name in missing.items():
                if name in documents:
                    self._names[tenant, target] = documents[name]["competency"]
        return {target: self._names[tenant, target] for target in asked if (tenant, target) in self._names}

    def _forget_old(self) -> None:
        if self._monotonic() - self._emptied > _KEPT_SECONDS:
            self.forget()

    def forget(self) -> None:
        """Ask the read models anew from here on."""
        self._emptied = self._monotonic()
        self._roster.clear()
        self._names.clear()
