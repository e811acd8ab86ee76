"""When a plan is published, keep the local copy that outlives everything, note what it owes and how overrides stand."""

from collections.abc import Sequence

from atelier_common.commit import RecordedEvent
from atelier_common.ids import derive_id
from atelier_common.reaction import Issue, Reaction, each
from atelier_common.telemetry import metrics, names

from atelier_scheduling.domain.obligation import OBLIGATION, NoteOwing, Owing
from atelier_scheduling.domain.override import OVERRIDE, NoteStanding, Standing
from atelier_scheduling.planning.published_file import PublishedTimetables
from atelier_scheduling.planning.reading import Library, Models

_PLANS = metrics.counter(names.METRIC_PLANS)
_STANDINGS = {"honoured": Standing.GIVEN, "suspended": Standing.SUSPENDED, "refused": Standing.REFUSED}


def when_plan_published_then_owe(library: Library, models: Models, files: PublishedTimetables) -> Reaction:
    """One command for each obligation that is owed, or was and is no more, and for each override whose standing changed."""

    async def react(event: RecordedEvent) -> Sequence[Issue]:
        _PLANS.add(1, {names.PLAN_STEP: "published"})
        site_id, _, week = event.stream.partition("/")[2].rpartition(":")
        published = event.event
        plan = (await library.plan(event.tenant, published.plan_digest)).plan
        description = await library.site(event.tenant, site_id)
        await files.keep(event.tenant, description, plan, published.plan_id, event.recorded_at)
        was = {key for key, one in await models.obligations.all(event.tenant, "site", site_id, site_id) if one["owed"]}
        issues: list[Issue] = []
        for line in plan.obligations:
            obligation_id = derive_id(event.tenant, week, f"{line.subject_of}|{line.obligation}|{line.need}")
            key = f"{site_id}:{obligation_id}"
            if not line.owed and key not in was:
                continue
            owing = Owing(
                site_id,
                obligation_id,
                line.obligation,
                line.subject_of,
                line.need,
                f"week {week}",
                line.due,
                line.scheduled,
                line.owed,
                line.code,
            )
            issues.append(Issue(event, OBLIGATION, key, NoteOwing(owing, published.plan_id, event.recorded_at)))
        for outcome in plan.overrides:
            standing = _STANDINGS.get(str(outcome.standing))
            if standing is not None and not outcome.override.startswith("pin:"):
                command = NoteStanding(standing, outcome.rule, published.plan_id, event.recorded_at)
                issues.append(Issue(event, OVERRIDE, f"{site_id}:{outcome.override}", command))
        return issues

    return Reaction(
        "when_plan_published_then_owe",
        frozenset({"plan.published"}),
        each(react),
        after=("plans", "obligations", "overrides", "sites", "competencies"),
    )
