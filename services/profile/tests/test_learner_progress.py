"""What a learner has shown is told from the facts alone: a restored log gives its events other ids, and says the same."""

from dataclasses import replace

from atelier.assessment.v1.events_pb2 import MasteryChanged
from atelier_common.commit import RecordedEvent
from atelier_profile.projections.learner_progress import MASTERY_CHANGED, learner_progress

FACT = RecordedEvent(
    incarnation="before the restore",
    tenant="fictional",
    stream="assessment/mastery/learner-1:competency-1",
    version=1,
    ordinal=0,
    position=7,
    type=MASTERY_CHANGED,
    event=MasteryChanged(learner_id="learner-1", competency_id="competency-1", estimate=0.7, evidence_count=3),
    recorded_at=1_000,
    actor="service:assessment",
    correlation_id="call-1",
    causation_ids=("evidence-1",),
    trace=None,
)


def test_a_restored_log_gives_the_same_document() -> None:
    (key,) = learner_progress.keys(FACT)
    told = learner_progress.apply(None, FACT, key)
    assert told is not None
    assert (told["estimate"], told["evidence_count"], told["caused_by"]) == (0.7, 3, ["evidence-1"])
    assert told == learner_progress.apply(None, replace(FACT, incarnation="after it"), key)
