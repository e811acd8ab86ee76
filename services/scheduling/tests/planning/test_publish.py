"""What leaves scheduling for each of its events, and what stays inside."""

import json
from pathlib import Path
from typing import Any

import pytest
from atelier.scheduling.v1 import events_pb2 as contract
from atelier_common.commit import RecordedEvent
from atelier_common.events import StoredEvent
from atelier_scheduling.domain.obligation import OBLIGATION
from atelier_scheduling.domain.override import OVERRIDE
from atelier_scheduling.domain.plan import PLAN
from atelier_scheduling.domain.planning import PLANNING
from atelier_scheduling.domain.site import SITE
from atelier_scheduling.engine.rules import Obligation
from atelier_scheduling.publish import translate

SAMPLES: dict[str, Any] = {
    sample["type"]: sample
    for sample in json.loads((Path(__file__).parents[1] / "domain" / "stored_events.json").read_text())
}
DECIDERS = {decider.category: decider for decider in (SITE, PLAN, OVERRIDE, OBLIGATION, PLANNING)}
PLAN_STREAM = "plan/school:north:2026-W38"


def translated(name: str, stream: str = PLAN_STREAM, **differing: Any) -> Any:
    data = {**SAMPLES[name]["data"], **differing}
    event = DECIDERS[name.partition(".")[0]].registry.decode(StoredEvent(name, 1, data))
    recorded = RecordedEvent(
        incarnation="i",
        tenant="t",
        stream=stream,
        version=1,
        ordinal=0,
        position=1,
        type=name,
        event=event,
        recorded_at=9,
        actor="a",
        correlation_id="c",
        causation_ids=(),
        trace=None,
    )
    return translate(recorded)


def test_a_proposal_leaves_with_its_causes_moves_and_figures() -> None:
    said = translated("plan.proposed")
    assert (said.type, said.subject) == ("atelier.scheduling.plan.v1.proposed", "2026-W38")
    message = said.message
    assert (message.site_id, message.week, message.reason) == ("school:north", "2026-W38", contract.PLAN_REASON_PATH)
    assert list(message.cause_event_ids) == ["event-1", "event-2"]
    assert [(one.learner_id, one.forced) for one in message.moved_learners] == [("lrn_one", True), ("lrn_two", False)]
    assert (message.figures.needs_served, message.figures.score, message.seed, message.effort) == (1010, 1834.5, 7, 3)
    assert [(cut.source, cut.version) for cut in message.cut] == [("log", 812)]


def test_the_first_proposal_of_a_week_names_no_earlier_one() -> None:
    assert not translated("plan.proposed", previous_plan_id="").message.HasField("previous_plan_id")
    assert translated("plan.proposed").message.previous_plan_id == "plan-1"


@pytest.mark.parametrize("reason", ["cadence", "path", "forced", "override", "request", "site"])
def test_every_reason_has_a_name_in_the_contract(reason: str) -> None:
    wanted = contract.PlanReason.Value(f"PLAN_REASON_{reason.upper()}")
    assert translated("plan.proposed", reason=reason).message.reason == wanted
    assert translated("plan.superseded", reason=reason).message.reason == wanted


def test_a_publication_leaves_with_who_published_and_who_answers_for_what_is_owed() -> None:
    message = translated("plan.published").message
    assert (message.published_by, message.automatic) == ("timer:cut-off", True)
    assert list(message.owed_acknowledged_by) == ["principal-1"]
    assert list(translated("plan.published", owed_acknowledged_by="").message.owed_acknowledged_by) == []


def test_a_superseded_plan_leaves_with_its_successor() -> None:
    message = translated("plan.superseded").message
    assert (message.plan_id, message.superseded_by_plan_id) == ("plan-1", "plan-2")


def test_what_is_owed_leaves_addressed_to_a_learner_or_an_adult() -> None:
    owing = SAMPLES["obligation.owed"]["data"]["owing"]
    to_learner = translated("obligation.owed", "obligation/school-1:b-1").message
    assert (to_learner.WhichOneof("owed_to"), to_learner.learner_id) == ("learner_id", "lrn_one")
    assert (to_learner.kind, to_learner.minutes_owed) == (contract.OBLIGATION_KIND_SERVICE_MINUTES, 20)
    lunch = {**owing, "kind": "adult-lunch", "owed_to": "adu_one"}
    to_adult = translated("obligation.owed", "obligation/school-1:b-1", owing=lunch).message
    assert (to_adult.WhichOneof("owed_to"), to_adult.adult_id) == ("adult_id", "adu_one")
    assert to_adult.kind == contract.OBLIGATION_KIND_ADULT_CONTRACT


def test_an_asking_leaves_with_its_site_and_keeps_the_order_of_the_site() -> None:
    said = translated("planning.asked", "planning/school:north:2026-09-09", site_id="school:north")
    assert (said.type, said.together) == ("atelier.scheduling.planning.v1.asked", "school:north")
    assert (said.message.site_id, said.message.causes, said.message.HasField("week")) == ("school:north", 2, False)
    whole = translated("planning.asked", week="2026-W38", reason="cadence", causes=[]).message
    assert (whole.week, whole.reason) == ("2026-W38", contract.PLAN_REASON_CADENCE)


@pytest.mark.parametrize(
    "kind", sorted(set(Obligation) - {Obligation.TEST, Obligation.OTHER_NEED, Obligation.OVERRIDE})
)
def test_every_obligation_of_the_engine_has_a_kind_in_the_contract(kind: str) -> None:
    owing = {**SAMPLES["obligation.owed"]["data"]["owing"], "kind": str(kind)}
    assert translated("obligation.owed", "obligation/school-1:b-1", owing=owing).message.kind != 0


@pytest.mark.parametrize(
    "name",
    sorted(set(SAMPLES) - {"plan.proposed", "plan.published", "plan.superseded", "obligation.owed", "planning.asked"}),
)
def test_nothing_else_leaves(name: str) -> None:
    assert translated(name) is None
