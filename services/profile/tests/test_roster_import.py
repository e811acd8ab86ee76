"""An import goes forward step by step, only one at a time, and never half way without saying so."""

from dataclasses import replace

from atelier_common.errors import NotFound, RuleBroken
from atelier_common.testing.spec import Specification
from atelier_profile.domain.roster_import import (
    AcceptImport,
    CompleteImport,
    Count,
    ImportPlan,
    MarkChunkApplied,
    PreviewImport,
    RefuseImport,
    RosterChunkApplied,
    RosterImportAccepted,
    RosterImportCompleted,
    RosterImportPreviewed,
    RosterImportRefused,
    roster_import,
)
from atelier_profile.domain.roster_turn import (
    EndTurn,
    RosterTurnDenied,
    RosterTurnEnded,
    RosterTurnTaken,
    TakeTurn,
    roster_turn,
)

NOW = 1_790_000_000_000
PLAN = ImportPlan("file", "", {"learner": Count(active=100, deactivated=10)}, (), ("part-a", "part-b"), 150, 10.0)
PREVIEWED = RosterImportPreviewed("i-1", PLAN)
ACCEPTED = RosterImportAccepted("i-1", "", "part-a", None)


def an_import() -> Specification:
    return Specification(roster_import)


def test_an_import_is_previewed_then_accepted_then_applied_chunk_by_chunk_then_completed() -> None:
    an_import().when(PreviewImport("i-1", "file", PLAN, NOW)).then(PREVIEWED)
    an_import().given(PREVIEWED).when(AcceptImport("i-1", None, NOW)).then(ACCEPTED)
    running = an_import().given(PREVIEWED, ACCEPTED)
    running.when(MarkChunkApplied("i-1", 0, NOW)).then(RosterChunkApplied("i-1", 0, "part-b"))
    last = running.given(RosterChunkApplied("i-1", 0, "part-b"))
    last.when(MarkChunkApplied("i-1", 1, NOW)).then(RosterChunkApplied("i-1", 1, ""))
    done = last.given(RosterChunkApplied("i-1", 1, ""))
    done.when(CompleteImport("i-1", NOW)).then(RosterImportCompleted("i-1"))


def test_a_half_applied_import_cannot_be_called_complete() -> None:
    half = an_import().given(PREVIEWED, ACCEPTED, RosterChunkApplied("i-1", 0, "part-b"))
    half.when(CompleteImport("i-1", NOW)).refused(RuleBroken, rule="half-applied", applied=1)


def test_a_chunk_marked_again_after_a_crash_changes_nothing() -> None:
    half = an_import().given(PREVIEWED, ACCEPTED, RosterChunkApplied("i-1", 0, "part-b"))
    half.when(MarkChunkApplied("i-1", 0, NOW)).then_nothing()


def test_more_deactivations_than_the_threshold_need_their_exact_number_confirmed() -> None:
    many = replace(PLAN, counts={"learner": Count(active=100, deactivated=11), "adult": Count(active=9)})
    previewed = an_import().given(RosterImportPreviewed("i-1", many))
    previewed.when(AcceptImport("i-1", None, NOW)).refused(
        RuleBroken, rule="deactivation-threshold", deactivated=11, kinds=["learner"]
    )
    previewed.when(AcceptImport("i-1", 12, NOW)).refused(RuleBroken, rule="deactivation-threshold")
    previewed.when(AcceptImport("i-1", 11, NOW)).then(replace(ACCEPTED, confirmed_deactivations=11))


def test_accepting_twice_is_accepting_once() -> None:
    an_import().given(PREVIEWED, ACCEPTED).when(AcceptImport("i-1", None, NOW)).then_nothing()


def test_what_nobody_sent_cannot_be_accepted() -> None:
    an_import().when(AcceptImport("i-1", None, NOW)).refused(NotFound)


def test_an_import_that_lost_its_turn_is_refused_whole_but_never_once_it_has_begun() -> None:
    accepted = an_import().given(PREVIEWED, ACCEPTED)
    accepted.when(RefuseImport("i-1", "another was first", NOW)).then(RosterImportRefused("i-1", "another was first"))
    begun = accepted.given(RosterChunkApplied("i-1", 0, "part-b"))
    begun.when(RefuseImport("i-1", "another was first", NOW)).refused(RuleBroken, rule="rolled-forward")


def test_one_import_at_a_time_has_the_turn() -> None:
    Specification(roster_turn).when(TakeTurn("i-1", "", "part-a", NOW)).then(RosterTurnTaken("i-1", "part-a"))
    taken = Specification(roster_turn).given(RosterTurnTaken("i-1", "part-a"))
    outcome = taken.when(TakeTurn("i-2", "", "part-x", NOW))
    assert [type(event) for event in outcome.events] == [RosterTurnDenied]
    taken.when(TakeTurn("i-1", "", "part-a", NOW)).then_nothing()
    taken.when(EndTurn("i-1", NOW)).then(RosterTurnEnded("i-1"))


def test_an_import_compared_with_an_older_roster_gets_no_turn() -> None:
    ended = Specification(roster_turn).given(RosterTurnTaken("i-1", "part-a"), RosterTurnEnded("i-1"))
    outcome = ended.when(TakeTurn("i-2", "", "part-x", NOW))
    assert [type(event) for event in outcome.events] == [RosterTurnDenied]
    ended.when(TakeTurn("i-2", "i-1", "part-x", NOW)).then(RosterTurnTaken("i-2", "part-x"))
