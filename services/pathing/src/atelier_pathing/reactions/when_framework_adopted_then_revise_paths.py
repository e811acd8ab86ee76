"""When a framework was adopted, or a person changed its gates, every learner's path in it is opened or revised."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from atelier.assessment.v1.events_pb2 import MasteryChanged
from atelier_common.commit import RecordedEvent
from atelier_common.eventstore.port import EventStore
from atelier_common.projection import ReadModel
from atelier_common.reaction import Issue, Reaction, each

from atelier_pathing.contracts import MASTERY_CHANGED
from atelier_pathing.curriculum import Curriculum
from atelier_pathing.domain.path import path_key
from atelier_pathing.domain.path_commands import OpenPath
from atelier_pathing.domain.path_events import NotedMastery
from atelier_pathing.domain.registry import REGISTRY
from atelier_pathing.engine.graph import Graph
from atelier_pathing.projections import framework_catalogue, learners
from atelier_pathing.reactions.mastery import noted

_MASTERY = "assessment/mastery/"


def reaction(curriculum: Curriculum, learner_model: ReadModel, store: EventStore) -> Reaction:
    async def react(recorded: RecordedEvent) -> Sequence[Issue]:
        framework_id = recorded.event.framework_id
        adopted = await curriculum.adopted(recorded.tenant)
        taught = next((one for one in adopted if one.framework.framework_id == framework_id), None)
        if taught is None:
            return []
        known = await _known_mastery(store, recorded.tenant, taught.graph)
        active = {key for key, learner in await learner_model.all(recorded.tenant) if learner["active"]}
        return [
            Issue(
                recorded,
                taught.decider,
                path_key(learner_id, framework_id),
                OpenPath(recorded.recorded_at, learner_id, framework_id, recorded.id, known.get(learner_id, ())),
            )
            for learner_id in sorted(active)
        ]

    return Reaction(
        name="when_framework_adopted_then_revise_paths",
        types=frozenset({"pathing.framework.adopted", "pathing.framework.prerequisite-marked"}),
        react=each(react),
        after=(framework_catalogue.NAME, learners.NAME),
    )


async def _known_mastery(store: EventStore, tenant: str, graph: Graph) -> Mapping[str, tuple[NotedMastery, ...]]:
    """What assessment has said so far about this graph's competencies, by learner: it stands in the own log."""
    found: dict[str, list[NotedMastery]] = defaultdict(list)
    after = ""
    while page := await store.list_streams(tenant, _MASTERY, after):
        for stream in page:
            learner_id, _, competency_id = stream.removeprefix(_MASTERY).partition(":")
            if competency_id not in graph.place:
                continue
            if latest := await _latest(store, tenant, stream):
                found[learner_id].append(noted(latest))
        after = page[-1]
    return {learner_id: tuple(changes) for learner_id, changes in found.items()}


async def _latest(store: EventStore, tenant: str, stream: str) -> MasteryChanged | None:
    for commit in reversed(await store.read_stream(tenant, stream)):
        for stored in reversed(commit.events):
            if stored.type == MASTERY_CHANGED:
                event = REGISTRY.decode(stored)
                assert isinstance(event, MasteryChanged)
                return event
    return None
