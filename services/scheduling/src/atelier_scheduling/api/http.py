"""The HTTP door of scheduling: sites, plans, timetables, overrides. It translates and delegates."""

from typing import Annotated, Any

from atelier_common.clock import Clock
from atelier_common.commands import Accepted
from atelier_common.errors import InvalidInput, NotFound
from atelier_common.http.kit import (
    AfterDep,
    CallerDep,
    JsonResponse,
    command_context,
    etag,
    if_match,
    require,
    require_learner,
)
from atelier_common.service import Service
from atelier_words.plain import without_grades
from fastapi import APIRouter, Body, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from atelier_scheduling.api.roles import PLANNERS, STAFF
from atelier_scheduling.engine.needs import Focus, FocusKind
from atelier_scheduling.engine.overrides import Override, OverrideAction
from atelier_scheduling.engine.questions import Asking
from atelier_scheduling.engine.times import Interval
from atelier_scheduling.planning.desk import Desk
from atelier_scheduling.planning.published_file import PublishedTimetables

NEWEST = "newest"
"""In place of a week: the last one that is planned."""
LARGER_BODIES = {"/scheduling/v1/sites": 8_000_000}
"""Paths whose bodies may be larger than a megabyte: a site's description."""


class PublicationIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    plan_id: str = ""
    acknowledge_owed: bool = False


