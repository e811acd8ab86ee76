"""An attempt as a decider: recorded or parked, never overwritten, never dropped."""

from dataclasses import replace

import pytest
from atelier_assessment.domain.attempt import (
    MapEvidence,
    RecordEvidence,
    Resolution,
    ResolveEvidence,
    StateVoiding,
    VoidEvidence,
    attempt,
)
from atelier_assessment.domain.attempt_events import (
    EvidenceMapped,
    EvidenceParked,
    EvidenceRecorded,
    EvidenceVoided,
    TargetsUnresolved,
    VoidingStated,
)
from atelier_assessment.domain.evidence import Circumstances, Evidence, Outcome, observe
from atelier_common.errors import IdentityTaken, NotFound, RuleBroken
from atelier_common.testing.spec import Specification

NOW = 1_790_000_000_000
FRACTIONS, DECIMALS = "fractions", "decimals"
EVIDENCE = Evidence(
    learner="lrn_one",
    provider="reader-app",
    reference="statement-1",
    via="xapi",
    kind="item",
    verb="answered",
    item="item-3",
    performed_at=NOW - 1000,
    outcome=Outcome(scaled=1.0, success=True),
    targets=(FRACTIONS, DECIMALS),
    digest="d1",
    circumstances=Circumstances(
        assistance="hint", accommodations=("text-to-speech",), group=("lrn_two",), location="home"
    ),
)
HALF = (
    EvidenceRecorded(EVIDENCE, NOW, (FRACTIONS,)),
    TargetsUnresolved("lrn_one", (FRACTIONS, DECIMALS), (DECIMALS,)),
)
PARKED = EvidenceParked(EVIDENCE, NOW, ("unknown-learner",), (FRACTIONS, DECIMALS), ())
attempts = Specification(attempt)


def record(evidence: Evidence = EVIDENCE, **resolution: object) -> RecordEvidence:
    found = {"competencies": (FRACTIONS, DECIMALS), "unresolved": (), "learner_known": True, **resolution}
    return RecordEvidence(evidence, Resolution(**found), NOW)  # type: ignore[arg-type]  # keyword bundle


def test_evidence_is_recorded_with_how_it_came_about():
    attempts.given().when(record()).then(EvidenceRecorded(EVIDENCE, NOW, (FRACTIONS, DECIMALS)))


def test_what_is_known_in_part_counts_in_part():
    attempts.given().when(record(competencies=(FRACTIONS,), unresolved=(DECIMALS,))).then(*HALF)


@pytest.mark.parametrize(
    ("evidence", "resolution", "reasons"),
    [
        (EVIDENCE, {"learner_known": False}, ("unknown-learner",)),
        (EVIDENCE, {"competencies": (), "unresolved": (FRACTIONS, DECIMALS)}, ("unknown-competency",)),
        (replace(EVIDENCE, targets=()), {"competencies": ()}, ("no-competency",)),
        (replace(EVIDENCE, outcome=Outcome(completion=True)), {}, ("no-outcome",)),
    ],
)
def test_what_cannot_count_is_parked_with_its_reason(evidence, resolution, reasons):
    (parked,) = attempts.given().when(record(evidence, **resolution)).events
    assert isinstance(parked, EvidenceParked)
    assert parked.reasons == reasons
    assert parked.evidence == evidence


def test_the_same_content_again_is_an_accepted_no_op_and_other_content_is_refused():
    recorded = attempts.given(EvidenceRecorded(EVIDENCE, NOW, (FRACTIONS, DECIMALS)))
    recorded.when(record()).then_nothing()
    recorded.when(record(replace(EVIDENCE, digest="d2"))).refused(IdentityTaken, id="statement-1")


def test_parked_evidence_counts_when_its_learner_is_known():
    attempts.given(PARKED).when(ResolveEvidence(Resolution((FRACTIONS, DECIMALS), (), True), NOW + 5)).then(
        EvidenceMapped(EVIDENCE, NOW, (FRACTIONS, DECIMALS), (), "")
    )


