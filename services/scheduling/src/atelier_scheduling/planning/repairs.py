"""Repairing the planned weeks of one site after a batch of events; nobody else is moved."""

import dataclasses
from collections.abc import Sequence

from atelier_common.commit import RecordedEvent
from atelier_common.projection import ReadModel

from atelier_scheduling.domain.override import OverrideGiven, OverrideWithdrawn
from atelier_scheduling.domain.plan import ProposePlan, RefusePlan
from atelier_scheduling.domain.site_description import SiteDescription
from atelier_scheduling.engine import changes as change
from atelier_scheduling.engine import wire
from atelier_scheduling.engine.overrides import Override
from atelier_scheduling.planning.assembling import adult_of, learner_of
from atelier_scheduling.planning.calendar import days_and_slots, week_at
from atelier_scheduling.planning.needs import needs_of, not_asked
from atelier_scheduling.planning.planner import Planner
from atelier_scheduling.planning.reading import Library
from atelier_scheduling.projections.neighbours import ADULT_CHANGED, LEARNER_CHANGED, LEARNER_ERASED, PATH_REVISED

_REASONS = {PATH_REVISED: "path", "override.given": "override", "override.withdrawn": "override"}
CAUSES = frozenset(
    {PATH_REVISED, LEARNER_CHANGED, LEARNER_ERASED, ADULT_CHANGED, "override.given", "override.withdrawn"}
)
"""The stored types of the events after which weeks are repaired."""


async def planned_weeks(plans: ReadModel, tenant: str, site_id: str, now: int) -> list[str]:
    """The weeks of a site that have a plan and are not over at this moment, in order."""
    documents = await plans.all(tenant, "site", site_id, site_id)
    return sorted(
        document["week"]
        for _, document in documents
        if document["week"] >= week_at(now) and (document["proposed"] or document["published"])
    )


class Repairs:
    """Collects what events change for a planned week, and has it repaired once."""

    def __init__(self, planner: Planner, library: Library) -> None:
        self._planner = planner
        self._library = library

    async def of_week(
        self, tenant: str, site_id: str, week: str, events: Sequence[RecordedEvent]
    ) -> ProposePlan | RefusePlan | None:
        """What these events make of a site's week; None where nothing changes."""
        description = await self._library.site(tenant, site_id)
        changes = await self._changes(tenant, description, week, events)
        if not changes:
            return None
        reasons = {_REASONS.get(event.type, "forced") for event in events}
        reason = "override" if "override" in reasons else "forced" if "forced" in reasons else "path"
        causes = [(event.id, event.event.learner_id if event.type == PATH_REVISED else "") for event in events]
        return await self._planner.repair(tenant, site_id, week, changes, reason, causes, events[-1].recorded_at)

    async def _changes(
        self, tenant: str, description: SiteDescription, week: str, events: Sequence[RecordedEvent]
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
