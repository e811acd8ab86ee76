"""When a learner's mastery changed, their path in every adopted framework with that competency notes it."""

from collections.abc import Sequence

from atelier_common.commit import RecordedEvent
from atelier_common.reaction import Issue, React, Reaction

from atelier_pathing.contracts import MASTERY_CHANGED
from atelier_pathing.curriculum import Curriculum, Taught
from atelier_pathing.domain.path import path_key
from atelier_pathing.domain.path_commands import NoteMastery
from atelier_pathing.projections import framework_catalogue
from atelier_pathing.reactions.mastery import noted


def reaction(curriculum: Curriculum) -> Reaction:
    return Reaction(
        name="when_mastery_changed_then_revise_path",
        types=frozenset({MASTERY_CHANGED}),
        react=_react(curriculum),
        after=(framework_catalogue.NAME,),
    )


def _react(curriculum: Curriculum) -> React:
    async def react(events: Sequence[RecordedEvent]) -> Sequence[Issue]:
        adopted: dict[str, list[Taught]] = {}
        issues: list[Issue] = []
        for recorded in events:
            tenant = recorded.tenant
            if tenant not in adopted:
                adopted[tenant] = await curriculum.adopted(tenant)
            change = recorded.event
            for taught in adopted[tenant]:
                if change.competency_id not in taught.graph.place:
                    continue
                framework_id = taught.framework.framework_id
                command = NoteMastery(
                    recorded.recorded_at, change.learner_id, framework_id, recorded.id, (noted(change),)
                )
                issues.append(Issue(recorded, taught.decider, path_key(change.learner_id, framework_id), command))
        return issues

    return react
