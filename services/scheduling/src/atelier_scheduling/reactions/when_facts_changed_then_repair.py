"""When a learner's path, a person or an override changes, ask for the repair of the weeks that are planned, site by site.

Only what to repair is said here, by whoever follows the log; the repairs are made where the site's work is done.
"""

from collections.abc import Mapping, Sequence

from atelier_common.commit import RecordedEvent
from atelier_common.documents.port import Body
from atelier_common.projection import ReadModel
from atelier_common.reaction import Issue, Reaction

from atelier_scheduling.domain.planning import PLANNING, AskForPlanning, planning_key
from atelier_scheduling.planning.calendar import day_at
from atelier_scheduling.planning.reading import Models
from atelier_scheduling.planning.repairs import CAUSES, planned_weeks
from atelier_scheduling.projections.neighbours import ADULT_CHANGED, LEARNER_CHANGED, LEARNER_ERASED, PATH_REVISED


def when_facts_changed_then_repair(models: Models, waiting: ReadModel) -> Reaction:
    """The reaction, over the read models that must have seen the events first: so what was asked for can be read, wherever it is
    done. ``waiting``: what planning is asked for already.
    """

    async def react(events: Sequence[RecordedEvent]) -> Sequence[Issue]:
        tenant = events[-1].tenant
        revised = {event.event.learner_id for event in events if event.type == PATH_REVISED}
        learners = await models.learners.get_many(tenant, sorted(revised))
        by_site: dict[str, list[RecordedEvent]] = {}
        for event in events:
            for site_id in await _sites(models, event, learners):
                by_site.setdefault(site_id, []).append(event)
        issues: list[Issue] = []
        for site_id, some in by_site.items():
            last = some[-1]
            if not await _is_planned(models, waiting, tenant, site_id, last.recorded_at):
                continue
            command = AskForPlanning(site_id, "", "facts", tuple(event.position for event in some), last.recorded_at)
            key = planning_key(site_id, day_at(last.recorded_at))
            issues.append(Issue(last, PLANNING, key, command, tuple(some[:-1])))
        return issues

    return Reaction(
        "when_facts_changed_then_repair",
        CAUSES,
        react,
        after=(
            "learners_of_site",
            "adults",
            "path_of_learner",
            "competencies",
            "overrides",
            "plans",
            "sites",
            waiting.projection.name,
        ),
    )


async def _is_planned(models: Models, waiting: ReadModel, tenant: str, site_id: str, now: int) -> bool:
    """Whether there is a plan to repair, or one is being made, perhaps without the facts that came just now."""
    seen = await waiting.position(tenant)
    under_way = await waiting.get(tenant, site_id)
    if under_way is not None and under_way["waiting"]:
        return True
    # What was being made and is answered has to be seen among the plans.
    await models.plans.reached(tenant, seen)
    return bool(await planned_weeks(models.plans, tenant, site_id, now))


async def _sites(models: Models, event: RecordedEvent, learners: Mapping[str, Body]) -> tuple[str, ...]:
    """The sites whose weeks an event may concern. ``learners``: the documents of those whose path was revised."""
    match event.type:
        case "override.given" | "override.withdrawn":
            document = await models.overrides.get(event.tenant, event.stream.partition("/")[2])
            return (document["site"],) if document else ()
        case t if t == LEARNER_CHANGED:
            known = await models.learners.get(event.tenant, event.event.learner_id)
            described = [key for key, _ in await models.sites.all(event.tenant)]
            return tuple(site for site in known["sites"] if site in described) if known else ()
        case t if t in (ADULT_CHANGED, LEARNER_ERASED):
            return tuple(key for key, _ in await models.sites.all(event.tenant))
        case _:
            learner = learners.get(event.event.learner_id)
            return (learner["site"],) if learner else ()
