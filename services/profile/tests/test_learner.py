"""What a learner's record accepts, refuses and says to neighbours."""

from dataclasses import replace

import pytest
from atelier_common.errors import InvalidInput, NotFound, RuleBroken
from atelier_common.testing.spec import Specification
from atelier_profile.domain.learner.commands import (
    AssignCohort,
    DeactivateLearner,
    EraseLearner,
    MakeChoice,
    RecordFact,
    RecordRosterEntry,
    RecordSupports,
    RemoveInterest,
    SetInterest,
    WithdrawFact,
)
from atelier_profile.domain.learner.decider import INTEREST_LASTS, learner
from atelier_profile.domain.learner.events import (
    AccommodationSet,
    CohortAssigned,
    FactRecorded,
    FactWithdrawn,
    InterestRemoved,
    InterestSet,
    LearnerDeactivated,
    LearnerEnrolled,
    LearnerErased,
    LearnerReactivated,
    LearnerRosterChanged,
    PublicLearnerChanged,
    ServiceSet,
    SupportEnded,
)
from atelier_profile.domain.learner.state import Erased, Known, public
from atelier_profile.domain.learner.values import (
    Absence,
    Accommodation,
    Choice,
    Cohort,
    Fact,
    Interest,
    OffSite,
    RankedChoice,
    RosterEntry,
    SupportService,
    WeeklyInterval,
)
from atelier_profile.domain.provenance import Provenance, Visibility

NOW = 1_790_000_000_000
LEARNER = "lrn_example"
SAID_BY_ROSTER = Provenance("oneroster", NOW, 1.0, Visibility.FAMILY)
FROM_LEARNER = Provenance("learner", NOW, 0.9, Visibility.FAMILY)
RESTRICTED = Provenance("plan-of-services", NOW, 1.0, Visibility.RESTRICTED)
ENTRY = RosterEntry("print-1", ("north",), ("gdn_1",), SAID_BY_ROSTER, display_name="sealed:1:lrn_example:AAAA")
ENROLLED = LearnerEnrolled(LEARNER, ENTRY)
READING = SupportService(
    "svc-1", "reading-support", "iep", 60, "pull-out", "reading-specialist", RESTRICTED, group_size_max=3
)
EXTRA_TIME = Accommodation("acc-1", "extended-time", "504", RESTRICTED, time_factor=1.5)


def profile() -> Specification:
    return Specification(learner)


def test_a_row_of_the_roster_enrols_a_learner_and_tells_neighbours_everything_they_may_know() -> None:
    outcome = profile().when(RecordRosterEntry(LEARNER, "print-1", ENTRY, NOW))
    assert outcome.events[0] == ENROLLED
    told = outcome.events[1]
    assert isinstance(told, PublicLearnerChanged)
    assert (told.learner.learner_id, told.learner.active, told.learner.site_ids) == (LEARNER, True, ("north",))
    assert told.learner.display_name == ENTRY.display_name
    assert told.learner.has_device is None


def test_the_same_row_again_makes_no_event_although_its_ciphertexts_differ() -> None:
    again = replace(ENTRY, display_name="sealed:1:lrn_example:BBBB")
    profile().given(ENROLLED).when(RecordRosterEntry(LEARNER, "print-1", again, NOW + 1)).then_nothing()


def test_a_changed_row_replaces_the_entry() -> None:
    moved = RosterEntry("print-2", ("south",), ("gdn_1",), SAID_BY_ROSTER)
    outcome = profile().given(ENROLLED).when(RecordRosterEntry(LEARNER, "print-2", moved, NOW))
    outcome.then_includes(LearnerRosterChanged(LEARNER, moved))
    assert outcome.events[-1].learner.site_ids == ("south",)


def test_a_change_that_neighbours_may_not_see_is_not_told_to_them() -> None:
    new_phone = replace(ENTRY, fingerprint="print-2", phone="sealed:1:lrn_example:CCCC")
    profile().given(ENROLLED).when(RecordRosterEntry(LEARNER, "print-2", new_phone, NOW)).then(
        LearnerRosterChanged(LEARNER, new_phone)
    )


def test_who_leaves_is_deactivated_and_keeps_the_record() -> None:
    outcome = profile().given(ENROLLED).when(DeactivateLearner(LEARNER, "left the roster", NOW))
    outcome.then_includes(LearnerDeactivated(LEARNER, "left the roster"))
    assert isinstance(outcome.state, Known)
    assert not outcome.state.active
    assert not outcome.events[-1].learner.active


