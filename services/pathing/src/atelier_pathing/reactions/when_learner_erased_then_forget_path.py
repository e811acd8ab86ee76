"""When a learner was erased, every path of theirs is forgotten."""

from collections.abc import Sequence

from atelier_common.commit import RecordedEvent
from atelier_common.eventstore.port import EventStore
from atelier_common.reaction import Issue, Reaction, each

from atelier_pathing.contracts import LEARNER_ERASED
from atelier_pathing.domain.path import path_decider
from atelier_pathing.domain.path_commands import ForgetPath
from atelier_pathing.engine.graph import EMPTY


def reaction(store: EventStore) -> Reaction:
    decider = path_decider(EMPTY)

    async def react(recorded: RecordedEvent) -> Sequence[Issue]:
        streams = await store.list_streams(recorded.tenant, f"path/{recorded.event.learner_id}:")
        return [
            Issue(recorded, decider, stream.removeprefix("path/"), ForgetPath(recorded.recorded_at))
            for stream in streams
        ]

    return Reaction(name="when_learner_erased_then_forget_path", types=frozenset({LEARNER_ERASED}), react=each(react))
