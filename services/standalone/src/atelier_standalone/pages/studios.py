"""A day's studios: who meets, the gap they share, the evidence behind it, where, with whom, and what is there to work with."""

from collections.abc import Mapping
from datetime import date as Date
from itertools import groupby
from typing import Any

from atelier_assessment.domain.mastery import mastery_key
from atelier_common.errors import InvalidInput
from atelier_common.http.kit import CallerDep
from atelier_pathing.case.model import Competency
from atelier_scheduling.planning.calendar import week_of
from fastapi import APIRouter
from starlette.responses import Response

from atelier_standalone.pages import words
from atelier_standalone.pages.gaps import Frontiers, frontiers, gaps_of, step_of
from atelier_standalone.pages.people import UNKNOWN, Names
from atelier_standalone.pages.rendering import page
from atelier_standalone.pages.sites import Sites
from atelier_standalone.system import Atelier

Shown = dict[str, Any]


def studio_routes(atelier: Atelier) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    sites, names, desk = Sites(atelier), Names(atelier), atelier.scheduling.desk

    @router.get("/sites/{site_id}/studios")
    async def studios(site_id: str, caller: CallerDep, date: str = "", proposed: bool = False) -> Response:
        """The studios of a date; of the next school day of the newest plan where none is named."""
        site = await sites.one(caller, site_id)
        tenant = caller.tenant
        week = _week_of(date) if date else await desk.newest_week(tenant, site_id)
        held, view = await desk.view(tenant, site_id, week, proposed=proposed)
        now = words.today(atelier.clock.now(), site["time_zone"])
        date = date or _next_school_day(view.dates, now)
        meetings = view.studios_on(date)
        people = {one for meeting in meetings for one in (*meeting["members"], *meeting["adults"])}
        known = await names.everybody(tenant, people)
        taught = await competencies(atelier, tenant)
        learners = sorted({one for meeting in meetings for one in meeting["members"]})
        ready = frontiers(await desk.models.paths.get_many(tenant, learners))
        drawn = [_studio(one, known, ready, taught) for one in meetings]
        standings = await _standings(atelier, tenant, drawn)
        shown = [_with_evidence(one, standings, taught) for one in drawn]
        days = [{"date": one, "here": one == date, "url": f"/sites/{site_id}/studios?date={one}"} for one in view.dates]
        return page(
            "studios.html",
            caller,
            site=site,
            date=date,
            week=week,
            held=held,
            is_tomorrow=(Date.fromisoformat(date) - Date.fromisoformat(now)).days == 1,
            days=days,
            times=[
                {"start": start, "end": end, "studios": list(some)}
                for (start, end), some in groupby(shown, lambda one: (one["start"], one["end"]))
            ],
            count=len(shown),
        )

    return router


async def competencies(atelier: Atelier, tenant: str) -> dict[str, Competency]:
    """Every competency of the adopted frameworks, by id."""
    return {
        key: one
        for taught in await atelier.pathing.curriculum.adopted(tenant)
        for key, one in taught.competencies.items()
    }


def _week_of(date: str) -> str:
    try:
        return week_of(Date.fromisoformat(date))
    except ValueError as error:
        raise InvalidInput("date is a day like 2026-09-14", field="date") from error


def _next_school_day(dates: list[str], today: str) -> str:
    """The first school day after today; where the plan begins later, or is over, its first."""
    return next((one for one in dates if one > today), dates[0] if dates else today)


def _studio(meeting: Shown, known: Mapping[str, str], ready: Frontiers, taught: Mapping[str, Competency]) -> Shown:
    serves_subject = not any(gap["competency_id"] in taught for gap in meeting["shared_gap"])
    meeting = {**meeting, "serves_subject": serves_subject}
    gaps = gaps_of(meeting, ready, taught)
    members = [
        {"learner_id": one, "name": known.get(one, UNKNOWN), "steps": step_of(one, gaps, meeting, ready)}
        for one in meeting["members"]
    ]
    return {
        **meeting,
        "gaps": gaps,
        "adult_names": [known.get(one, UNKNOWN) for one in meeting["adults"]],
        "members": sorted(members, key=lambda one: str(one["name"])),
    }


async def _standings(atelier: Atelier, tenant: str, studios: list[Shown]) -> dict[str, Shown]:
    keys = {
        mastery_key(member["learner_id"], step)
        for studio in studios
        for member in studio["members"]
        for step in member["steps"]
    }
    return await atelier.assessment.parts.mastery.get_many(tenant, sorted(keys))


def _with_evidence(studio: Shown, standings: Mapping[str, Shown], taught: Mapping[str, Competency]) -> Shown:
    members = [
        {
            **member,
            "evidence": [
                {
                    "competency_id": step,
                    "title": taught[step].statement if step in taught else "",
                    "standing": standings.get(mastery_key(member["learner_id"], step)),
                }
                for step in member["steps"]
            ],
        }
        for member in studio["members"]
    ]
    return {**studio, "members": members}
