"""One learner's week, with the reason of every block. The published file answers alone; what else is known is added to it."""

import logging
from collections.abc import Awaitable
from itertools import groupby
from typing import Any, TypeVar

from atelier_common.errors import NotFound
from atelier_common.http.kit import CallerDep, require_learner
from atelier_common.security.tokens import Caller
from atelier_words.plain import without_grades
from fastapi import APIRouter
from starlette.responses import Response

from atelier_standalone.pages import words
from atelier_standalone.pages.pace import Pace, pace_of
from atelier_standalone.pages.people import Names
from atelier_standalone.pages.rendering import STAFF, page
from atelier_standalone.system import Atelier

Shown = dict[str, Any]
Known = TypeVar("Known")
_log = logging.getLogger("atelier.pages")


def week_routes(atelier: Atelier) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    names = Names(atelier)

    @router.get("/learners/{learner_id}/week")
    async def week(learner_id: str, caller: CallerDep, week: str = "", proposed: bool = False) -> Response:
        """The published week; staff see a proposal where nothing is published yet, or where they ask for it."""
        require_learner(caller, learner_id, *STAFF)
        if not caller.has("district-admin") and caller.has(*STAFF):
            # Where a member of staff works can only be told by the database; a learner's own week never waits for it.
            await atelier.profile.profile.access.learner(caller, learner_id)
        found = await _week(atelier, caller, learner_id, week, proposed and caller.has(*STAFF))
        family = not caller.has(*STAFF)
        blocks = [_block(one, family) for one in found["blocks"]]
        adults = {one for block in blocks for one in block["adults"]}
        adult_names = await _if_possible(names.adults(caller.tenant, adults), {})
        own = await _if_possible(names.learners(caller.tenant, [learner_id]), {})
        pace = await _if_possible(_pace(atelier, caller, learner_id, blocks), None)
        return page(
            "week.html",
            caller,
            learner_id=learner_id,
            name=own.get(learner_id, ""),
            week=found,
            days=_days(blocks, adult_names),
            pace=pace,
            helpers={key: adult_names[key] for key in sorted(adult_names)},
        )

    return router


async def _if_possible(asked: Awaitable[Known], otherwise: Known) -> Known:
    """What decorates the page must not take it down: with the database gone the timetable still stands."""
    try:
        return await asked
    except Exception as error:
        _log.warning("a week is shown without what needs the database: %s", type(error).__name__)
        return otherwise


async def _week(atelier: Atelier, caller: Caller, learner_id: str, week: str, proposed: bool) -> Shown:
    if not proposed:
        try:
            return {**atelier.scheduling.files.of_learner(caller.tenant, learner_id, week), "published": True}
        except NotFound:
            if not caller.has(*STAFF):
                raise NotFound("no week of this learner is published yet") from None
    desk = atelier.scheduling.desk
    site_id = await desk.site_of(caller.tenant, learner_id)
    week = week or await desk.newest_week(caller.tenant, site_id)
    held, view = await desk.view(caller.tenant, site_id, week, proposed=True)
    return {
        "published": held["state"] == "published",
        "site_id": site_id,
        "site": view.description.title,
        "week": week,
        "time_zone": view.description.time_zone,
        "blocks": view.week_of(learner_id),
    }


def _block(block: Shown, family: bool) -> Shown:
    """A block for this reader: families read no grade, even where the framework's own words name one."""
    shown = {name: without_grades(block[name]) for name in ("title", "why", "slot", "studio")} if family else {}
    # A block without a focus bears its group's name, which alone does not tell what happens in it.
    teaches = bool(block["focus"]) and block["focus"] != block["kind"]
    heading = shown.get("title", block["title"]) if teaches else words.title(words.label(block["kind"]))
    return {**block, **shown, "heading": heading, "taught": teaches, "with_group": not block["focus"]}


def _days(blocks: list[Shown], adults: dict[str, str]) -> list[Shown]:
    days = []
    for date, some in groupby(sorted(blocks, key=lambda one: int(one["starts_at_ms"])), lambda one: str(one["date"])):
        held = [{**one, "adult_names": [adults[key] for key in one["adults"] if key in adults]} for one in some]
        days.append(
            {
                "date": date,
                "blocks": [one for one in held if one["present"]],
                "elsewhere": [one for one in held if not one["present"]],
            }
        )
    return days


async def _pace(atelier: Atelier, caller: Caller, learner_id: str, blocks: list[Shown]) -> Pace | None:
    """For a guardian: on pace or not, by when, who helps."""
    if not caller.has("guardian"):
        return None
    return await pace_of(atelier, caller.tenant, learner_id, blocks)
