"""When a learner's mastery changed, their path in every adopted framework with that competency notes it."""

from collections.abc import Sequence

from atelier_common.commit import RecordedEvent
from atelier_common.reaction import Issue, React, Reaction

from atelier_pathing.contracts import MASTERY_CHANGED
from atelier_pathing.curriculum import Curriculum, Taught
from atelier_pathing.domain.path import path_key
from atelier_pathing.domain.path_commands import NoteMastery
from atelier_pathing.domain.path_events import NotedMastery
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
        gathered: dict[tuple[str, str, str], tuple[Taught, list[RecordedEvent]]] = {}
        for recorded in events:
            tenant = recorded.tenant
            if tenant not in adopted:
                adopted[tenant] = await curriculum.adopted(tenant)
            change = recorded.event
            for taught in adopted[tenant]:
                if change.competency_id in taught.graph.place:
                    slot = (tenant, change.learner_id, taught.framework.framework_id)
                    gathered.setdefault(slot, (taught, []))[1].append(recorded)
        return [
            _note(taught, learner_id, framework_id, causes)
            for (_, learner_id, framework_id), (taught, causes) in gathered.items()
        ]

    return react


def _note(taught: Taught, learner_id: str, framework_id: str, causes: list[RecordedEvent]) -> Issue:
    """One command for everything a batch says of one path: the path is revised once, not once for each answer."""
    latest: dict[str, NotedMastery] = {}
    for recorded in causes:
        said = noted(recorded.event, recorded.version)
        latest[said.competency_id] = said
    last = causes[-1]
    command = NoteMastery(last.recorded_at, learner_id, framework_id, last.id, tuple(latest.values()))
    return Issue(last, taught.decider, path_key(learner_id, framework_id), command, tuple(causes[:-1]))
