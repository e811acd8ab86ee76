"""Learners: lists, profiles, facts, supports, interests, choices, progress, erasure."""

from typing import Annotated, Any

from atelier_common.errors import InvalidInput
from atelier_common.http.kit import (
    AfterDep,
    CallerDep,
    JsonResponse,
    PageDep,
    command_context,
    etag,
    if_match,
    require,
    required_if_match,
)
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from atelier_profile.api.access import DISTRICT, STAFF, SUPPORT_STAFF, circles, only_family
from atelier_profile.api.answers import accepted_json, page_json
from atelier_profile.api.batches import record_supports_batch
from atelier_profile.api.bodies import (
    ChoiceBody,
    CohortBody,
    FactBody,
    InterestBody,
    SupportsBatchBody,
    SupportsBody,
    WithdrawalBody,
)
from atelier_profile.api.facts import facts_of, opened
from atelier_profile.api.supports import provenance, sealed_text, supports_command
from atelier_profile.domain.learner.commands import (
    AssignCohort,
    EraseLearner,
    MakeChoice,
    RecordFact,
    RemoveInterest,
    SetInterest,
    WithdrawFact,
)
from atelier_profile.domain.learner.decider import learner
from atelier_profile.domain.learner.values import Choice, Cohort, Fact, Interest, RankedChoice
from atelier_profile.domain.provenance import Visibility
from atelier_profile.profile import Profile
from atelier_profile.projections.learner_profile import site_order
from atelier_profile.projections.learner_progress import progress_of
from atelier_profile.reactions.when_learner_erased import REASON

FAMILY_FACTS = frozenset({"strength", "preference"})
"""Kinds of fact that a learner or guardian may record; the others are the staff's to observe."""