class OverrideIn(BaseModel):
    """A person's decision. Times are milliseconds UTC; ``focus`` is a competency unless ``focus_kind`` says otherwise."""

    model_config = ConfigDict(extra="forbid")
    action: OverrideAction
    reason: str = Field(min_length=1, max_length=2000)
    starts_at_ms: int
    ends_at_ms: int
    expires_at_ms: int | None = None
    learners: tuple[str, ...] = ()
    adults: tuple[str, ...] = ()
    focus: str = ""
    focus_kind: FocusKind = FocusKind.COMPETENCY
    subject: str = ""
    kind: str = ""
    studio: str = ""
    session: str = ""
    zone: str = ""
    home_group: str = ""
    week: str = ""
    restricted: bool = False

    def to_override(self, override_id: str, owner: str, now: int) -> Override:
        return Override(
            id=override_id,
            owner=owner,
            reason=self.reason,
            action=self.action,
            scope=Interval(self.starts_at_ms // 60_000, self.ends_at_ms // 60_000),
            expires=None if self.expires_at_ms is None else self.expires_at_ms // 60_000,
            learners=self.learners,
            adults=self.adults,
            focus=Focus(self.focus_kind, self.focus, self.subject) if self.focus else None,
            kind=self.kind,
            studio=self.studio,
            session=self.session,
            zone=self.zone,
            home_group=self.home_group,
            given_at=now // 60_000,
            restricted=self.restricted,
        )


def routes(desk: Desk, service: Service, files: PublishedTimetables, clock: Clock) -> APIRouter:
    """Everything scheduling answers over HTTP, under ``/scheduling/v1``."""
    router = APIRouter(prefix="/scheduling/v1")
    _sites(router, desk, clock)
    _plans(router, desk, service, clock)
    _timetables(router, desk, files)
    _overrides(router, desk, clock)
    return router


def accepted(outcome: Accepted, status: int = 200) -> JsonResponse:
    """The answer to a command: stream and version (give them back as ``after=``), and what the command itself says."""
    content = {
        "stream": outcome.stream,
        "version": outcome.version,
        "repeated": outcome.repeated,
        "result": outcome.result,
    }
    return JsonResponse(content, status, {"ETag": etag(outcome.version)})


async def _catch_up(service: Service, name: str, tenant: str, after: Any) -> None:
    if after is not None:
        await service.read(name).caught_up(tenant, after.stream, after.version)


def _sites(router: APIRouter, desk: Desk, clock: Clock) -> None:
    @router.put("/sites/{site_id}", tags=["sites"])
    async def describe_site(
        site_id: str, given: Annotated[dict[str, Any], Body()], request: Request, caller: CallerDep
    ) -> JsonResponse:
        """Store a site's description: zones, bells, adults, kinds of session, rules. The same again changes nothing."""
        require(caller, "district-admin", "principal")
        if given.get("site_id", site_id) != site_id:
            raise InvalidInput("the description names another site than the address", field="site_id")
        context = command_context(request, caller, clock)
        return accepted(await desk.describe_site({**given, "site_id": site_id}, context, if_match(request)))

    @router.get("/sites", tags=["sites"])
    async def list_sites(caller: CallerDep) -> JsonResponse:
        """The tenant's sites."""
        require(caller, *STAFF)
        return JsonResponse({"sites": [document for _, document in await desk.models.sites.all(caller.tenant)]})

    @router.get("/sites/{site_id}", tags=["sites"])
    async def get_site(site_id: str, caller: CallerDep) -> JsonResponse:
        """The description that holds."""
        require(caller, *STAFF)
        description = await desk.library.site(caller.tenant, site_id)
        document = await desk.models.sites.get(caller.tenant, site_id) or {}
        return JsonResponse(description.model_dump(mode="json"), 200, {"ETag": etag(document["version"])})


def _plans(router: APIRouter, desk: Desk, service: Service, clock: Clock) -> None:
    @router.post("/sites/{site_id}/plans", tags=["plans"])
    async def propose(site_id: str, request: Request, caller: CallerDep, week: str = "") -> JsonResponse:
        """Plan a week (the next one where none is named) and propose it. Publishes nothing."""
        require(caller, *PLANNERS)
        return accepted(await desk.propose(site_id, week, command_context(request, caller, clock)), 201)

    @router.get("/sites/{site_id}/plans", tags=["plans"])
    async def list_plans(site_id: str, caller: CallerDep, after: AfterDep) -> JsonResponse:
        """The planned weeks of a site."""
        require(caller, *STAFF)
        await _catch_up(service, "plans", caller.tenant, after)
        documents = await desk.models.plans.all(caller.tenant, "site", site_id, site_id)
        return JsonResponse({"plans": [document for _, document in documents]})

    @router.get("/sites/{site_id}/plans/{week}", tags=["plans"])
    async def get_plan(site_id: str, week: str, caller: CallerDep, after: AfterDep) -> JsonResponse:
        """What waits, what holds and every version of the week, with reasons, moves and figures."""
        require(caller, *STAFF)
        await _catch_up(service, "plans", caller.tenant, after)
        return JsonResponse(await desk.plan_document(caller.tenant, site_id, week))

    @router.get("/sites/{site_id}/plans/{week}/verdict", tags=["plans"])
    async def verdict(site_id: str, week: str, caller: CallerDep) -> JsonResponse:
        """What the oracle finds wrong with the week's latest plan, judged anew from what is stored; "newest" is the last week."""
        require(caller, *PLANNERS)
        return JsonResponse(await desk.verdict(caller.tenant, site_id, "" if week == NEWEST else week))

    @router.post("/sites/{site_id}/plans/{week}/publication", tags=["plans"])
    async def publish(
        site_id: str, week: str, given: PublicationIn, request: Request, caller: CallerDep
    ) -> JsonResponse:
        """Publish the proposal. What is owed has to be acknowledged by the person who publishes."""
        require(caller, *PLANNERS)
        context = command_context(request, caller, clock)
        return accepted(await desk.publish(site_id, week, given.plan_id, given.acknowledge_owed, context))

    @router.get("/sites/{site_id}/diagnosis", tags=["plans"])
    async def diagnosis(site_id: str, caller: CallerDep, week: str = "") -> JsonResponse:
        """Whether a week can be supervised at all; what stands in the way, and what would help at what price."""
        require(caller, *PLANNERS)
        return JsonResponse(await desk.examine(caller.tenant, site_id, week, clock.now()))

    @router.get("/sites/{site_id}/owed", tags=["plans"])
    async def owed(site_id: str, caller: CallerDep, week: str = "", proposed: bool = False) -> JsonResponse:
        """What a week's plan owes, to whom and why."""
        require(caller, *PLANNERS)
        week = week or await desk.newest_week(caller.tenant, site_id)
        held, view = await desk.view(caller.tenant, site_id, week, proposed=proposed)
        return JsonResponse({"week": week, "plan_id": held["plan_id"], "owed": view.owed()})


def _timetables(router: APIRouter, desk: Desk, files: PublishedTimetables) -> None:
    @router.get("/learners/{learner_id}/timetable", tags=["timetables"])
    async def timetable(learner_id: str, caller: CallerDep, week: str = "", proposed: bool = False) -> JsonResponse:
        """A learner's week with the reason of every block. Published weeks answer while everything else is down."""
        require_learner(caller, learner_id, *STAFF)
        if not proposed:
            try:
                found = files.of_learner(caller.tenant, learner_id, week)
                return JsonResponse({"published": True, **(found if caller.has(*STAFF) else _for_family(found))})
            except NotFound:
                # Not published (yet): staff may see what is proposed; a learner sees published weeks only.
                if not caller.has(*STAFF):
                    raise
        require(caller, *STAFF)
        site_id = await desk.site_of(caller.tenant, learner_id)
        week = week or await desk.newest_week(caller.tenant, site_id)
        held, view = await desk.view(caller.tenant, site_id, week, proposed=True)
        return JsonResponse(
            {
                "published": held["state"] == "published",
                "site_id": site_id,
                "site": view.description.title,
                "week": week,
                "time_zone": view.description.time_zone,
                "plan_id": held["plan_id"],
                "blocks": view.week_of(learner_id),
            }
        )

    @router.get("/sites/{site_id}/days/{date}", tags=["timetables"])
    async def day(
        site_id: str, date: str, caller: CallerDep, week: str = "", proposed: bool = False, studios: bool = False
    ) -> JsonResponse:
        """The sessions of a date; with ``studios`` only instructional ones, with members, shared gap and adults."""
        require(caller, *STAFF)
        week = week or await desk.newest_week(caller.tenant, site_id)
        held, view = await desk.view(caller.tenant, site_id, week, proposed=proposed)
        sessions = view.studios_on(date) if studios else view.day(date)
        return JsonResponse({"week": week, "date": date, "plan_id": held["plan_id"], "sessions": sessions})

    @router.get("/learners/{learner_id}/explanation", tags=["timetables"])
    async def explain(
        learner_id: str,
        caller: CallerDep,
        at_ms: Annotated[int, Query(description="a moment of the block asked about, milliseconds UTC")],
        asking: Asking = Asking.WHY,
        week: str = "",
        focus: str = "",
        adult: str = "",
        zone: str = "",
        session: str = "",
        proposed: bool = False,
    ) -> JsonResponse:
        """Why the learner is there, why not elsewhere, or what would change it."""
        require_learner(caller, learner_id, *STAFF)
        wish = {"focus": focus, "adult": adult, "zone": zone, "session": session}
        proposed = proposed and caller.has(*STAFF)
        said = await desk.explain(caller.tenant, learner_id, week, asking, at_ms // 60_000, wish, proposed=proposed)
        return JsonResponse(said if caller.has(*STAFF) else _for_family(said))


def _for_family(said: Any) -> Any:
    """The same without the grades that a framework's own words may name."""
    if isinstance(said, str):
        return without_grades(said)
    if isinstance(said, dict):
        return {name: _for_family(value) for name, value in said.items()}
    return [_for_family(value) for value in said] if isinstance(said, list) else said


def _overrides(router: APIRouter, desk: Desk, clock: Clock) -> None:
    @router.post("/sites/{site_id}/overrides", tags=["overrides"])
    async def give(site_id: str, given: OverrideIn, request: Request, caller: CallerDep) -> JsonResponse:
        """Decide. No later solve undoes it; one that would break safety is refused and the rule named."""
        require(caller, *STAFF)
        context = command_context(request, caller, clock)
        override = given.to_override(desk.override_id(context), caller.subject, context.now)
        outcome = await desk.give_override(site_id, given.week, override, context)
        content = {"override_id": override.id, "stream": outcome.stream, "version": outcome.version}
        return JsonResponse(content, 201, {"ETag": etag(outcome.version)})

    @router.get("/sites/{site_id}/overrides", tags=["overrides"])
    async def list_overrides(site_id: str, caller: CallerDep) -> JsonResponse:
        """Every decision with its owner, reason, scope, expiry and standing."""
        require(caller, *STAFF)
        documents = await desk.models.overrides.all(caller.tenant, "site", site_id, site_id)
        return JsonResponse({"overrides": [document for _, document in documents]})

    @router.delete("/sites/{site_id}/overrides/{override_id}", tags=["overrides"])
    async def withdraw(
        site_id: str, override_id: str, request: Request, caller: CallerDep, reason: str = ""
    ) -> JsonResponse:
        """Take a decision back."""
        require(caller, *STAFF)
        context = command_context(request, caller, clock)
        return accepted(await desk.withdraw_override(site_id, override_id, reason, context))
