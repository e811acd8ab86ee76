"""When a learner is enrolled, they get a path in every adopted framework within the same moment: probes first."""

from collections.abc import Sequence

from atelier_common.commit import RecordedEvent
from atelier_common.reaction import Issue, Reaction, each

from atelier_pathing.contracts import LEARNER_CHANGED
from atelier_pathing.curriculum import Curriculum
from atelier_pathing.domain.path import path_key
from atelier_pathing.domain.path_commands import OpenPath
from atelier_pathing.projections import framework_catalogue


def reaction(curriculum: Curriculum) -> Reaction:
    async def react(recorded: RecordedEvent) -> Sequence[Issue]:
        learner = recorded.event
        if not learner.active:
            return []
        issues = []
        for taught in await curriculum.adopted(recorded.tenant):
            framework_id = taught.framework.framework_id
            command = OpenPath(recorded.recorded_at, learner.learner_id, framework_id, recorded.id)
            issues.append(Issue(recorded, taught.decider, path_key(learner.learner_id, framework_id), command))
        return issues

    return Reaction(
        name="when_learner_registered_then_open_path",
        types=frozenset({LEARNER_CHANGED}),
        react=each(react),
        after=(framework_catalogue.NAME,),
    )