def learner_routes(profile: Profile) -> APIRouter:
    router = APIRouter(prefix="/profile/v1", tags=["learners"])

    async def version_of(tenant: str, learner_id: str) -> int:
        # The stream's own version, not the document's: an accepted command without events counts too.
        return (await profile.service.commands.load(learner, tenant, learner_id))[1]

    @router.get("/learners")
    async def list_learners(
        caller: CallerDep,
        page: PageDep,
        after: AfterDep,
        site: Annotated[str | None, Query(description="OneRoster org sourcedId of the primary site")] = None,
    ) -> Response:
        """Learners, in order of id; those who left are marked and not left out."""
        await profile.access.site(caller, site)
        if after is not None:
            await profile.learners.caught_up(caller.tenant, after.stream, after.version)
        field = "_id" if site is None else "site_order"
        low = page.start or (None if site is None else site_order(site, ""))
        high = None if site is None else site_order(site, "\uffff")
        found = await profile.learners.scan(caller.tenant, field, low, high, page.wanted)
        rows = [(key if site is None else document["site_order"], document) for key, document in found]
        documents, cursor = page.cut(rows)
        shown = [document for document in documents if not document.get("erased")]
        names = await opened(
            profile.keyring, caller.tenant, [{"display_name": one["entry"]["display_name"]} for one in shown]
        )
        items = [
            {
                "learner_id": one["learner_id"],
                "active": one["active"],
                "display_name": name["display_name"],
                "site_ids": one["entry"]["site_ids"],
            }
            for one, name in zip(shown, names, strict=True)
        ]
        return page_json(items, cursor)

    @router.get("/learners/{learner_id}")
    async def show_learner(learner_id: str, caller: CallerDep, after: AfterDep) -> Response:
        """What this reader may know of a learner: every fact with source, time, confidence, visibility; stale ones marked."""
        document = await profile.access.learner(caller, learner_id, after)
        facts = facts_of(
            document, circles(caller, await profile.access.is_family(caller, document)), profile.clock.now()
        )
        facts, name = await opened(
            profile.keyring, caller.tenant, [facts, {"display_name": document["entry"]["display_name"]}]
        )
        body: dict[str, Any] = {
            "learner_id": learner_id,
            "active": document["active"],
            "display_name": name["display_name"],
            "site_ids": document["entry"]["site_ids"],
            "facts": facts,
        }
        return JsonResponse(body, headers={"ETag": etag(await version_of(caller.tenant, learner_id))})

    @router.get("/learners/{learner_id}/facts")
    async def list_facts(
        learner_id: str,
        caller: CallerDep,
        after: AfterDep,
        kind: Annotated[str | None, Query(description="accommodation, service, interest, guardians ...")] = None,
    ) -> Response:
        """The facts of one kind, or all that this reader may see."""
        document = await profile.access.learner(caller, learner_id, after)
        facts = facts_of(
            document, circles(caller, await profile.access.is_family(caller, document)), profile.clock.now()
        )
        wanted = [fact for fact in facts if kind in (None, fact["kind"])]
        return JsonResponse({"items": await opened(profile.keyring, caller.tenant, wanted)})

    @router.post("/learners/{learner_id}/facts")
    async def record_fact(learner_id: str, body: FactBody, request: Request, caller: CallerDep) -> Response:
        """Record something observed, asked or told. Its id is the command's."""
        await profile.access.learner(caller, learner_id)
        if not caller.has(*STAFF) and body.kind not in FAMILY_FACTS:
            raise InvalidInput("a learner or guardian records strengths and preferences", field="kind", value=body.kind)
        context = command_context(request, caller, profile.clock)
        default = Visibility.RESTRICTED if body.kind == "basic-need" else Visibility.FAMILY
        value, digest = await sealed_text(profile.keyring, caller.tenant, learner_id, "value", body.value)
        fact = Fact(context.command_id, body.kind, value, provenance(body, caller, default))
        command = RecordFact(learner_id, fact, f"{body.kind}:{digest}", context.now)
        accepted = await profile.execute(learner, learner_id, command, context)
        return accepted_json(accepted, 201, fact_id=fact.fact_id)

    @router.delete("/learners/{learner_id}/facts/{fact_id}")
    async def withdraw_fact(
        learner_id: str, fact_id: str, request: Request, caller: CallerDep, body: WithdrawalBody | None = None
    ) -> Response:
        """Take a fact back. The log keeps that it was said."""
        await profile.access.learner(caller, learner_id, None, *STAFF)
        require(caller, *STAFF)
        context = command_context(request, caller, profile.clock)
        command = WithdrawFact(learner_id, fact_id, (body or WithdrawalBody()).reason, context.now)
        return accepted_json(await profile.execute(learner, learner_id, command, context, if_match(request)))

    @router.patch("/learners/{learner_id}/supports")
    async def edit_supports(learner_id: str, body: SupportsBody, request: Request, caller: CallerDep) -> Response:
        """Set and end accommodations, services, absences and circumstances of one learner; needs If-Match."""
        require(caller, *SUPPORT_STAFF)
        await profile.access.learner(caller, learner_id)
        version = required_if_match(request)
        context = command_context(request, caller, profile.clock)
        command = await supports_command(profile.keyring, caller, learner_id, body, context.now)
        return accepted_json(await profile.execute(learner, learner_id, command, context, version))

    @router.post("/supports")
    async def send_supports(body: SupportsBatchBody, request: Request, caller: CallerDep) -> Response:
        """Supports of many learners at once: all of them are valid, or none is recorded. What is known already is no news."""
        require(caller, *SUPPORT_STAFF)
        return JsonResponse(await record_supports_batch(profile, body, request, caller))

    @router.put("/learners/{learner_id}/interests/{topic}")
    async def set_interest(
        learner_id: str, topic: str, body: InterestBody, request: Request, caller: CallerDep
    ) -> Response:
        """Name an interest, or renew it. It expires, and it never excludes anybody from anything."""
        await profile.access.learner(caller, learner_id)
        context = command_context(request, caller, profile.clock)
        interest = Interest(topic, body.strength, provenance(body, caller, Visibility.FAMILY))
        command = SetInterest(learner_id, interest, context.now)
        return accepted_json(await profile.execute(learner, learner_id, command, context, if_match(request)))

    @router.delete("/learners/{learner_id}/interests/{topic}")
    async def remove_interest(learner_id: str, topic: str, request: Request, caller: CallerDep) -> Response:
        await profile.access.learner(caller, learner_id)
        context = command_context(request, caller, profile.clock)
        command = RemoveInterest(learner_id, topic, context.now)
        return accepted_json(await profile.execute(learner, learner_id, command, context, if_match(request)))

    @router.put("/learners/{learner_id}/choices/{choice_id}")
    async def make_choice(
        learner_id: str, choice_id: str, body: ChoiceBody, request: Request, caller: CallerDep
    ) -> Response:
        """Rank what the learner would rather do."""
        only_family(caller, learner_id)
        await profile.access.learner(caller, learner_id)
        context = command_context(request, caller, profile.clock)
        ranked = tuple(RankedChoice(wish.kind, wish.focus_id, rank) for rank, wish in enumerate(body.wishes, start=1))
        choice = Choice(choice_id, ranked, provenance(body, caller, Visibility.FAMILY))
        return accepted_json(
            await profile.execute(learner, learner_id, MakeChoice(learner_id, choice, context.now), context)
        )

    @router.put("/learners/{learner_id}/cohorts/{study_id}")
    async def assign_cohort(
        learner_id: str, study_id: str, body: CohortBody, request: Request, caller: CallerDep
    ) -> Response:
        """Assign the learner to an arm of a study, once."""
        require(caller, *DISTRICT)
        await profile.access.learner(caller, learner_id)
        context = command_context(request, caller, profile.clock)
        cohort = Cohort(study_id, body.arm, provenance(body, caller, Visibility.REPORTING))
        command = AssignCohort(learner_id, cohort, context.now)
        return accepted_json(await profile.execute(learner, learner_id, command, context))

    @router.get("/learners/{learner_id}/progress")
    async def show_progress(learner_id: str, caller: CallerDep, after: AfterDep) -> Response:
        """What the learner has shown. One answer for learner, guardian and coach: there is no second number."""
        document = await profile.access.learner(caller, learner_id)
        if after is not None:
            await profile.progress.caught_up(caller.tenant, after.stream, after.version)
        found = await progress_of(profile.progress, caller.tenant, learner_id)
        competencies = [{name: value for name, value in held.items() if name != "learner"} for held in found]
        earned = sum(held["earned"] for held in competencies)
        plan = await profile.plans.get(caller.tenant, document["site"])
        body = {"learner_id": learner_id, "earned_count": earned, "competencies": competencies, "plan": plan}
        return JsonResponse(body)

    @router.post("/learners/{learner_id}/erasure")
    async def erase_learner(learner_id: str, request: Request, caller: CallerDep) -> Response:
        """Destroy the learner's key for good. Everything sealed under it reads as erased, here and in every copy."""
        require(caller, *DISTRICT)
        context = command_context(request, caller, profile.clock)
        command = EraseLearner(learner_id, context.command_id, context.now)
        accepted = await profile.execute(learner, learner_id, command, context)
        await profile.keyring.erase(caller.tenant, learner_id, REASON, context.command_id)
        return accepted_json(accepted, 202, request_id=context.command_id)

    return router
