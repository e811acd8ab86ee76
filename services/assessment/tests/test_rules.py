"""Policy, calibration and providers as deciders: versions, people who answer for them, and what can never be met."""

from dataclasses import replace

import pytest
from atelier_assessment.domain.provider import ProviderRegistered, RegisterProvider, provider
from atelier_assessment.domain.rules import (
    AdoptCalibration,
    AdoptPolicy,
    CalibrationAdopted,
    PolicyAdopted,
    calibration,
    policy,
)
from atelier_assessment.engine.calibration import DEFAULT_CALIBRATION, ItemParameters
from atelier_assessment.engine.policy import DEFAULT_POLICY
from atelier_common.errors import InvalidInput
from atelier_common.testing.spec import Specification

WHY = "agreed by the board"


def test_an_adopted_policy_is_the_next_version_and_names_who_adopted_it():
    strict = replace(DEFAULT_POLICY, level=0.8)
    Specification(policy).given().when(AdoptPolicy(strict, "admin-1", WHY, 5)).then(
        PolicyAdopted(replace(strict, version=2), "admin-1", WHY)
    )


def test_adopting_what_is_in_force_changes_nothing():
    Specification(policy).given().when(AdoptPolicy(DEFAULT_POLICY, "admin-1", WHY, 5)).then_nothing()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"level": 1.0}, "level"),
        ({"confidence": -1.0}, "confidence"),
        ({"independent_evidence": 0}, "independent_evidence"),
        ({"group_weight": 9.0}, "kind_weights"),
        ({"level": 0.999, "confidence": 4.0}, "level"),
        ({"kind_weights": {"rubric": 1.0}}, "level"),
    ],
)
def test_a_policy_that_makes_no_sense_or_can_never_be_met_is_refused(changes, field):
    wrong = replace(DEFAULT_POLICY, **changes)
    Specification(policy).given().when(AdoptPolicy(wrong, "admin-1", WHY, 5)).refused(InvalidInput, field=field)


def test_a_policy_is_adopted_by_a_person_with_a_reason():
    Specification(policy).given().when(AdoptPolicy(DEFAULT_POLICY, "admin-1", " ", 5)).refused(
        InvalidInput, field="reason"
    )


def test_a_calibration_is_adopted_beside_the_old_one():
    known = replace(DEFAULT_CALIBRATION, items={"item-1": ItemParameters(difficulty=1.5)})
    Specification(calibration).given().when(AdoptCalibration(known, "admin-1", WHY, 5)).then(
        CalibrationAdopted(replace(known, version=2), "admin-1", WHY)
    )


@pytest.mark.parametrize(
    ("item", "field"),
    [
        (ItemParameters(discrimination=0.0), "discrimination"),
        (ItemParameters(difficulty=50.0), "difficulty"),
        (ItemParameters(guess=0.6, slip=0.4), "guess"),
    ],
)
def test_item_parameters_out_of_range_are_refused_by_name(item, field):
    wrong = replace(DEFAULT_CALIBRATION, items={"item-1": item})
    command = AdoptCalibration(wrong, "admin-1", WHY, 5)
    Specification(calibration).given().when(command).refused(InvalidInput, field=field, item="item-1")


def test_a_provider_is_registered_once_and_may_be_bound_to_a_kind():
    command = RegisterProvider("Tutor that writes feedback", "ai-feedback", "admin-1", 5)
    registered = ProviderRegistered("Tutor that writes feedback", "ai-feedback", "admin-1")
    Specification(provider).given().when(command).then(registered)
    Specification(provider).given(registered).when(command).then_nothing()
    Specification(provider).given().when(replace(command, only_kind="magic")).refused(InvalidInput, field="only_kind")
    Specification(provider).given().when(replace(command, title=" ")).refused(InvalidInput, field="title")
