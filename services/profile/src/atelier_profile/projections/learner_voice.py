"""What a learner said: goals, requests with their answers, reflections; texts still sealed."""

from typing import Any

from atelier_common.commit import RecordedEvent
from atelier_common.documents.port import Body
from atelier_common.projection import Projection, by_type

from atelier_profile.domain.goal import GoalClosed, GoalProgressLogged, GoalSet
from atelier_profile.domain.reflection import ReflectionWritten
from atelier_profile.domain.registry import registry
from atelier_profile.domain.request import RequestAnswered, RequestFiled
from atelier_profile.projections.plain import plain


def voice_key(category: str, id: str) -> str:
    return f"{category}/{id}"


def _goal_set(document: Body | None, event: GoalSet, recorded: RecordedEvent, _key: str) -> Body:
    return {
        "logged": 0.0,
        **(document or {}),
        "category": "goal",
        "learner": event.goal.learner_id,
        "id": event.goal_id,
        "goal": plain(event.goal),
        "outcome": None,
        "version": recorded.version,
    }


def _goal_logged(document: Body | None, event: GoalProgressLogged, recorded: RecordedEvent, _key: str) -> Body:
    return {**(document or {}), "logged": event.total, "version": recorded.version}


def _goal_closed(document: Body | None, event: GoalClosed, recorded: RecordedEvent, _key: str) -> Body:
    return {**(document or {}), "outcome": event.outcome, "version": recorded.version}


def _filed(_document: Body | None, event: RequestFiled, recorded: RecordedEvent, _key: str) -> Body:
    return {
        "category": "request",
        "learner": event.learner_id,
        "id": event.request_id,
        "state": "waiting",
        "waiting_since": event.filed_at,
        "request": plain(event),
        "answer": None,
        "version": recorded.version,
    }


def _answered(document: Body | None, event: RequestAnswered, recorded: RecordedEvent, _key: str) -> Body:
    held = {name: value for name, value in (document or {}).items() if name != "waiting_since"}
    return {**held, "state": "answered", "answer": plain(event), "version": recorded.version}


def _reflected(_document: Body | None, event: ReflectionWritten, recorded: RecordedEvent, _key: str) -> Body:
    return {
        "category": "reflection",
        "learner": event.learner_id,
        "id": event.reflection_id,
        "reflection": plain(event),
        "version": recorded.version,
    }


HANDLERS: dict[type, Any] = {
    GoalSet: _goal_set,
    GoalProgressLogged: _goal_logged,
    GoalClosed: _goal_closed,
    RequestFiled: _filed,
    RequestAnswered: _answered,
    ReflectionWritten: _reflected,
}

learner_voice = Projection(
    name="learner_voice",
    version=1,
    keys=lambda event: (event.stream,),
    apply=by_type(HANDLERS),
    indexes=("learner", "waiting_since"),
    types=frozenset(registry.name_of(event) for event in HANDLERS),
)
