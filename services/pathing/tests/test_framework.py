"""A framework as sentences."""

from typing import Any

import pytest
from atelier_common.errors import NotFound, RuleBroken
from atelier_pathing.domain.framework import (
    FRAMEWORK,
    AdoptFramework,
    FrameworkAdopted,
    FrameworkChunkListed,
    FrameworkImported,
    FrameworkState,
    ImportFramework,
    ListChunk,
    MarkPrerequisite,
    PrerequisiteMarked,
)


def imported(digest: str = "one", chunks: int = 2) -> ImportFramework:
    return ImportFramework(5, "f", digest, "urn:f", "Things", "1.1", ("part",), chunks, {"items": 2}, (), True, "adm")


def chunk(number: int, digest: str = "one", marks: int = 0) -> ListChunk:
    return ListChunk(5, "f", digest, "Things", number, marks, (), ())


def mark(essential: bool, exists: bool = True) -> MarkPrerequisite:
    return MarkPrerequisite(6, "f", "a", "b", essential, exists, "coach-1")


def after(*commands: Any) -> FrameworkState:
    state = FRAMEWORK.initial()
    for command in commands:
        for event in FRAMEWORK.decide(command, state):
            state = FRAMEWORK.evolve(state, event)
    return state


def when(state: FrameworkState, command: Any) -> list[type]:
    return [type(event) for event in FRAMEWORK.decide(command, state)]


def test_the_same_package_again_is_no_event_and_another_is_a_new_version() -> None:
    assert when(after(imported()), imported()) == []
    assert when(after(imported()), imported("two")) == [FrameworkImported]


def test_a_framework_is_adopted_only_when_wholly_listed() -> None:
    adopt = AdoptFramework(7, "f", "one", "adm")
    with pytest.raises(RuleBroken):
        when(after(imported(), chunk(0)), adopt)
    listed = after(imported(), chunk(0), chunk(1))
    assert when(listed, adopt) == [FrameworkAdopted]
    assert when(after(imported(), chunk(0), chunk(1), adopt), adopt) == []


def test_a_chunk_is_listed_once_and_again_only_when_marks_changed_it() -> None:
    state = after(imported(), chunk(0))
    assert when(state, chunk(0)) == []
    assert when(after(imported(), chunk(0), mark(True)), chunk(0, marks=1)) == [FrameworkChunkListed]


def test_a_chunk_of_a_version_that_is_gone_is_not_listed() -> None:
    assert when(after(imported(), imported("two")), chunk(0)) == []


def test_adopting_a_version_that_was_replaced_is_refused() -> None:
    with pytest.raises(RuleBroken):
        when(after(imported(), imported("two")), AdoptFramework(7, "f", "one", "adm"))


def test_a_person_marks_an_existing_order_only() -> None:
    assert when(after(imported()), mark(True)) == [PrerequisiteMarked]
    assert when(after(imported(), mark(True)), mark(True)) == []
    with pytest.raises(RuleBroken):
        when(after(imported()), mark(True, exists=False))
    with pytest.raises(NotFound):
        when(FRAMEWORK.initial(), mark(True))
