"""When a learner's path, a person or an override changes, repair the weeks that are planned; nobody else is moved.

All of it is one reaction, because each repair builds on the plan that the one before it proposed.
"""

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from atelier_common.commit import RecordedEvent
from atelier_common.documents.port import Body
from atelier_common.reaction import Issue, Reaction

from atelier_scheduling.domain.override import OverrideGiven, OverrideWithdrawn
from atelier_scheduling.domain.plan import PLAN, plan_key
from atelier_scheduling.domain.site_description import SiteDescription
from atelier_scheduling.engine import changes as change
from atelier_scheduling.engine import wire
from atelier_scheduling.engine.overrides import Override
from atelier_scheduling.planning.assembling import adult_of, learner_of
from atelier_scheduling.planning.calendar import days_and_slots, week_of
from atelier_scheduling.planning.needs import needs_of, not_asked
from atelier_scheduling.planning.planner import Planner
from atelier_scheduling.planning.reading import Library, Models
from atelier_scheduling.projections.neighbours import ADULT_CHANGED, LEARNER_CHANGED, LEARNER_ERASED, PATH_REVISED

_REASONS = {PATH_REVISED: "path", "override.given": "override", "override.withdrawn": "override"}


class Repairs:
    """Collects what a batch of events changes for each planned week, and has each repaired once."""

    def __init__(self, planner: Planner, library: Library, models: Models) -> None:
        self._planner = planner
        self._library = library
        self._models = models

    async def react(self, events: Sequence[RecordedEvent]) -> Sequence[Issue]:
        tenant = events[-1].tenant
        revised = {event.event.learner_id for event in events if event.type == PATH_REVISED}
        learners = await self._models.learners.get_many(tenant, sorted(revised))
        by_site: dict[str, list[RecordedEvent]] = {}
        for event in events:
            for site_id in await self._sites(event, learners):
                by_site.setdefault(site_id, []).append(event)
        # While the solver works for one site, the facts of the next are read and its parts are stored.
        found = await asyncio.gather(*(self._of_site(tenant, site_id, some) for site_id, some in by_site.items()))
        return [issue for issues in found for issue in issues]

    async def _of_site(self, tenant: str, site_id: str, events: list[RecordedEvent]) -> list[Issue]:
        issues: list[Issue] = []
        for week in await self._planned_weeks(tenant, site_id, events[-1].recorded_at):
            issues.extend(await self._repair(tenant, site_id, week, events))
        return issues

    async def _sites(self, event: RecordedEvent, learners: Mapping[str, Body]) -> tuple[str, ...]:
        """The sites whose weeks an event may concern. ``learners``: the documents of those whose path was revised."""
        match event.type:
            case "override.given" | "override.withdrawn":
                document = await self._models.overrides.get(event.tenant, event.stream.partition("/")[2])
                return (document["site"],) if document else ()
            case t if t == ADULT_CHANGED:
                return tuple(key for key, _ in await self._models.sites.all(event.tenant))
            case t if t == LEARNER_CHANGED:
                known = await self._models.learners.get(event.tenant, event.event.learner_id)
                described = [key for key, _ in await self._models.sites.all(event.tenant)]
                return tuple(site for site in known["sites"] if site in described) if known else ()
            case t if t == LEARNER_ERASED:
                return tuple(key for key, _ in await self._models.sites.all(event.tenant))
            case _:
                learner = learners.get(event.event.learner_id)
                return (learner["site"],) if learner else ()

    async def _planned_weeks(self, tenant: str, site_id: str, now: int) -> list[str]:
        this_week = week_of(datetime.fromtimestamp(now / 1000, UTC).date())
        documents = await self._models.plans.all(tenant, "site", site_id, site_id)
        return sorted(
            document["week"]
            for _, document in documents
            if document["week"] >= this_week and (document["proposed"] or document["published"])
        )

    async def _repair(self, tenant: str, site_id: str, week: str, events: list[RecordedEvent]) -> list[Issue]:
        description = await self._library.site(tenant, site_id)
        changes = await self._changes(tenant, description, week, events)
        if not changes:
            return []
        reasons = {_REASONS.get(event.type, "forced") for event in events}
        reason = "override" if "override" in reasons else "forced" if "forced" in reasons else "path"
        last = events[-1]
        causes = [(event.id, event.event.learner_id if event.type == PATH_REVISED else "") for event in events]
        command = await self._planner.repair(tenant, site_id, week, changes, reason, causes, last.recorded_at)
        return [] if command is None else [Issue(last, PLAN, plan_key(site_id, week), command)]

    async def _changes(
        self, tenant: str, description: SiteDescription, week: str, events: list[RecordedEvent]
    ) -> list[change.Change]:
        found: list[change.Change] = []
        learner_ids = sorted(
            {event.event.learner_id for event in events if event.type in (PATH_REVISED, LEARNER_CHANGED)}
        )
        facts = await self._library.facts_of_learners(tenant, description, learner_ids)
        wholly = {event.event.learner_id for event in events if event.type == LEARNER_CHANGED}
        dated = any(event.type in (LEARNER_CHANGED, ADULT_CHANGED) for event in events)
        days, slots = days_and_slots(week, description) if dated else ((), ())
        for learner_id in learner_ids:
            known = facts.learners.get(learner_id)
            if known is None:
                continue
            here = known.active and bool(known.site_ids) and known.site_ids[0] == description.site_id
            if not here:
                found.append(change.LearnerLeft(learner_id))
                continue
            needs = needs_of(facts, known)
            shown, later = not_asked(facts, learner_id, needs)
            if learner_id in wholly:
                learner = learner_of(facts, known, days, slots, events[-1].recorded_at // 60_000)
                found.append(change.LearnerChanged(learner, needs, shown, later))
            else:
                found.append(change.NeedsChanged(learner_id, needs, shown, later))
        staff = {member.adult: member for member in description.staff}
        for event in events:
            match event.event:
                case OverrideGiven() as given:
                    found.append(change.OverrideGiven(wire.read(Override, given.content.encode())))
                case OverrideWithdrawn():
                    found.append(change.OverrideWithdrawn(event.stream.rpartition(":")[2]))
                case _ if event.type == ADULT_CHANGED and event.event.adult_id in staff:
                    adult = adult_of(staff[event.event.adult_id], event.event, days, slots, description)
                    if not event.event.active:
                        adult = dataclasses.replace(adult, available=())
                    found.append(change.AdultChanged(adult))
                case _ if event.type == LEARNER_ERASED:
                    found.append(change.LearnerLeft(event.event.learner_id))
        return found


def when_facts_changed_then_repair(planner: Planner, library: Library, models: Models) -> Reaction:
    """The reaction, over the read models that must have seen the events first."""
    return Reaction(
        "when_facts_changed_then_repair",
        frozenset(
            {PATH_REVISED, LEARNER_CHANGED, LEARNER_ERASED, ADULT_CHANGED, "override.given", "override.withdrawn"}
        ),
        Repairs(planner, library, models).react,
        after=("learners_of_site", "adults", "path_of_learner", "competencies", "overrides", "plans", "sites"),
    )
