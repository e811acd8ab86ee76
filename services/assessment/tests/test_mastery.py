"""Mastery as a decider: arrival order never matters, late evidence corrects and says so, a person's award is sticky."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from atelier_assessment.domain.mastery import (
    AwardMastery,
    CountEvidence,
    Mastery,
    Reestimate,
    Rules,
    WithdrawAward,
    WithdrawEvidence,
    mastery,
)
from atelier_assessment.domain.mastery_events import (
    AwardWithdrawn,
    EarnedCorrected,
    EvidenceSetAside,
    EvidenceWithdrawn,
    MasteryAwarded,
    MasteryMoved,
    MasteryReestimated,
)
from atelier_assessment.engine.observation import Conditions, Observation
from atelier_assessment.engine.policy import MasteryPolicy
from atelier_common.errors import InvalidInput, RuleBroken
from hypothesis import given, settings
from hypothesis import strategies as st

RULES = Rules()


def answer(place: int, score: float = 1.0, **more: Any) -> Observation:
    fields = {"kind": "item", "item": f"item-{place}", "provider": "partner", **more}
    return Observation(f"evidence-{place:03d}", place * 1000, 900_000 + place, score, **fields)


def count(observation: Observation, rules: Rules = RULES) -> CountEvidence:
    return CountEvidence(observation, rules, now=1_000_000)


def given_(*commands: Any) -> Mastery:
    state = mastery.initial()
    for command in commands:
        for event in mastery.decide(command, state):
            state = mastery.evolve(state, event)
    return state


def names(events: Sequence[Any]) -> list[str]:
    return [type(event).__name__ for event in events]


def test_evidence_moves_mastery_and_names_policy_and_calibration():
    (moved,) = mastery.decide(count(answer(1)), Mastery())
    assert isinstance(moved, MasteryMoved)
    assert not moved.corrected
    assert (moved.standing.policy, moved.standing.calibration) == (1, 1)
    assert moved.standing.estimate > 0.5


def test_the_same_evidence_is_counted_once():
    state = given_(count(answer(1)))
    assert mastery.decide(count(answer(1)), state) == ()


def test_late_evidence_corrects_and_says_so():
    state = given_(count(answer(5)))
    (moved,) = mastery.decide(count(answer(1, 0.0)), state)
    assert isinstance(moved, MasteryMoved)
    assert moved.corrected


def test_the_newest_evidence_that_counts_is_named_in_order_of_time_performed_whatever_came_first():
    set_aside = answer(9, attempt="again")
    state = given_(*map(count, [answer(5), answer(2, attempt="again"), answer(1), answer(8), answer(4), set_aside]))
    assert state.standing is not None
    assert state.standing.belief.latest == ("evidence-004", "evidence-005", "evidence-008")
    state = given_(*map(count, [answer(5), answer(4)]), WithdrawEvidence("evidence-005", "void", RULES, 1_000_000))
    assert state.standing is not None
    assert state.standing.belief.latest == ("evidence-004",)


def test_late_evidence_that_unmakes_a_claim_is_an_event_of_its_own():
    right = [answer(place) for place in range(20, 25)]
    state = given_(*map(count, right))
    assert state.standing is not None
    assert state.standing.earned_at == 24_000
    events = mastery.decide(count(answer(1, 0.0)), state)
    assert names(events) == ["MasteryMoved", "EarnedCorrected"]
    assert events[1] == EarnedCorrected("evidence-001", 24_000, None)


def test_an_attempt_reported_twice_is_set_aside_but_kept():
    state = given_(count(answer(1, attempt="a", provider="one")))
    (aside,) = mastery.decide(count(answer(2, attempt="a", provider="two")), state)
    assert isinstance(aside, EvidenceSetAside)
    assert len(mastery.evolve(state, aside).observations) == 2


def test_voided_evidence_counts_no_more_even_if_it_comes_after_its_voiding():
    state = given_(count(answer(1)), count(answer(2)))
    (gone,) = mastery.decide(WithdrawEvidence("evidence-002", "voided", RULES, 5), state)
    assert isinstance(gone, EvidenceWithdrawn)
    assert gone.standing == given_(count(answer(1))).standing
    before = given_(WithdrawEvidence("evidence-003", "voided", RULES, 5))
    assert mastery.decide(count(answer(3)), before) == ()


def test_a_persons_award_is_sticky_whatever_evidence_follows():
    awarded = given_(count(answer(1)), AwardMastery("adu_coach", "exhibition before a panel", 1500, now=2000))
    later = given_(
        count(answer(1)),
        AwardMastery("adu_coach", "exhibition before a panel", 1500, now=2000),
        *(count(answer(place, 0.0)) for place in range(2, 20)),
    )
    assert awarded.standing is not None
    assert later.standing is not None
    assert (later.standing.earned, later.standing.earned_at) == (True, 1500)
    assert later.standing.estimate < awarded.standing.estimate


def test_an_award_names_its_giver_and_reason_and_only_a_person_takes_it_back():
    with pytest.raises(InvalidInput):
        mastery.decide(AwardMastery("adu_coach", " ", 1, now=2), Mastery())
    with pytest.raises(InvalidInput, match="future"):
        mastery.decide(AwardMastery("adu_coach", "why", 3, now=2), Mastery())
    state = given_(AwardMastery("adu_coach", "why", 1, now=2))
    with pytest.raises(RuleBroken):
        mastery.decide(AwardMastery("adu_other", "why", 1, now=2), state)
    (taken,) = mastery.decide(WithdrawAward("adu_coach", "mixed up two learners", 3), state)
    assert isinstance(taken, AwardWithdrawn)
    assert not taken.standing.earned


def test_an_award_without_any_evidence_is_possible():
    (awarded,) = mastery.decide(AwardMastery("adu_coach", "transfer credit", 1, now=2), Mastery())
    assert isinstance(awarded, MasteryAwarded)
    assert awarded.standing.earned_at == 1
    assert awarded.standing.belief.count == 0


def test_a_stricter_policy_takes_nothing_away_that_was_earned():
    strict = Rules(policy=MasteryPolicy(version=2, level=0.95))
    state = given_(*(count(answer(place)) for place in range(1, 8)))
    (changed,) = mastery.decide(Reestimate(2, 1, strict, 5), state)
    assert isinstance(changed, MasteryReestimated)
    assert changed.standing.policy == 2
    assert changed.standing.belief.claimed_at is None
    assert changed.standing.earned_at == 5000
    after = mastery.evolve(state, changed)
    assert mastery.decide(Reestimate(2, 1, strict, 5), after) == ()
    (_moved,) = mastery.decide(count(answer(0, 0.0), strict), after)
    assert _moved.standing.earned_at == 5000


def test_evidence_under_new_rules_brings_the_state_under_them_first():
    state = given_(count(answer(1)))
    events = mastery.decide(count(answer(2), Rules(policy=MasteryPolicy(version=2))), state)
    assert names(events) == ["MasteryReestimated", "MasteryMoved"]


conditions = st.none() | st.builds(
    Conditions,
    assistance=st.sampled_from(["", "none", "hint", "adult"]),
    modified=st.booleans(),
    group_size=st.sampled_from([0, 3]),
    stimulus=st.sampled_from(["", "passage"]),
    activity=st.sampled_from(["", "lab"]),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Observation]:
    size = draw(st.integers(1, 14))
    return [
        Observation(
            id=f"evidence-{place:03d}",
            performed_at=draw(st.integers(0, 6)) * 1000,
            recorded_at=0,
            score=draw(st.sampled_from([0.0, 0.25, 0.5, 1.0])),
            kind=draw(st.sampled_from(["item", "rubric", "observation", "ai-feedback"])),
            item=draw(st.sampled_from(["q1", "q2"])),
            provider=draw(st.sampled_from(["one", "two"])),
            attempt=draw(st.sampled_from(["", "", "a", "b"])),
            registration=draw(st.sampled_from(["", "sitting"])),
            success=draw(st.sampled_from([None, True, False])),
            conditions=draw(conditions),
        )
        for place in range(size)
    ]


@settings(max_examples=150, deadline=None)
@given(histories(), st.randoms(use_true_random=False), st.integers(0, 3))
def test_any_order_of_arrival_gives_the_same_mastery(history: list[Observation], shuffle: random.Random, voided: int):
    void = [WithdrawEvidence(each.id, "voided", RULES, 9) for each in history[:voided]]
    one = given_(*map(count, history), *void)
    commands: list[Any] = [*map(count, history), *void]
    shuffle.shuffle(commands)
    other = given_(*commands)
    assert other.observations == one.observations
    assert other.standing == one.standing


@settings(max_examples=60, deadline=None)
@given(histories())
def test_stored_events_read_back_give_the_same_state(history: list[Observation]):
    state = read = mastery.initial()
    for observation in history:
        for event in mastery.decide(count(observation), state):
            state = mastery.evolve(state, event)
            stored = mastery.registry.encode(event)
            read = mastery.evolve(read, mastery.registry.decode(replace(stored, value=None)))
    assert read == state
