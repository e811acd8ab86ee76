"""What people and partners ask of scheduling, independent of how they ask: the HTTP and gRPC doors only translate."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from atelier_common.commands import Accepted, Commands, Request
from atelier_common.commit import Context
from atelier_common.errors import InvalidInput, NotFound, RuleBroken
from atelier_common.eventstore.port import EventStore
from atelier_common.ids import derive_id
from atelier_common.privacy.keysource import KeySource
from pydantic import ValidationError

from atelier_scheduling.domain.override import OVERRIDE, GiveOverride, WithdrawOverride
from atelier_scheduling.domain.plan import PLAN, PublishPlan, plan_key
from atelier_scheduling.domain.site import SITE, DescribeSite
from atelier_scheduling.domain.site_description import SiteDescription
from atelier_scheduling.engine import changes as change
from atelier_scheduling.engine import wire
from atelier_scheduling.engine.needs import Focus, FocusKind
from atelier_scheduling.engine.overrides import Override
from atelier_scheduling.engine.plan import Plan
from atelier_scheduling.engine.questions import Asking, Question
from atelier_scheduling.engine.rendering import sentence
from atelier_scheduling.planning import solving
from atelier_scheduling.planning.calendar import dates_of, week_after
from atelier_scheduling.planning.planner import Planner
from atelier_scheduling.planning.reading import Library, Models
from atelier_scheduling.planning.views import PlanView

_ATELIER_ID = ("adu_", "lrn_")


@dataclass(frozen=True)
class Desk:
    """The use cases of scheduling. Every call names its tenant; writes carry a Context."""

    store: EventStore
    commands: Commands
    planner: Planner
    library: Library
    models: Models
    keys: KeySource

    async def describe_site(self, given: Mapping[str, Any], context: Context, expected: int | None) -> Accepted:
        """Store a site's description; the same again changes nothing. Raises InvalidInput naming the field."""
        try:
            description = SiteDescription.model_validate(given)
        except ValidationError as error:
            raise InvalidInput(
                "the site's description is not valid",
                errors=[
                    {"pointer": "/" + "/".join(map(str, one["loc"])), "detail": one["msg"]}
                    for one in error.errors(include_url=False, include_input=False)[:50]
                ],
            ) from error
        description = await self._with_atelier_ids(context.tenant, description)
        digest = await self.store.put_part(context.tenant, description.model_dump_json().encode())
        command = DescribeSite(
            description.site_id, digest, description.title, description.model, description.time_zone, context.now
        )
        return await self.commands.execute(Request(SITE, description.site_id, command, context, expected))

    async def _with_atelier_ids(self, tenant: str, description: SiteDescription) -> SiteDescription:
        """The description with every sourcedId of a person replaced by the Atelier id."""

        async def adult(id: str) -> str:
            return id if id.startswith(_ATELIER_ID) else await self.keys.pseudonym(tenant, "adult", id)

        async def learner(id: str) -> str:
            return id if id.startswith(_ATELIER_ID) else await self.keys.pseudonym(tenant, "learner", id)

        staff = []
        for member in description.staff:
            contract = member.contract.model_copy(
                update={
                    "common_planning_with": tuple([await adult(one) for one in member.contract.common_planning_with])
                }
            )
            bound_to = await learner(member.bound_to) if member.bound_to else None
            staff.append(
                member.model_copy(
                    update={"adult": await adult(member.adult), "bound_to": bound_to, "contract": contract}
                )
            )
        placements = [one.model_copy(update={"learner": await learner(one.learner)}) for one in description.placements]
        routine = [
            one.model_copy(update={"learners": tuple([await learner(id) for id in one.learners])})
            for one in description.routine
        ]
        return description.model_copy(
            update={"staff": tuple(staff), "placements": tuple(placements), "routine": tuple(routine)}
        )

    async def propose(self, site_id: str, week: str, context: Context, reason: str = "request") -> Accepted:
        """Plan a week now and propose it. An empty week means the next one."""
        description = await self.library.site(context.tenant, site_id)
        week = week or week_after(context.now, description)
        dates_of(week, description)
        # Solving again would give another plan, since facts and time have gone on: a repeat is answered from the log.
        found = await self.store.find_command(context.tenant, f"plan/{plan_key(site_id, week)}", context.command_id)
        if found is not None:
            return Accepted(found.stream, found.version, found.position, found.result, True)
        command = await self.planner.propose(context.tenant, site_id, week, reason, [], context.now)
        return await self.commands.execute(Request(PLAN, plan_key(site_id, week), command, context))

    async def examine(self, tenant: str, site_id: str, week: str, now: int) -> dict[str, Any]:
        """A week's diagnosis; an empty week means the next one."""
        week = week or week_after(now, await self.library.site(tenant, site_id))
        feasible, lines = await self.planner.examine(tenant, site_id, week, now)
        return {"site_id": site_id, "week": week, "feasible": feasible, "diagnosis": list(lines)}

    async def verdict(self, tenant: str, site_id: str, week: str) -> dict[str, Any]:
        """What the oracle finds wrong with a week's latest plan, judged anew; an empty week means the newest planned one."""
        week = week or await self.newest_week(tenant, site_id)
        latest = await self.planner.latest(tenant, site_id, week)
        findings = await self.planner.judge(tenant, latest.plan_digest)
        return {"site_id": site_id, "week": week, "plan_id": latest.plan_id, "findings": list(findings)}

    async def publish(
        self, site_id: str, week: str, plan_id: str, acknowledges_owed: bool, context: Context
    ) -> Accepted:
        """Publish what is proposed. Raises RuleBroken where it is unsafe, superseded or owes what nobody acknowledged."""
        await self.planner.must_be_safe(context.tenant, plan_key(site_id, week))
        command = PublishPlan(plan_id, context.actor, False, acknowledges_owed, context.now)
        return await self.commands.execute(Request(PLAN, plan_key(site_id, week), command, context))

    async def after(self, tenant: str, accepted: Accepted) -> dict[str, Any]:
        """The week's document, once it shows what a command did."""
        await self.models.plans.caught_up(tenant, accepted.stream, accepted.version)
        site_id, _, week = accepted.stream.partition("/")[2].rpartition(":")
        return await self.plan_document(tenant, site_id, week)

    async def plan_document(self, tenant: str, site_id: str, week: str) -> dict[str, Any]:
        document = await self.models.plans.get(tenant, plan_key(site_id, week))
        if document is None:
            raise NotFound(f"there is no plan of {site_id} for {week}")
        return document

    async def view(
        self, tenant: str, site_id: str, week: str, *, proposed: bool = False
    ) -> tuple[dict[str, Any], PlanView]:
        """The published plan of a week, or the proposal; where only one of them exists, that one."""
        document = await self.plan_document(tenant, site_id, week)
        first, second = ("proposed", "published") if proposed else ("published", "proposed")
        held = document[first] or document[second]
        if held is None:
            raise NotFound(
                f"there is no plan of {site_id} for {week}", diagnosis=(document["refused"] or {}).get("diagnosis")
            )
        plan = (await self.library.plan(tenant, held["plan_digest"])).plan
        description = await self.library.site(tenant, site_id)
        return held, PlanView(plan, description, await self.titles(tenant, plan))

    async def titles(self, tenant: str, plan: Plan) -> dict[str, str]:
        """What the foci of a plan are called."""
        ids = {session.focus.id for session in plan.sessions if session.focus}
        ids |= {focus.id for studio in plan.studios for focus in studio.shared_gap}
        ids |= {unserved.need.partition(":")[2] for unserved in plan.unserved}
        return {key: one.statement for key, one in (await self.library.competencies(tenant, sorted(ids))).items()}

    async def site_of(self, tenant: str, learner_id: str) -> str:
        document = await self.models.learners.get(tenant, learner_id)
        if document is None:
            raise NotFound("no such learner")
        return str(document["site"])

    async def newest_week(self, tenant: str, site_id: str) -> str:
        """The last week that has a plan. Raises NotFound."""
        weeks = [
            document["week"]
            for _, document in await self.models.plans.all(tenant, "site", site_id, site_id)
            if document["proposed"] or document["published"]
        ]
        if not weeks:
            raise NotFound(f"no week of {site_id} is planned yet")
        return str(max(weeks))

    async def explain(
        self,
        tenant: str,
        learner_id: str,
        week: str,
        asking: Asking,
        minute: int,
        wish: Mapping[str, str],
        *,
        proposed: bool,
    ) -> dict[str, Any]:
        """Why, why not, or what would change it, in sentences that this learner may read."""
        site_id = await self.site_of(tenant, learner_id)
        held, view = await self.view(
            tenant, site_id, week or await self.newest_week(tenant, site_id), proposed=proposed
        )
        focus = None
        if wish.get("focus"):
            known = await self.library.competencies(tenant, [wish["focus"]])
            subject = known[wish["focus"]].subject if wish["focus"] in known else ""
            focus = Focus(FocusKind.COMPETENCY, wish["focus"], subject)
        question = Question(
            asking, learner_id, minute, focus, wish.get("adult", ""), wish.get("zone", ""), wish.get("session", "")
        )
        said = await self.planner.answer(tenant, held["plan_digest"], question)
        titles = await self.titles(tenant, view.plan)
        if focus is not None:
            titles.update({focus.id: (await self.library.competencies(tenant, [focus.id]))[focus.id].statement})
        return {
            "learner_id": learner_id,
            "asking": str(said.asking),
            "session": said.session,
            "placed_by": str(said.placed_by) if said.placed_by else "",
            "reasons": [{"code": one.code, "sentence": sentence(one, titles)} for one in said.reasons],
            "would_change": [{"code": one.code, "sentence": sentence(one, titles)} for one in said.would_change],
        }

    async def give_override(self, site_id: str, week: str, override: Override, context: Context) -> Accepted:
        """Accept a person's decision, once a trial says that it can be kept. Raises RuleBroken naming the safety rule."""
        stream = f"{OVERRIDE.category}/{site_id}:{override.id}"
        found = await self.store.find_command(context.tenant, stream, context.command_id)
        if found is not None:
            # A repeat was tried when it came first; what is compared with the first is the decision, not its minute.
            given_at = wire.read(Override, OVERRIDE.registry.decode(found.events[0]).content.encode()).given_at
            override = dataclasses.replace(override, given_at=given_at)
        elif week:
            trial = await self.planner.trial(context.tenant, site_id, week, [change.OverrideGiven(override)])
            for standing in trial.standings:
                if standing.override_id == override.id and standing.standing == solving.REFUSED:
                    raise RuleBroken(
                        f"this would break the safety rule {standing.rule}; nothing was changed", rule=standing.rule
                    )
        command = GiveOverride(
            override.id,
            site_id,
            override.owner,
            override.reason,
            override.scope.start,
            override.scope.end,
            override.expires,
            wire.write(override).decode(),
            context.now,
        )
        return await self.commands.execute(Request(OVERRIDE, f"{site_id}:{override.id}", command, context))

    async def withdraw_override(self, site_id: str, override_id: str, reason: str, context: Context) -> Accepted:
        command = WithdrawOverride(context.actor, reason, context.now)
        return await self.commands.execute(Request(OVERRIDE, f"{site_id}:{override_id}", command, context))

    async def unsafe_plans(self, tenant: str) -> list[tuple[str, str]]:
        """Every published plan that holds and in which the oracle finds something: (plan, finding). None, if all is well."""
        found = []
        for key, document in await self.models.plans.all(tenant):
            held = document["published"]
            if held is not None:
                found += [
                    (f"{key} {held['plan_id']}", each) for each in await self.planner.judge(tenant, held["plan_digest"])
                ]
        return found

    def override_id(self, context: Context) -> str:
        """The id of an override that is given with this command."""
        return derive_id(context.tenant, context.command_id, "override")