def test_who_left_already_cannot_leave_again() -> None:
    left = LearnerDeactivated(LEARNER, "left the roster")
    profile().given(ENROLLED, left).when(DeactivateLearner(LEARNER, "left the roster", NOW)).then_nothing()


def test_who_comes_back_is_reactivated_with_everything_known_before() -> None:
    left = LearnerDeactivated(LEARNER, "left the roster")
    outcome = (
        profile()
        .given(ENROLLED, ServiceSet(LEARNER, READING), left)
        .when(RecordRosterEntry(LEARNER, "print-1", ENTRY, NOW))
    )
    outcome.then_includes(LearnerReactivated(LEARNER))
    assert outcome.events[-1].learner.services == (READING,)


def test_supports_come_in_one_decision_and_only_what_is_new_makes_an_event() -> None:
    command = RecordSupports(LEARNER, NOW, accommodations=(EXTRA_TIME,), services=(READING,))
    outcome = profile().given(ENROLLED, ServiceSet(LEARNER, READING)).when(command)
    assert outcome.events[:-1] == (AccommodationSet(LEARNER, EXTRA_TIME),)
    assert outcome.events[-1].learner.accommodations == (EXTRA_TIME,)


def test_the_same_supports_told_again_later_are_no_news() -> None:
    later = replace(READING, provenance=replace(RESTRICTED, observed_at=0))
    history = profile().given(ENROLLED, ServiceSet(LEARNER, READING))
    history.when(RecordSupports(LEARNER, NOW + 5_000, services=(later,))).then_nothing()


def test_a_support_ends_by_its_id() -> None:
    outcome = (
        profile().given(ENROLLED, ServiceSet(LEARNER, READING)).when(RecordSupports(LEARNER, NOW, ended_ids=("svc-1",)))
    )
    outcome.then_includes(SupportEnded(LEARNER, "svc-1"))
    assert outcome.events[-1].learner.services == ()


def test_a_support_that_nobody_set_cannot_end() -> None:
    profile().given(ENROLLED).when(RecordSupports(LEARNER, NOW, ended_ids=("svc-9",))).refused(NotFound)


@pytest.mark.parametrize(
    ("service", "field"),
    [
        (replace(READING, minutes_per_week=0), "minutes_per_week"),
        (replace(READING, setting="somewhere"), "setting"),
        (replace(READING, basis="a feeling"), "basis"),
        (replace(READING, group_size_max=0), "group_size_max"),
        (replace(READING, inclusion_minimum=1.5), "inclusion_minimum"),
        (replace(READING, kind="Reads with Ms Example on Mondays"), "kind"),
        (replace(READING, sessions_min=3, sessions_max=2), "sessions_max"),
        (replace(READING, valid_from="2026-13-01"), "valid_from"),
        (replace(READING, provenance=replace(RESTRICTED, confidence=1.5)), "confidence"),
        (replace(READING, provenance=replace(RESTRICTED, source="")), "source"),
        (replace(READING, provenance=replace(RESTRICTED, observed_at=NOW + 1)), "observed_at"),
    ],
)
def test_a_service_that_cannot_be_is_refused_by_its_field(service: SupportService, field: str) -> None:
    profile().given(ENROLLED).when(RecordSupports(LEARNER, NOW, services=(service,))).refused(InvalidInput, field=field)


def test_an_absence_ends_after_it_starts() -> None:
    backwards = Absence("abs-1", NOW, NOW, FROM_LEARNER)
    profile().given(ENROLLED).when(RecordSupports(LEARNER, NOW, absences=(backwards,))).refused(
        InvalidInput, field="ends_at"
    )


def test_off_site_time_names_its_place_and_its_supervisor() -> None:
    alone = OffSite(
        "off-1", (WeeklyInterval(2, 540, 720),), 15, FROM_LEARNER, place="sealed:1:lrn_example:AA", place_digest="d"
    )
    profile().given(ENROLLED).when(RecordSupports(LEARNER, NOW, off_site=(alone,))).refused(
        InvalidInput, field="supervisor"
    )
    supervised = replace(alone, supervisor_adult_id="adu_1")
    outcome = profile().given(ENROLLED).when(RecordSupports(LEARNER, NOW, off_site=(supervised,)))
    assert outcome.events[-1].learner.off_site == (supervised,)


