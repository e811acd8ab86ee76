"""What leaves the scheduling service: what planning is asked for, plans proposed, published and superseded, and what is owed."""

from atelier.scheduling.v1 import events_pb2 as contract
from atelier_common.commit import RecordedEvent
from atelier_common.publisher import ContractEvent

from atelier_scheduling.domain.obligation import ObligationOwed
from atelier_scheduling.domain.plan import Figures, Moved, PlanProposed, PlanPublished, PlanSuperseded
from atelier_scheduling.domain.planning import PlanningAsked
from atelier_scheduling.domain.registry import REGISTRY

TYPES = frozenset(
    REGISTRY.name_of(event) for event in (PlanProposed, PlanPublished, PlanSuperseded, ObligationOwed, PlanningAsked)
)
"""The stored types of which :func:`translate` lets anything leave."""
_REASONS = {
    "cadence": contract.PLAN_REASON_CADENCE,
    "path": contract.PLAN_REASON_PATH,
    "forced": contract.PLAN_REASON_FORCED,
    "override": contract.PLAN_REASON_OVERRIDE,
    "request": contract.PLAN_REASON_REQUEST,
    "site": contract.PLAN_REASON_SITE,
}
_OBLIGATIONS = {
    "service-minutes": contract.OBLIGATION_KIND_SERVICE_MINUTES,
    "service-group": contract.OBLIGATION_KIND_SERVICE_MINUTES,
    "service-setting": contract.OBLIGATION_KIND_SERVICE_MINUTES,
    "subject-minutes": contract.OBLIGATION_KIND_SUBJECT_MINUTES,
    "mentor": contract.OBLIGATION_KIND_MENTOR_FREQUENCY,
    "protected-minutes": contract.OBLIGATION_KIND_PROTECTED_TIME,
    "lunch": contract.OBLIGATION_KIND_PROTECTED_TIME,
    "recess": contract.OBLIGATION_KIND_PROTECTED_TIME,
    "adult-lunch": contract.OBLIGATION_KIND_ADULT_CONTRACT,
    "adult-planning": contract.OBLIGATION_KIND_ADULT_CONTRACT,
    "adult-run": contract.OBLIGATION_KIND_ADULT_CONTRACT,
    "adult-preparations": contract.OBLIGATION_KIND_ADULT_CONTRACT,
    "pulls": contract.OBLIGATION_KIND_BOUND,
    "transitions": contract.OBLIGATION_KIND_BOUND,
    "screen": contract.OBLIGATION_KIND_BOUND,
}
_TO_ADULTS = "adult-"


def translate(recorded: RecordedEvent) -> ContractEvent | None:
    """The contract event of a domain event; None where none leaves."""
    site_id, _, week = recorded.stream.partition("/")[2].rpartition(":")
    match recorded.event:
        case PlanProposed() as event:
            return ContractEvent("atelier.scheduling.plan.v1.proposed", _proposed(site_id, week, event), week)
        case PlanPublished() as event:
            return ContractEvent("atelier.scheduling.plan.v1.published", _published(site_id, week, event), week)
        case PlanSuperseded() as event:
            message = contract.PlanSuperseded(
                site_id=site_id,
                week=week,
                plan_id=event.plan_id,
                superseded_by_plan_id=event.by_plan_id,
                superseded_at_ms=event.superseded_at,
                reason=_REASONS.get(event.reason, contract.PLAN_REASON_UNSPECIFIED),
            )
            return ContractEvent("atelier.scheduling.plan.v1.superseded", message, week)
        case ObligationOwed() as event:
            return ContractEvent("atelier.scheduling.obligation.v1.owed", _owed(event))
        case PlanningAsked() as event:
            # A site's askings of all days go to one partition: one process at a time plans for it, and keeps what it holds of it.
            asked = "atelier.scheduling.planning.v1.asked"
            return ContractEvent(asked, _asked(event), event.site_id, together=event.site_id)
        case _:
            return None


def _asked(event: PlanningAsked) -> contract.PlanningAsked:
    return contract.PlanningAsked(
        site_id=event.site_id,
        week=event.week or None,
        reason=_REASONS.get(event.reason, contract.PLAN_REASON_UNSPECIFIED),
        causes=len(event.causes),
        asked_at_ms=event.asked_at,
    )


def _proposed(site_id: str, week: str, event: PlanProposed) -> contract.PlanProposed:
    return contract.PlanProposed(
        site_id=site_id,
        week=week,
        plan_id=event.plan_id,
        plan_digest=event.plan_digest,
        previous_plan_id=event.previous_plan_id or None,
        reason=_REASONS.get(event.reason, contract.PLAN_REASON_UNSPECIFIED),
        moved_learners=_moved(event.moves),
        problem_digest=event.problem_digest,
        engine_version=event.engine,
        seed=event.seed,
        effort=event.effort,
        cut=[contract.CutEntry(source=cut.source, version=cut.version) for cut in event.cut],
        figures=_figures(event.figures),
        cause_event_ids=event.causes,
        proposed_at_ms=event.proposed_at,
    )


def _published(site_id: str, week: str, event: PlanPublished) -> contract.PlanPublished:
    return contract.PlanPublished(
        site_id=site_id,
        week=week,
        plan_id=event.plan_id,
        plan_digest=event.plan_digest,
        previous_plan_id=event.previous_plan_id or None,
        published_by=event.by,
        automatic=event.automatic,
        published_at_ms=event.published_at,
        moved_learners=_moved(event.moves),
        figures=_figures(event.figures),
        owed_acknowledged_by=[event.owed_acknowledged_by] if event.owed_acknowledged_by else [],
    )


def _owed(event: ObligationOwed) -> contract.ObligationOwed:
    owing = event.owing
    message = contract.ObligationOwed(
        site_id=owing.site_id,
        obligation_id=owing.obligation_id,
        kind=_OBLIGATIONS.get(owing.kind, contract.OBLIGATION_KIND_UNSPECIFIED),
        focus=owing.focus,
        period=owing.period,
        minutes_required=owing.required,
        minutes_scheduled=owing.scheduled,
        minutes_owed=owing.owed,
        reason_code=owing.reason_code,
        plan_id=event.plan_id,
        as_of_ms=event.noted_at,
    )
    if owing.kind.startswith(_TO_ADULTS):
        message.adult_id = owing.owed_to
    else:
        message.learner_id = owing.owed_to
    return message


def _moved(moves: tuple[Moved, ...]) -> list[contract.MovedLearner]:
    return [
        contract.MovedLearner(
            learner_id=move.learner_id,
            forced=move.forced,
            reason_code=move.reason_code,
            changed_sessions=move.changed_sessions,
        )
        for move in moves
    ]


def _figures(figures: Figures) -> contract.PlanFigures:
    return contract.PlanFigures(
        learners=figures.learners,
        adults=figures.adults,
        sessions=figures.sessions,
        studios=figures.studios,
        needs=figures.needs,
        needs_served=figures.needs_served,
        obligations=figures.obligations,
        obligations_met=figures.obligations_met,
        obligations_owed=figures.obligations_owed,
        minutes_with_adults=figures.minutes_with_adults,
        minutes_independent=figures.minutes_independent,
        chosen_share=figures.chosen_share,
        score=figures.score,
    )
