"""A week's plan: proposed, repaired, published, superseded, refused."""

from dataclasses import replace

import pytest
from atelier_common.errors import ConcurrencyConflict, NotFound, RuleBroken
from atelier_common.testing.spec import Specification
from atelier_scheduling.domain.plan import (
    PLAN,
    Cut,
    Figures,
    Moved,
    PlanProposed,
    PlanPublished,
    PlanRefused,
    PlanSuperseded,
    ProposePlan,
    PublishPlan,
    RefusePlan,
)

A_WEEK = Specification(PLAN)
MOVES = (Moved("lrn_a", True, "absence", 2),)
FIGURES = Figures(learners=12, adults=3, sessions=20, score=1.5)


def proposing(name: str, base: str = "", **more: object) -> ProposePlan:
    """A whole plan, or a repair of ``base``."""
    command = ProposePlan(
        f"plan-{name}",
        f"digest-{name}",
        f"digest-{base}" if base else "",
        "problem",
        "changes" if base else "",
        "path" if base else "request",
        "engine-1",
        3,
        1,
        MOVES,
        FIGURES,
        (Cut("log", 7),),
        ("event-1",),
        True,
        (),
        now=10,
    )
    return replace(command, **more)  # type: ignore[arg-type]  # names of fields, given by tests


def proposed(name: str, previous: str = "", base: str = "", **more: object) -> PlanProposed:
    asked = proposing(name, base)
    event = PlanProposed(
        asked.plan_id,
        asked.plan_digest,
        asked.base_digest,
        asked.problem_digest,
        asked.changes_digest,
        f"plan-{previous}" if previous else "",
        asked.reason,
        asked.engine,
        asked.seed,
        asked.effort,
        asked.moves,
        asked.figures,
        asked.cut,
        asked.causes,
        True,
        (),
        10,
    )
    return replace(event, **more)  # type: ignore[arg-type]  # names of fields, given by tests


def published(name: str, previous: str = "", **more: object) -> PlanPublished:
    before = f"plan-{previous}" if previous else ""
    event = PlanPublished(f"plan-{name}", f"digest-{name}", before, "principal-1", False, "", MOVES, FIGURES, 20)
    return replace(event, **more)  # type: ignore[arg-type]  # names of fields, given by tests


PUBLISH = PublishPlan("", "principal-1", False, False, now=20)


def test_the_first_plan_of_a_week_is_proposed() -> None:
    A_WEEK.when(proposing("a")).then(proposed("a"))


def test_another_proposal_supersedes_the_one_that_waits() -> None:
    A_WEEK.given(proposed("a")).when(proposing("b")).then(
        proposed("b", "a"), PlanSuperseded("plan-a", "plan-b", "request", 10)
    )


def test_the_same_plan_again_changes_nothing_whether_it_waits_or_holds() -> None:
    A_WEEK.given(proposed("a")).when(proposing("a")).then_nothing()
    A_WEEK.given(proposed("a"), published("a")).when(proposing("a")).then_nothing()


def test_a_repair_of_the_newest_plan_supersedes_it() -> None:
    A_WEEK.given(proposed("a")).when(proposing("b", base="a")).then(
        proposed("b", "a", base="a"), PlanSuperseded("plan-a", "plan-b", "path", 10)
    )


def test_a_repair_of_the_published_plan_waits_beside_it() -> None:
    A_WEEK.given(proposed("a"), published("a")).when(proposing("b", base="a")).then(proposed("b", "a", base="a"))


@pytest.mark.parametrize("history", [(), (proposed("a"), proposed("b", "a")), (proposed("b"), published("b"))])
def test_a_repair_of_a_plan_that_is_not_the_newest_has_to_be_made_again(history: tuple[object, ...]) -> None:
    A_WEEK.given(*history).when(proposing("c", base="a")).refused(ConcurrencyConflict)


def test_the_proposal_is_published() -> None:
    A_WEEK.given(proposed("a")).when(PUBLISH).then(published("a"))


def test_a_new_publication_supersedes_the_plan_that_held() -> None:
    history = (proposed("a"), published("a"), proposed("b", "a", base="a"))
    A_WEEK.given(*history).when(PUBLISH).then(published("b", "a"), PlanSuperseded("plan-a", "plan-b", "path", 20))


def test_publishing_the_plan_that_holds_changes_nothing() -> None:
    history = A_WEEK.given(proposed("a"), published("a"))
    history.when(replace(PUBLISH, plan_id="plan-a")).then_nothing()


def test_where_nothing_waits_nothing_is_published() -> None:
    A_WEEK.when(PUBLISH).refused(NotFound)
    A_WEEK.given(proposed("a"), published("a")).when(PUBLISH).refused(NotFound)


def test_a_superseded_plan_is_not_published_and_the_answer_names_its_successor() -> None:
    history = A_WEEK.given(proposed("a"), proposed("b", "a"))
    history.when(replace(PUBLISH, plan_id="plan-a")).refused(RuleBroken, plan_id="plan-b")


def test_an_unsafe_plan_is_never_published_not_even_with_acknowledgement() -> None:
    history = A_WEEK.given(proposed("a", safe=False, violations=("supervision: nobody in the hall",)))
    error = history.when(replace(PUBLISH, acknowledges_owed=True)).refused(
        RuleBroken, violations=["supervision: nobody in the hall"]
    )
    assert "nobody in the hall" in error.detail


def test_what_is_owed_is_acknowledged_by_a_person_or_nothing_is_published() -> None:
    owing = replace(FIGURES, obligations_owed=2)
    history = A_WEEK.given(proposed("a", figures=owing))
    history.when(PUBLISH).refused(RuleBroken, owed=2)
    history.when(replace(PUBLISH, acknowledges_owed=True)).then(
        published("a", figures=owing, owed_acknowledged_by="principal-1")
    )


def test_nobody_is_said_to_acknowledge_what_is_not_owed() -> None:
    A_WEEK.given(proposed("a")).when(replace(PUBLISH, acknowledges_owed=True)).then(published("a"))


def test_a_refusal_is_an_event_with_its_reasons_and_leaves_the_proposal_waiting() -> None:
    refused = PlanRefused("problem", ("supervision: nobody is there",), "forced", 15)
    history = A_WEEK.given(proposed("a"))
    history.when(RefusePlan("problem", ("supervision: nobody is there",), "forced", now=15)).then(refused)
    history.given(refused).when(PUBLISH).then(published("a"))


def test_the_answer_names_the_plan_and_says_whether_anything_changed() -> None:
    state = A_WEEK.given(proposed("a")).when(proposing("a")).state
    assert PLAN.result(proposing("a"), (), state) == {"plan_id": "plan-a", "changed": False}
