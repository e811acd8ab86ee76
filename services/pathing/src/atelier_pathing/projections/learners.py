"""Which learners there are, as far as profile has told; a learner who was erased is not."""

from collections.abc import Sequence

from atelier.profile.v1.events_pb2 import LearnerChanged, LearnerErased
from atelier_common.commit import RecordedEvent
from atelier_common.documents.port import Body
from atelier_common.projection import Projection, by_type

from atelier_pathing.contracts import LEARNER_CHANGED, LEARNER_ERASED

NAME = "learners"


def _keys(recorded: RecordedEvent) -> Sequence[str]:
    return (recorded.event.learner_id,)


def _changed(_document: Body | None, event: LearnerChanged, _recorded: RecordedEvent, _key: str) -> Body:
    return {"active": event.active, "site_ids": list(event.site_ids)}


def _erased(_document: Body | None, _event: LearnerErased, _recorded: RecordedEvent, _key: str) -> Body | None:
    return None


LEARNERS = Projection(
    name=NAME,
    version=1,
    keys=_keys,
    apply=by_type({LearnerChanged: _changed, LearnerErased: _erased}),
    types=frozenset({LEARNER_CHANGED, LEARNER_ERASED}),
)
