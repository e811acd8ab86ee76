"""The estimator: true to its reading of probability, and blind to the order in which evidence arrives."""

import math

import pytest
from atelier_assessment.engine.calibration import DEFAULT_CALIBRATION, Calibration, ItemParameters
from atelier_assessment.engine.estimator import Belief, advance, fold, insert, start, weigh
from atelier_assessment.engine.observation import Conditions, Observation
from atelier_assessment.engine.policy import DEFAULT_POLICY


def answer(place: int, score: float = 1.0, **more: object) -> Observation:
    fields = {"kind": "item", "item": f"item-{place}", "provider": "partner", **more}
    return Observation(f"evidence-{place:03d}", place * 1000, place * 1000, score, **fields)  # type: ignore[arg-type]  # keyword bundle


def belief_after(*observations: Observation) -> Belief:
    return fold(observations, DEFAULT_POLICY, DEFAULT_CALIBRATION)


def test_nothing_is_known_before_any_evidence():
    belief = start(DEFAULT_CALIBRATION)
    assert belief.estimate == 0.5
    assert belief.uncertainty > 0.25


def test_right_answers_raise_the_estimate_and_every_answer_lowers_the_uncertainty():
    before = start(DEFAULT_CALIBRATION)
    right = belief_after(answer(1))
    wrong = belief_after(answer(1, 0.0))
    assert wrong.estimate < before.estimate < right.estimate
    assert right.variance < before.variance
    assert wrong.variance < before.variance


def test_a_half_right_answer_moves_less_than_a_right_one():
    assert belief_after(answer(1, 0.0)).mean < belief_after(answer(1, 0.5)).mean < belief_after(answer(1)).mean


def test_a_hard_item_answered_right_says_more_than_an_easy_one():
    items = {"easy": ItemParameters(difficulty=-2.0), "hard": ItemParameters(difficulty=2.0)}
    calibration = Calibration(items=items)
    easy = fold([answer(1, item="easy")], DEFAULT_POLICY, calibration)
    hard = fold([answer(1, item="hard")], DEFAULT_POLICY, calibration)
    assert hard.mean > easy.mean


def test_help_weighs_less_and_modified_work_weighs_nothing():
    ordinary = belief_after(answer(1))
    helped = belief_after(answer(1, conditions=Conditions(assistance="adult")))
    modified = belief_after(answer(1, conditions=Conditions(modified=True)))
    assert start(DEFAULT_CALIBRATION).mean < helped.mean < ordinary.mean
    assert modified == start(DEFAULT_CALIBRATION)


def test_a_groups_product_alone_never_earns_anything():
    together = Conditions(group_size=4)
    belief = belief_after(*(answer(place, kind="rubric", conditions=together) for place in range(1, 40)))
    assert belief.claimed_at is None
    assert belief.independent == 0


def test_feedback_written_by_a_machine_alone_never_earns_anything():
    assert belief_after(*(answer(place, kind="ai-feedback") for place in range(1, 60))).claimed_at is None


def test_unaided_right_answers_earn_it_at_the_moment_the_policy_is_met_and_later_slips_do_not_unmake_it():
    right = [answer(place) for place in range(1, 9)]
    claimed = [belief_after(*right[:count]).claimed_at for count in range(1, 9)]
    assert claimed == [None] * 4 + [5000] * 4
    slipped = belief_after(*right, *(answer(place, 0.0) for place in range(20, 40)))
    assert slipped.claimed_at == 5000
    assert slipped.estimate < 0.5


def test_one_attempt_reported_by_two_providers_counts_once():
    first = answer(1, attempt="attempt-1", provider="reader")
    second = answer(2, attempt="attempt-1", provider="school-lms")
    assert belief_after(first, second) == belief_after(first)


def test_one_item_of_one_sitting_from_two_providers_counts_once_but_a_second_try_at_the_same_provider_counts():
    first = answer(1, item="q", registration="sitting-1", provider="reader")
    relayed = answer(2, item="q", registration="sitting-1", provider="school-lms")
    again = answer(3, item="q", registration="sitting-1", provider="reader")
    assert belief_after(first, relayed).count == 1
    assert belief_after(first, again).count == 2


def test_answers_to_one_stimulus_are_not_taken_as_independent():
    passage = Conditions(stimulus="passage-7")
    first, second = answer(1, conditions=passage), answer(2, conditions=passage)
    assert weigh(second, [first], DEFAULT_POLICY) == 0.5 * weigh(first, [], DEFAULT_POLICY)


def test_work_without_progress_is_counted_for_the_stuck_clock():
    stuck = belief_after(answer(1), *(answer(place, 0.0) for place in range(2, 7)))
    assert stuck.stalled == 5
    assert belief_after(*(answer(place) for place in range(1, 8))).stalled == 0


def test_continuing_a_stored_belief_equals_folding_anew():
    history = tuple(answer(place, float(place % 3 > 0)) for place in range(1, 60))
    belief = start(DEFAULT_CALIBRATION)
    for place, observation in enumerate(history):
        belief = advance(belief, observation, history[:place], DEFAULT_POLICY, DEFAULT_CALIBRATION)
        assert belief == fold(history[: place + 1], DEFAULT_POLICY, DEFAULT_CALIBRATION)


def test_late_evidence_is_put_where_it_was_performed():
    early, middle, late = answer(1), answer(2), answer(3)
    assert insert((early, late), middle) == (early, middle, late)
    assert insert((early, middle), late) == (early, middle, late)


@pytest.mark.parametrize("score", [0.0, 0.5, 1.0])
def test_numbers_stay_finite_and_in_range_however_long_it_goes(score: float):
    belief = belief_after(*(answer(place, score) for place in range(1, 2000)))
    assert math.isfinite(belief.mean)
    assert 0.0 < belief.variance <= DEFAULT_CALIBRATION.prior_variance
    assert 0.0 <= belief.estimate <= 1.0
