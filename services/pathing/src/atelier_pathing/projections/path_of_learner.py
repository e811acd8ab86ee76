"""Where a learner's path stands: the frontier as last published, and how many revisions came from whom, for what."""

from atelier_common.commit import RecordedEvent
from atelier_common.documents.port import Body
from atelier_common.projection import Projection, by_stream_key, by_type

from atelier_pathing.domain.path_events import PathForgotten, PathRevised

NAME = "path_of_learner"


def _revised(document: Body | None, event: PathRevised, recorded: RecordedEvent, _key: str) -> Body:
    before = document or {"by_tag": {}, "by_author": {}, "last_edit": None}
    edit = {"author": event.author, "author_role": event.author_role, "tag": event.tag, "at": event.at}
    return {
        "learner_id": event.learner_id,
        "framework_id": event.framework_id,
        "revision": event.revision,
        "author": event.author,
        "author_role": event.author_role,
        "tag": event.tag,
        "reason": event.reason,
        "frontier": [
            {"competency_id": step.competency_id, "subject": step.subject, "state": step.state}
            | ({} if step.estimate is None else {"estimate": step.estimate, "uncertainty": step.uncertainty})
            for step in event.frontier
        ],
        "earned_count": event.earned_count,
        "by_tag": _counted(before["by_tag"], event.tag),
        "by_author": _counted(before["by_author"], event.author_role),
        "last_edit": before["last_edit"] if event.author_role == "engine" else {**edit, "reason": event.reason},
        "revised_at": event.at,
        "version": recorded.version,
    }


def _counted(counts: dict[str, int], key: str) -> dict[str, int]:
    return {**counts, key: counts.get(key, 0) + 1}


def _forgotten(_document: Body | None, _event: PathForgotten, _recorded: RecordedEvent, _key: str) -> Body | None:
    return None


PATH_OF_LEARNER = Projection(
    name=NAME,
    version=1,
    keys=by_stream_key,
    apply=by_type({PathRevised: _revised, PathForgotten: _forgotten}),
    types=frozenset({"pathing.path.revised", "pathing.path.forgotten"}),
)
