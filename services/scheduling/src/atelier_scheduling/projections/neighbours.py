"""What planning keeps of its neighbours' facts: the last state of each learner, adult, path and competency.

The contract message itself is kept, encoded, so that nothing a neighbour said is lost on the way to the problem.
"""

import base64
from collections.abc import Sequence
from typing import Any

from atelier.pathing.v1 import events_pb2 as pathing
from atelier.profile.v1 import events_pb2 as profile
from atelier_common.commit import RecordedEvent
from atelier_common.projection import Projection

LEARNER_CHANGED = "atelier.profile.learner.v1.changed"
LEARNER_ERASED = "atelier.profile.learner.v1.erased"
ADULT_CHANGED = "atelier.profile.adult.v1.changed"
PATH_REVISED = "atelier.pathing.path.v1.revised"
FRAMEWORK_LISTED = "atelier.pathing.framework.v1.listed"

SHOWN_FOR_MS = 21 * 24 * 3_600_000
"""So long a step counts as shown of late: longer than any week stays planned before it is over."""

Document = dict[str, Any]


def _encoded(message: Any) -> str:
    return base64.b64encode(message.SerializeToString(deterministic=True)).decode("ascii")


def learner_in(document: Document) -> profile.LearnerChanged:
    return profile.LearnerChanged.FromString(base64.b64decode(document["message"]))


def adult_in(document: Document) -> profile.AdultChanged:
    return profile.AdultChanged.FromString(base64.b64decode(document["message"]))


def paths_in(document: Document) -> tuple[pathing.PathRevised, ...]:
    """The learner's paths, by framework."""
    frameworks = document["frameworks"]
    return tuple(pathing.PathRevised.FromString(base64.b64decode(frameworks[name])) for name in sorted(frameworks))


def shown_in(document: Document) -> tuple[str, ...]:
    """What the learner has earned in the last weeks, in any framework."""
    return tuple(sorted({one for shown in document["shown"].values() for one in shown}))


def _learner_keys(recorded: RecordedEvent) -> Sequence[str]:
    return (recorded.event.learner_id,)


def _learner(document: Document | None, recorded: RecordedEvent, _key: str) -> Document | None:
    """``sites``: all where the learner was ever planned, since a site has to hear that somebody went to another one."""
    message = recorded.event
    if recorded.type == LEARNER_ERASED:
        return None
    site = message.site_ids[0] if message.site_ids else ""
    return {
        "site": site,
        "sites": sorted({*(document["sites"] if document else ()), *([site] if site else ())}),
        "active": message.active,
        "message": _encoded(message),
        "position": recorded.position,
    }


LEARNERS = Projection(
    "learners_of_site", 2, _learner_keys, _learner, ("site",), frozenset({LEARNER_CHANGED, LEARNER_ERASED})
)


def _adult_keys(recorded: RecordedEvent) -> Sequence[str]:
    return (recorded.event.adult_id,)


def _adult(_document: Document | None, recorded: RecordedEvent, _key: str) -> Document | None:
    message = recorded.event
    return {"active": message.active, "message": _encoded(message), "position": recorded.position}


ADULTS = Projection("adults", 1, _adult_keys, _adult, (), frozenset({ADULT_CHANGED}))


def _path(document: Document | None, recorded: RecordedEvent, _key: str) -> Document | None:
    if recorded.type == LEARNER_ERASED:
        return None
    held = document or {"frameworks": {}, "shown": {}}
    message = recorded.event
    name = message.framework_id
    return {
        "frameworks": {**held["frameworks"], name: _encoded(message)},
        "shown": {**held["shown"], name: _shown(held["shown"].get(name, {}), message)},
        "position": recorded.position,
    }


def _shown(before: dict[str, int], message: pathing.PathRevised) -> dict[str, int]:
    """When each competency was shown, of late. What comes back in the frontier is not shown any more."""
    shown = {**before, **dict.fromkeys(message.earned_now, message.revised_at_ms)}
    open_again = {*message.no_longer_earned, *(entry.competency_id for entry in message.frontier)}
    return {
        name: at for name, at in shown.items() if name not in open_again and at + SHOWN_FOR_MS > message.revised_at_ms
    }


PATHS = Projection("path_of_learner", 2, _learner_keys, _path, (), frozenset({PATH_REVISED, LEARNER_ERASED}))


def _competency_keys(recorded: RecordedEvent) -> Sequence[str]:
    listed = recorded.event
    return tuple(
        dict.fromkeys(
            (
                *(one.competency_id for one in listed.competencies),
                *(edge.to_id for edge in listed.prerequisites if edge.essential),
            )
        )
    )


def _competency(document: Document | None, recorded: RecordedEvent, key: str) -> Document | None:
    """A chunk may bring a competency's words, its essential prerequisites, or both; another package starts anew."""
    listed = recorded.event
    held = document or {}
    if held.get("package") != listed.package_digest:
        held = {
            "package": listed.package_digest,
            "essential": [],
            "statement": held.get("statement", ""),
            "subject": "",
        }
    words = next((one for one in listed.competencies if one.competency_id == key), None)
    essential = {edge.from_id for edge in listed.prerequisites if edge.essential and edge.to_id == key}
    return {
        "package": listed.package_digest,
        "framework": listed.framework_id,
        "statement": words.statement if words else held["statement"],
        "subject": words.subject if words else held["subject"],
        "essential": sorted({*held["essential"], *essential}),
    }


COMPETENCIES = Projection("competencies", 1, _competency_keys, _competency, (), frozenset({FRAMEWORK_LISTED}))