def test_a_fact_keeps_its_source_time_confidence_and_visibility() -> None:
    strength = Fact("fact-1", "strength", "sealed:1:lrn_example:AAAA", FROM_LEARNER)
    profile().given(ENROLLED).when(RecordFact(LEARNER, strength, "digest", NOW)).then(FactRecorded(LEARNER, strength))


def test_a_basic_need_is_always_restricted() -> None:
    need = Fact("fact-1", "basic-need", "sealed:1:lrn_example:AAAA", FROM_LEARNER)
    profile().given(ENROLLED).when(RecordFact(LEARNER, need, "digest", NOW)).refused(InvalidInput, field="visibility")


def test_a_learning_style_is_at_most_a_preference_never_a_trait() -> None:
    trait = Fact("fact-1", "learning-style", "sealed:1:lrn_example:AAAA", FROM_LEARNER)
    profile().given(ENROLLED).when(RecordFact(LEARNER, trait, "digest", NOW)).refused(InvalidInput, field="kind")


def test_a_fact_is_withdrawn_with_a_reason() -> None:
    strength = Fact("fact-1", "strength", "sealed:1:lrn_example:AAAA", FROM_LEARNER)
    profile().given(ENROLLED, FactRecorded(LEARNER, strength)).when(
        WithdrawFact(LEARNER, "fact-1", "mistaken", NOW)
    ).then(FactWithdrawn(LEARNER, "fact-1", "mistaken"))


def test_an_interest_always_expires() -> None:
    outcome = profile().given(ENROLLED).when(SetInterest(LEARNER, Interest("model rockets", 0.8, FROM_LEARNER), NOW))
    told = outcome.events[0]
    assert isinstance(told, InterestSet)
    assert told.interest.provenance.expires_at == NOW + INTEREST_LASTS
    assert not told.interest.provenance.stale(NOW + INTEREST_LASTS - 1)
    assert told.interest.provenance.stale(NOW + INTEREST_LASTS)


def test_an_interest_is_removed_by_its_topic_and_once() -> None:
    held = InterestSet(LEARNER, Interest("model rockets", 0.8, replace(FROM_LEARNER, expires_at=NOW + 9)))
    outcome = profile().given(ENROLLED, held).when(RemoveInterest(LEARNER, "model rockets", NOW))
    outcome.then_includes(InterestRemoved(LEARNER, "model rockets"))
    profile().given(ENROLLED).when(RemoveInterest(LEARNER, "model rockets", NOW)).then_nothing()


def test_choices_are_ranked_without_gaps() -> None:
    gap = Choice("c-1", (RankedChoice("project", "p1", 1), RankedChoice("project", "p2", 3)), FROM_LEARNER)
    profile().given(ENROLLED).when(MakeChoice(LEARNER, gap, NOW)).refused(InvalidInput, field="ranked")


def test_a_study_assigns_one_arm_for_good() -> None:
    first = Cohort("study-1", "with", FROM_LEARNER)
    history = profile().given(ENROLLED, CohortAssigned(LEARNER, first))
    history.when(AssignCohort(LEARNER, first, NOW)).then_nothing()
    history.when(AssignCohort(LEARNER, replace(first, arm="without"), NOW)).refused(
        RuleBroken, rule="one-arm-per-study"
    )


def test_an_erased_learner_stays_erased() -> None:
    outcome = profile().given(ENROLLED).when(EraseLearner(LEARNER, "req-1", NOW))
    outcome.then(LearnerErased(LEARNER, "req-1", NOW))
    assert outcome.state == Erased(LEARNER, "req-1")
    assert public(outcome.state) is None
    gone = profile().given(ENROLLED, LearnerErased(LEARNER, "req-1", NOW))
    gone.when(RecordRosterEntry(LEARNER, "print-2", ENTRY, NOW)).then_nothing()
    gone.when(EraseLearner(LEARNER, "req-2", NOW)).then_nothing()
    gone.when(SetInterest(LEARNER, Interest("rockets", 0.5, FROM_LEARNER), NOW)).refused(
        RuleBroken, rule="erased-for-good"
    )


def test_nothing_is_recorded_about_somebody_nobody_enrolled() -> None:
    profile().when(RecordSupports(LEARNER, NOW, services=(READING,))).refused(NotFound)
    profile().when(EraseLearner(LEARNER, "req-1", NOW)).refused(NotFound)
