"""What pathing makes of an estimate: how sure is sure, and what counts as success."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """The assessment service's number for one competency: ``estimate`` in 0..1 and its standard error, 0..0.5.

    ``evidence_ids`` are the newest behind it. ``without_progress`` counts unassisted answers since the last progress;
    ``failed_kind`` is the kind of activity that failed last, empty if the newest evidence was no failure. ``heard`` counts what
    assessment said of it; an earlier saying never replaces a later one.
    """

    estimate: float
    uncertainty: float
    earned: bool = False
    evidence_ids: tuple[str, ...] = ()
    without_progress: int = 0
    failed_kind: str = ""
    heard: int = 0


@dataclass(frozen=True, slots=True)
class Bands:
    """Where certainty ends and success begins.

    Above ``probe_above`` (a standard error) too little is known: the next step is a probe, not a lesson. From
    ``success_from`` on, if certain, the learner succeeds, also where mastery was not formally earned.
    """

    probe_above: float = 0.2
    success_from: float = 0.8

    def uncertain(self, estimate: Estimate | None) -> bool:
        return estimate is None or (not estimate.earned and estimate.uncertainty > self.probe_above)

    def succeeds(self, estimate: Estimate | None) -> bool:
        return estimate is not None and (
            estimate.earned or (estimate.estimate >= self.success_from and estimate.uncertainty <= self.probe_above)
        )


BANDS = Bands()
