"""What scheduling keeps of a learner's paths: the last of each framework, and which steps were shown of late."""

from typing import Any

import pytest
from atelier.pathing.v1 import events_pb2 as pathing
from atelier.profile.v1 import events_pb2 as profile
from atelier_common.commit import RecordedEvent
from atelier_scheduling.projections.neighbours import (
    LEARNER_ERASED,
    PATH_REVISED,
    PATHS,
    SHOWN_FOR_MS,
    paths_in,
    shown_in,
)

LEARNER = "learner-1"
BEGAN = 1_789_000_000_000


def recorded(type_: str, message: Any, position: int) -> RecordedEvent:
    stream = f"pathing/path/{LEARNER}"
    return RecordedEvent("i", "north", stream, position, 0, position, type_, message, BEGAN, "pathing", "", (), None)


def revised(*, at: int = BEGAN, framework: str = "framework-1", **said: list[Any]) -> pathing.PathRevised:
    return pathing.PathRevised(learner_id=LEARNER, framework_id=framework, revised_at_ms=at, **said)


def ready(*competencies: str) -> list[pathing.FrontierEntry]:
    return [pathing.FrontierEntry(competency_id=one, subject="Numbers") for one in competencies]


def after(*messages: Any) -> Any:
    """The learner's document after all of these."""
    document = None
    for position, message in enumerate(messages, 1):
        type_ = LEARNER_ERASED if isinstance(message, profile.LearnerErased) else PATH_REVISED
        event = recorded(type_, message, position)
        assert list(PATHS.keys(event)) == [LEARNER]
        document = PATHS.apply(document, event, LEARNER)
    return document


def test_a_step_that_was_earned_now_is_shown() -> None:
    document = after(revised(frontier=ready("a", "b")), revised(frontier=ready("b"), earned_now=["a"]))
    assert shown_in(document) == ("a",)
    (path,) = paths_in(document)
    assert [entry.competency_id for entry in path.frontier] == ["b"]


def test_a_step_stays_shown_while_the_path_goes_on() -> None:
    document = after(revised(earned_now=["a"]), revised(frontier=ready("b")), revised(earned_now=["b"]))
    assert shown_in(document) == ("a", "b")


@pytest.mark.parametrize("taken_back", [{"no_longer_earned": ["a"]}, {"frontier": ready("a")}])
def test_a_step_that_is_open_again_is_not_shown_any_more(taken_back: dict[str, Any]) -> None:
    assert shown_in(after(revised(earned_now=["a", "b"]), revised(**taken_back))) == ("b",)


def test_a_step_is_shown_of_late_for_so_long_and_no_longer() -> None:
    last = revised(at=BEGAN + SHOWN_FOR_MS - 1)
    over = revised(at=BEGAN + SHOWN_FOR_MS)
    assert shown_in(after(revised(earned_now=["a"]), last)) == ("a",)
    assert shown_in(after(revised(earned_now=["a"]), over)) == ()


def test_frameworks_are_kept_apart() -> None:
    document = after(
        revised(earned_now=["a"]),
        revised(framework="framework-2", earned_now=["b"], frontier=ready("c")),
        revised(no_longer_earned=["a", "b"]),
    )
    assert shown_in(document) == ("b",)
    assert [path.framework_id for path in paths_in(document)] == ["framework-1", "framework-2"]


def test_nothing_is_kept_of_who_was_erased() -> None:
    assert after(revised(earned_now=["a"]), profile.LearnerErased(learner_id=LEARNER)) is None


def test_documents_that_know_nothing_of_shown_steps_are_built_anew() -> None:
    # Version 1 kept no ``shown``: reading one of its documents as this version's would fail.
    assert PATHS.version == 2
    assert "shown" in after(revised())
