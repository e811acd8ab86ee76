"""A person's decision, and what is owed: given, standing, withdrawn; owed, acknowledged, met."""

from dataclasses import replace

import pytest
from atelier_common.errors import InvalidInput, NotFound, RuleBroken
from atelier_common.testing.spec import Specification
from atelier_scheduling.domain.obligation import (
    OBLIGATION,
    AcknowledgeOwing,
    NoteOwing,
    ObligationAcknowledged,
    ObligationOwed,
    Owing,
)
from atelier_scheduling.domain.override import (
    OVERRIDE,
    GiveOverride,
    NoteStanding,
    OverrideGiven,
    OverrideStood,
    OverrideWithdrawn,
    Standing,
    WithdrawOverride,
)

A_DECISION = Specification(OVERRIDE)
GIVE = GiveOverride("o-1", "school-1", "coach-1", "a calm morning", 100, 160, 500, "{}", now=60_000)
GIVEN = OverrideGiven("o-1", "school-1", "coach-1", "a calm morning", 100, 160, 500, "{}", 60_000)
SUSPENDED = OverrideStood(Standing.SUSPENDED, "seats", "plan-2", 7)


def test_a_decision_is_given_with_owner_reason_scope_and_expiry() -> None:
    A_DECISION.when(GIVE).then(GIVEN)
    A_DECISION.when(replace(GIVE, expires=None)).then(replace(GIVEN, expires=None))


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (replace(GIVE, reason="  "), "reason"),
        (replace(GIVE, scope_end=100), "scope"),
        (replace(GIVE, expires=1), "expires"),
    ],
)
def test_a_decision_says_why_for_when_and_until_when(wrong: GiveOverride, field: str) -> None:
    A_DECISION.when(wrong).refused(InvalidInput, field=field)


def test_a_decision_is_not_overwritten() -> None:
    A_DECISION.given(GIVEN).when(replace(GIVE, reason="another")).refused(RuleBroken)


def test_a_decision_is_withdrawn_once_by_a_named_person() -> None:
    gone = OverrideWithdrawn("coach-1", "not needed", 9)
    withdraw = WithdrawOverride("coach-1", "not needed", now=9)
    A_DECISION.given(GIVEN).when(withdraw).then(gone)
    A_DECISION.given(GIVEN, gone).when(withdraw).then_nothing()
    A_DECISION.when(withdraw).refused(NotFound)


def test_a_decision_that_facts_made_unlawful_is_suspended_and_comes_back() -> None:
    suspend = NoteStanding(Standing.SUSPENDED, "seats", "plan-2", now=7)
    A_DECISION.given(GIVEN).when(suspend).then(SUSPENDED)
    A_DECISION.given(GIVEN, SUSPENDED).when(suspend).then_nothing()
    A_DECISION.given(GIVEN, SUSPENDED).when(NoteStanding(Standing.GIVEN, "", "plan-3", now=8)).then(
        OverrideStood(Standing.GIVEN, "", "plan-3", 8)
    )


def test_a_decision_that_is_withdrawn_or_unknown_stands_nowhere() -> None:
    suspend = NoteStanding(Standing.SUSPENDED, "seats", "plan-2", now=7)
    A_DECISION.given(GIVEN, OverrideWithdrawn("coach-1", "", 6)).when(suspend).then_nothing()
    A_DECISION.when(suspend).then_nothing()


A_DEBT = Specification(OBLIGATION)
OWING = Owing("school-1", "b-1", "service-minutes", "lrn_a", "speech", "week 2026-W38", 30, 0, 30, "owed.nobody")
OWED = ObligationOwed(OWING, "plan-1", 5)
MET = replace(OWING, scheduled=30, owed=0, reason_code="")


def test_what_is_owed_is_noted_when_it_changes() -> None:
    A_DEBT.when(NoteOwing(OWING, "plan-1", now=5)).then(OWED)
    A_DEBT.given(OWED).when(NoteOwing(OWING, "plan-2", now=6)).then_nothing()
    A_DEBT.given(OWED).when(NoteOwing(MET, "plan-2", now=6)).then(ObligationOwed(MET, "plan-2", 6))


def test_what_was_never_owed_is_not_said_to_be_met() -> None:
    A_DEBT.when(NoteOwing(MET, "plan-1", now=5)).then_nothing()


def test_a_debt_is_acknowledged_once_by_each_person_and_anew_when_it_changes() -> None:
    acknowledged = ObligationAcknowledged("principal-1", 7)
    acknowledge = AcknowledgeOwing("principal-1", now=7)
    A_DEBT.given(OWED).when(acknowledge).then(acknowledged)
    A_DEBT.given(OWED, acknowledged).when(acknowledge).then_nothing()
    less = ObligationOwed(replace(OWING, scheduled=10, owed=20), "plan-2", 8)
    A_DEBT.given(OWED, acknowledged, less).when(acknowledge).then(acknowledged)
    A_DEBT.when(acknowledge).refused(NotFound)
