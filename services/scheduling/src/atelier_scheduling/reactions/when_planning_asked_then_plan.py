"""When planning is asked for, plan or repair: a site's in order and one at a time, different sites' in whatever process has the turn."""

from collections.abc import Sequence

from atelier_common.asking import Work
from atelier_common.commit import RecordedEvent
from atelier_common.errors import Unavailable
from atelier_common.reaction import Issue
from atelier_common.reading_events import EventReader

from atelier_scheduling.domain.plan import PLAN, plan_key
from atelier_scheduling.domain.planning import PLANNED, PLANNING, AnswerPlanning, PlanningAnswered, PlanningAsked
from atelier_scheduling.planning.calendar import week_at
from atelier_scheduling.planning.planner import Planner
from atelier_scheduling.planning.reading import Models
from atelier_scheduling.planning.repairs import CAUSES, Repairs, planned_weeks


def when_planning_asked_then_plan(planner: Planner, repairs: Repairs, models: Models, events: EventReader) -> Work:
    """The work. Repairs that wait for one site are made as one; a whole plan is made alone."""
    made: dict[tuple[str, str], set[str]] = {}

    async def repair(askings: Sequence[RecordedEvent]) -> Sequence[Issue]:
        last = askings[-1]
        tenant, site_id = last.tenant, last.event.site_id
        causes = await events.at(tenant, [one for asking in askings for one in asking.event.causes], CAUSES)
        weeks = set(await planned_weeks(models.plans, tenant, site_id, last.recorded_at))
        for week in made.get((tenant, site_id), set()) - weeks:
            # Planned here a moment ago, perhaps without these facts; the read model may not show it yet.
            if week >= week_at(last.recorded_at) and await planner.is_planned(tenant, site_id, week):
                weeks.add(week)
        issues: list[Issue] = []
        for week in sorted(weeks):
            command = await repairs.of_week(tenant, site_id, week, causes)
            if command is not None:
                issues.append(Issue(last, PLAN, plan_key(site_id, week), command, tuple(askings[:-1])))
        return issues

    async def plan(asking: RecordedEvent) -> Sequence[Issue]:
        asked: PlanningAsked = asking.event
        # Facts that came before it was asked for belong into the plan; a repair was not asked for them.
        position = await planner.position_of(asking)
        for model in (models.learners, models.adults, models.paths, models.competencies, models.overrides):
            if not await model.reached(asking.tenant, position, timeout=5.0):
                raise Unavailable(f"{model.projection.name} has not come to what the plan was asked for with")
        command = await planner.propose(asking.tenant, asked.site_id, asked.week, asked.reason, [], asking.recorded_at)
        slot = (asking.tenant, asked.site_id)
        ahead = {week for week in made.get(slot, ()) if week >= week_at(asking.recorded_at)}
        made[slot] = ahead | {asked.week}
        return [Issue(asking, PLAN, plan_key(asked.site_id, asked.week), command)]

    async def do(askings: Sequence[RecordedEvent]) -> Sequence[Issue]:
        return await plan(askings[0]) if askings[0].event.week else await repair(askings)

    return Work(
        name=PLANNING.category,
        asked=PLANNING.registry.name_of(PlanningAsked),
        answered=PLANNING.registry.name_of(PlanningAnswered),
        whose=lambda event: str(event.site_id),
        joins=lambda event: not event.week,
        do=do,
        answering=PLANNED,
        answer=AnswerPlanning,
    )
