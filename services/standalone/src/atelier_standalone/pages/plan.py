"""A week's plan for those who answer for it: versions, who moves and why, what is owed, what people decided."""

from collections.abc import Mapping
from typing import Any

from atelier_common.http.kit import CallerDep
from atelier_scheduling.engine import wire
from atelier_scheduling.engine.difference import difference
from atelier_scheduling.engine.overrides import Override
from atelier_scheduling.engine.plan import Move, Plan
from atelier_scheduling.engine.times import local_of
from atelier_scheduling.planning.views import PlanView, clock
from fastapi import APIRouter
from starlette.responses import Response

from atelier_standalone.pages import owing, words
from atelier_standalone.pages.people import UNKNOWN, Names
from atelier_standalone.pages.rendering import page
from atelier_standalone.pages.sites import Document, Sites
from atelier_standalone.system import Atelier

_SHOWN = 300
"""Moves that one page lists; beyond it the page says how many more there are."""
_STANDINGS = {"given": "in force", "suspended": "suspended", "refused": "refused", "withdrawn": "withdrawn"}


def plan_routes(atelier: Atelier) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    sites, names, desk = Sites(atelier), Names(atelier), atelier.scheduling.desk

    @router.get("/sites/{site_id}/plans/{week}")
    async def plan(site_id: str, week: str, caller: CallerDep) -> Response:
        """Everything about one week of one site."""
        site = await sites.one(caller, site_id)
        tenant = caller.tenant
        document = await desk.plan_document(tenant, site_id, week)
        shown: dict[str, Any] = {
            "site": site,
            "week": week,
            "document": document,
            "versions": list(reversed(document["versions"])),
            "reasons": words.REASONS,
            "owed": [],
            "alarms": [],
            "moves": [],
            "more_moves": 0,
            "moved_learners": 0,
            "compares": "",
            "overrides": await _overrides(atelier, tenant, site_id, site["time_zone"]),
        }
        newest = document["proposed"] or document["published"]
        if newest is not None:
            _, view = await desk.view(tenant, site_id, week, proposed=document["proposed"] is not None)
            moves, compares, before = await _moves(atelier, tenant, document)
            owed = view.owed()
            known = await names.everybody(
                tenant, {*(line["owed_to"] for line in owed), *(one.learner for one in moves), *_owners(shown)}
            )
            shown |= {
                "newest": newest,
                "owed": [_owed(line, known) for line in owed],
                "alarms": owing.alarms(view.plan.alarms),
                "moves": [_move(one, before, view, known) for one in moves[:_SHOWN]],
                "more_moves": max(0, len(moves) - _SHOWN),
                "moved_learners": len({one.learner for one in moves}),
                "compares": compares,
                "overrides": [{**one, "owner": known.get(one["owner"], one["owner"])} for one in shown["overrides"]],
            }
        return page("plan.html", caller, **shown)

    async def _moves(atelier: Atelier, tenant: str, document: Document) -> tuple[list[Move], str, PlanView | None]:
        """What the newest plan changes, against what holds; against the proposal before it where nothing holds yet."""
        newest = document["proposed"] or document["published"]
        held = document["published"] if document["proposed"] else None
        others = [one for one in document["versions"] if one["plan_id"] == newest["previous_plan_id"]]
        against = held or (others[-1] if others else None)
        if against is None:
            return [], "", None
        library = atelier.scheduling.desk.library
        before = (await library.plan(tenant, against["plan_digest"])).plan
        after = (await library.plan(tenant, newest["plan_digest"])).plan
        forced = {one["learner_id"]: one["reason_code"] for one in newest["moves"] if one["forced"]}
        found = list(difference(before, after, forced).moves)
        compares = "what is published" if held else "the version before it"
        return found, compares, await _view(atelier, tenant, before)

    async def _view(atelier: Atelier, tenant: str, plan: Plan) -> PlanView:
        description = await atelier.scheduling.desk.library.site(tenant, plan.site)
        return PlanView(plan, description, await atelier.scheduling.desk.titles(tenant, plan))

    return router


def _owners(shown: Mapping[str, Any]) -> set[str]:
    return {one["owner"] for one in shown["overrides"]}


def _owed(line: dict[str, Any], known: Mapping[str, str]) -> dict[str, Any]:
    is_learner = str(line["owed_to"]).startswith("lrn_")
    return {
        **line,
        "name": known.get(line["owed_to"], UNKNOWN),
        "learner_id": line["owed_to"] if is_learner else "",
        "kind": owing.obligation(line["obligation"]),
        "why": owing.why(line["code"], line["why"]),
    }


def _move(move: Move, before: PlanView | None, after: PlanView, known: Mapping[str, str]) -> dict[str, Any]:
    zone = after.description.time_zone
    date, _ = local_of(move.interval.start, zone)
    return {
        "learner_id": move.learner,
        "name": known.get(move.learner, UNKNOWN),
        "date": date,
        "start": clock(move.interval.start, zone),
        "end": clock(move.interval.end, zone),
        "before": _session(before, move.before),
        "after": _session(after, move.after),
        "forced": move.forced,
        "why": words.MOVES.get(move.code, words.label(move.code)) + "." if move.code else _receipt(after, move),
    }


def _receipt(after: PlanView, move: Move) -> str:
    """Why the learner is at the new place, as the plan itself says it."""
    blocks = after.week_of(move.learner)
    found = (
        one for one in blocks if one["session"] == move.after and one["starts_at_ms"] == move.interval.start * 60_000
    )
    return str(next((one["why"] for one in found), "The place before is not there any more."))


def _session(view: PlanView | None, session_id: str) -> str:
    if view is None or not session_id:
        return "nothing"
    session = next((one for one in view.plan.sessions if one.id == session_id), None)
    if session is None:
        return "nothing"
    place = next((one.name for one in view.description.zones if one.id == session.zone), session.zone)
    title = view.title(session)
    teaches = session.focus is not None and session.focus.id != session.kind
    what = title if teaches else f"{words.title(words.label(session.kind))} with {title}"
    return f"{what} ({place})"


async def _overrides(atelier: Atelier, tenant: str, site_id: str, time_zone: str) -> list[dict[str, Any]]:
    """Every decision, the newest first, with owner, reason, scope and standing."""
    found = await atelier.scheduling.desk.models.overrides.all(tenant, "site", site_id, site_id)
    now = atelier.clock.now()
    shown = []
    for _, one in sorted(found, key=lambda row: int(row[1]["given_at"]), reverse=True):
        content = wire.read(Override, one["content"].encode())
        over = one["expires"] is not None and one["expires"] * 60_000 <= now
        standing = "over" if over and one["standing"] == "given" else _STANDINGS.get(one["standing"], one["standing"])
        shown.append(
            {
                "owner": one["owner"],
                "reason": one["reason"],
                "action": words.title(words.label(str(content.action))),
                "learners": len(content.learners),
                "from": words.moment(one["scope_start"] * 60_000, time_zone),
                "until": words.moment(one["scope_end"] * 60_000, time_zone),
                "expires": words.moment(one["expires"] * 60_000, time_zone) if one["expires"] else "until withdrawn",
                "standing": standing,
                "rule": words.label(one["rule"]),
            }
        )
    return shown