def test_a_reason_that_is_settled_is_taken_off_while_another_stays():
    both = EvidenceParked(EVIDENCE, NOW, ("unknown-learner", "unknown-competency"), (), (FRACTIONS, DECIMALS))
    half = EvidenceParked(EVIDENCE, NOW, ("unknown-competency",), (), (FRACTIONS, DECIMALS))
    learner_came = ResolveEvidence(Resolution((), (FRACTIONS, DECIMALS), True), NOW + 5)
    attempts.given(both).when(learner_came).then(half)
    attempts.given(both, half).when(learner_came).then_nothing()
    attempts.given(both, half).when(MapEvidence((DECIMALS,), "coach-1", NOW + 9)).then(
        EvidenceMapped(EVIDENCE, NOW, (DECIMALS,), (), "coach-1")
    )


def test_a_competency_that_is_listed_later_is_added_to_those_already_counted():
    attempts.given(*HALF).when(ResolveEvidence(Resolution((FRACTIONS, DECIMALS), (), True), NOW + 5)).then(
        EvidenceMapped(EVIDENCE, NOW, (DECIMALS,), (), "")
    )


def test_a_person_maps_only_what_can_count():
    silent = EvidenceParked(replace(EVIDENCE, outcome=Outcome()), NOW, ("no-outcome",), (FRACTIONS,), ())
    command = MapEvidence((FRACTIONS,), "coach-1", NOW)
    attempts.given().when(command).refused(NotFound)
    attempts.given(PARKED).when(command).refused(RuleBroken, reason="unknown-learner")
    attempts.given(silent).when(command).refused(RuleBroken, reason="no-outcome")


def test_its_provider_and_the_district_may_void_and_nobody_else():
    recorded = attempts.given(*HALF)
    voided = EvidenceVoided("lrn_one", (FRACTIONS,), 2, "reader-app", "v1", "sent twice")
    recorded.when(VoidEvidence("reader-app", "v1", "sent twice", NOW)).then(voided)
    recorded.when(VoidEvidence("", "v1", "sent twice", NOW)).then(replace(voided, provider=""))
    recorded.when(VoidEvidence("other-app", "v1", "sent twice", NOW)).then_nothing()
    attempts.given(*HALF, voided).when(MapEvidence((FRACTIONS,), "coach-1", NOW)).refused(RuleBroken)


def test_a_voiding_that_comes_first_holds_if_it_is_the_providers_own():
    early = EvidenceVoided("", (), 0, "reader-app", "v1", "")
    attempts.given(early).when(record()).then(EvidenceParked(EVIDENCE, NOW, ("voided",), (FRACTIONS, DECIMALS), ()))
    foreign = replace(early, provider="other-app")
    attempts.given(foreign).when(record()).then(EvidenceRecorded(EVIDENCE, NOW, (FRACTIONS, DECIMALS)))


def test_a_voiding_statements_identity_stands_for_nothing_else():
    stated = VoidingStated("target", "statement-9", "reader-app", False, "statement-1", "d1", NOW)
    command = StateVoiding("target", "statement-9", "reader-app", False, "statement-1", "d1", NOW, now=NOW)
    attempts.given().when(command).then(stated)
    attempts.given(stated).when(command).then_nothing()
    attempts.given(stated).when(record()).refused(IdentityTaken)
    attempts.given(*HALF).when(command).refused(IdentityTaken)


@pytest.mark.parametrize(
    ("outcome", "score"),
    [
        (Outcome(scaled=0.75, success=False), 0.75),
        (Outcome(scaled=-0.5), 0.0),
        (Outcome(raw=15.0, least=10.0, most=20.0), 0.5),
        (Outcome(level=3, levels=4), 1.0),
        (Outcome(success=False), 0.0),
        (Outcome(raw=3.0), None),
        (Outcome(completion=True), None),
    ],
)
def test_every_form_of_outcome_becomes_one_score(outcome, score):
    assert outcome.score() == score


def test_a_modification_is_told_to_the_estimator_and_an_accommodation_is_not():
    accommodated = replace(EVIDENCE, circumstances=Circumstances(accommodations=("extra-time",)))
    modified = replace(EVIDENCE, circumstances=Circumstances(modification="fewer choices"))
    assert observe("e", accommodated, NOW).conditions is None
    conditions = observe("e", modified, NOW).conditions
    assert conditions is not None
    assert conditions.modified
