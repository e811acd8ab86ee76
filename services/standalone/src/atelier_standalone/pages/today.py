"""The school today: sites, the newest week of each, its figures, its alarms, what is owed."""

from typing import Any

from atelier_common.http.kit import CallerDep, require
from fastapi import APIRouter
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from atelier_standalone.pages import owing, words
from atelier_standalone.pages.people import UNKNOWN, Names
from atelier_standalone.pages.rendering import STAFF, page
from atelier_standalone.pages.sites import Document, Sites
from atelier_standalone.system import Atelier


def today_routes(atelier: Atelier) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    sites, names = Sites(atelier), Names(atelier)

    @router.get("/")
    async def today(caller: CallerDep) -> Response:
        """Staff see the school today; a student or guardian is led to the weeks that concern them."""
        if caller.has(*STAFF):
            shown = [await _site(atelier, caller.tenant, sites, one) for one in await sites.of(caller)]
            parked = await atelier.assessment.parts.parked.scan(caller.tenant, limit=100)
            return page("today.html", caller, sites=shown, parked=len(parked))
        require(caller, "student", "guardian")
        mine = sorted(caller.learners)
        if len(mine) == 1:
            return RedirectResponse(f"/learners/{mine[0]}/week", 303)
        known = await names.learners(caller.tenant, mine)
        children = [{"learner_id": one, "name": known.get(one, UNKNOWN)} for one in mine]
        return page("family.html", caller, children=children)

    @router.get("/sites/{site_id}/learners")
    async def learners(site_id: str, caller: CallerDep) -> Response:
        """The active learners of a site by name, with their pages."""
        site = await sites.one(caller, site_id)
        found = await atelier.scheduling.desk.models.learners.all(caller.tenant, "site", site_id, site_id)
        active = [key for key, document in found if document["active"]]
        known = await names.learners(caller.tenant, active)
        shown = [{"learner_id": one, "name": known.get(one, UNKNOWN)} for one in active]
        return page("learners.html", caller, site=site, learners=sorted(shown, key=lambda one: one["name"]))

    return router


async def _site(atelier: Atelier, tenant: str, sites: Sites, site: Document) -> dict[str, Any]:
    zone = str(site["time_zone"])
    shown: dict[str, Any] = {
        "site_id": site["site_id"],
        "title": site["title"],
        "model": site["model"],
        "on": site["on"],
        "today": words.today(atelier.clock.now(), zone),
        "time_zone": zone,
        "week": None,
    }
    weeks = await sites.weeks(tenant, site["site_id"])
    if not weeks:
        return shown
    newest = weeks[0]
    held = newest["published"] or newest["proposed"]
    shown |= {
        "week": newest["week"],
        "published": newest["published"],
        "proposed": newest["proposed"],
        "refused": newest["refused"],
        "other_weeks": [one["week"] for one in weeks[1:6]],
        "held": held,
        "alarms": [],
    }
    if held is None:
        return shown
    _, view = await atelier.scheduling.desk.view(
        tenant, site["site_id"], newest["week"], proposed=newest["published"] is None
    )
    figures = held["figures"]
    shown |= {
        "figures": figures,
        "independent": figures["minutes_independent"] / max(1, figures["minutes_on_site"]),
        "served": figures["needs_served"] / max(1, figures["needs"]),
        "owed": figures["obligations_owed"],
        "alarms": owing.alarms(view.plan.alarms),
        "unsafe": [] if held.get("safe", True) else held.get("violations", []),
    }
    return shown
