"""A learner's request or objection on a placement, a plan or anything else, and its answer: always recorded, answered once."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, assert_never

from atelier_common.decider import Decider
from atelier_common.errors import InvalidInput, NotFound, RuleBroken

from atelier_profile.domain.registry import registry

KINDS = frozenset({"request", "objection"})
ANSWERS = frozenset({"granted", "partly-granted", "declined"})


@dataclass(frozen=True, slots=True)
class Subject:
    """What it is about: ``kind`` placement, plan, studio, goal, support or other, and the id of that thing ('' for other)."""

    kind: str
    id: str


@registry.event("RequestFiled")
@dataclass(frozen=True, slots=True)
class RequestFiled:
    """``text`` is sealed under the learner; ``filed_by`` is the learner's or a guardian's id."""

    request_id: str
    learner_id: str
    kind: str
    about: Subject
    text: str
    filed_by: str
    filed_at: int


@registry.event("RequestAnswered")
@dataclass(frozen=True, slots=True)
class RequestAnswered:
    """``text`` is sealed under the learner."""

    request_id: str
    learner_id: str
    answer: str
    text: str
    answered_by: str
    answered_at: int


RequestEvent = RequestFiled | RequestAnswered


@dataclass(frozen=True, slots=True)
class FileRequest:
    unhashed: ClassVar[tuple[str, ...]] = ("text",)
    request_id: str
    learner_id: str
    kind: str
    about: Subject
    text: str
    text_digest: str
    filed_by: str
    now: int


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    unhashed: ClassVar[tuple[str, ...]] = ("text",)
    request_id: str
    answer: str
    text: str
    text_digest: str
    answered_by: str
    now: int


RequestCommand = FileRequest | AnswerRequest


@dataclass(frozen=True, slots=True)
class NotFiled:
    """Nobody filed this."""


@dataclass(frozen=True, slots=True)
class Waiting:
    learner_id: str
    filed_by: str


@dataclass(frozen=True, slots=True)
class Answered:
    answer: str


RequestState = NotFiled | Waiting | Answered
SUBJECTS = frozenset({"placement", "plan", "studio", "goal", "support", "other"})


def decide(command: RequestCommand, state: RequestState) -> Sequence[RequestEvent]:
    match command:
        case FileRequest():
            return _filed(command, state)
        case AnswerRequest():
            return _answered(command, state)
        case _:
            assert_never(command)


def _filed(command: FileRequest, state: RequestState) -> Sequence[RequestEvent]:
    if not isinstance(state, NotFiled):
        raise RuleBroken(f"request {command.request_id} was filed before", rule="filed-once")
    if command.kind not in KINDS:
        raise InvalidInput("a learner files a request or an objection", field="kind", value=command.kind)
    if command.about.kind not in SUBJECTS or (command.about.kind != "other" and not command.about.id):
        raise InvalidInput(f"it is about one of {', '.join(sorted(SUBJECTS))}, by its id", field="about")
    if not command.text:
        raise InvalidInput("a request says what is asked for", field="text")
    filed = RequestFiled(
        command.request_id, command.learner_id, command.kind, command.about, command.text, command.filed_by, command.now
    )
    return [filed]


def _answered(command: AnswerRequest, state: RequestState) -> Sequence[RequestEvent]:
    match state:
        case NotFiled():
            raise NotFound(f"there is no request {command.request_id}")
        case Answered():
            raise RuleBroken(f"request {command.request_id} was answered before", rule="answered-once")
        case Waiting():
            if command.answer not in ANSWERS:
                raise InvalidInput(f"an answer is one of {', '.join(sorted(ANSWERS))}", field="answer")
            if not command.text:
                raise InvalidInput("an answer gives its reason", field="text")
            answered = RequestAnswered(
                command.request_id, state.learner_id, command.answer, command.text, command.answered_by, command.now
            )
            return [answered]
        case _:
            assert_never(state)


def evolve(_state: RequestState, event: RequestEvent) -> RequestState:
    match event:
        case RequestFiled():
            return Waiting(event.learner_id, event.filed_by)
        case RequestAnswered():
            return Answered(event.answer)
        case _:
            assert_never(event)


request: Decider[RequestCommand, RequestState, RequestEvent] = Decider(
    category="request", registry=registry, initial=NotFiled, decide=decide, evolve=evolve
)
