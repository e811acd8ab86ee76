"""What is remembered of what learners ask holds only for the very plan that took it in."""

from dataclasses import replace

from atelier_scheduling.engine.changes import Change, LearnerLeft, NeedsChanged
from atelier_scheduling.engine.needs import Focus, FocusKind, Need, Readiness
from atelier_scheduling.planning.asked import LastAsked


def needs(learner: str, step: str, estimate: float = 0.4) -> NeedsChanged:
    focus = Focus(FocusKind.COMPETENCY, step, "Numbers")
    return NeedsChanged(learner, (Need(f"{learner}:{step}", learner, focus, readiness=Readiness(estimate)),))


def anew(asked: LastAsked, digest: str, *changes: Change) -> list[Change]:
    return asked.anew("district", "school:2026-W38", digest, changes)


def repaired(asked: LastAsked, base: str, digest: str, *changes: Change, known: frozenset[str] | None = None) -> None:
    asked.note("district", "school:2026-W38", base, digest, changes, known)


def test_whoever_asks_for_the_same_with_more_known_of_them_is_left_out() -> None:
    asked = LastAsked()
    repaired(asked, "plan-1", "plan-2", needs("ann", "thirds"), needs("ben", "halves"))
    surer = needs("ann", "thirds", estimate=0.7)
    assert anew(asked, "plan-2", surer, needs("ben", "quarters")) == [needs("ben", "quarters")]


def test_it_still_holds_after_a_repair_for_somebody_else() -> None:
    asked = LastAsked()
    repaired(asked, "plan-1", "plan-2", needs("ann", "thirds"))
    repaired(asked, "plan-2", "plan-3", needs("ben", "halves"))
    assert anew(asked, "plan-3", needs("ann", "thirds")) == []


def test_nothing_is_left_out_of_what_is_asked_of_another_plan() -> None:
    asked = LastAsked()
    repaired(asked, "plan-1", "plan-2", needs("ann", "thirds"))
    assert anew(asked, "plan-1", needs("ann", "thirds")) == [needs("ann", "thirds")]
    repaired(asked, "planned-again", "plan-4", needs("ben", "halves"))
    assert anew(asked, "plan-4", needs("ann", "thirds")) == [needs("ann", "thirds")]


def test_a_step_that_waits_now_or_was_shown_is_something_else_to_ask() -> None:
    asked = LastAsked()
    repaired(asked, "plan-1", "plan-2", needs("ann", "thirds"))
    shown = replace(needs("ann", "thirds"), shown=("halves",))
    assert anew(asked, "plan-2", shown) == [shown]


def test_what_a_repair_did_not_take_in_is_asked_again() -> None:
    asked = LastAsked()
    repaired(asked, "plan-1", "plan-1", needs("ann", "thirds"), needs("ben", "halves"), known=frozenset({"ben"}))
    assert anew(asked, "plan-1", needs("ann", "thirds"), needs("ben", "halves")) == [needs("ann", "thirds")]


def test_of_whoever_left_nothing_is_known() -> None:
    asked = LastAsked()
    repaired(asked, "plan-1", "plan-2", needs("ann", "thirds"))
    repaired(asked, "plan-2", "plan-3", LearnerLeft("ann"))
    assert anew(asked, "plan-3", needs("ann", "thirds")) == [needs("ann", "thirds")]


def test_what_is_said_twice_of_a_learner_counts_as_it_was_said_last() -> None:
    asked = LastAsked()
    repaired(asked, "plan-1", "plan-2", needs("ann", "thirds"))
    said = (needs("ann", "quarters"), needs("ann", "thirds"))
    assert anew(asked, "plan-2", *said) == list(said)
