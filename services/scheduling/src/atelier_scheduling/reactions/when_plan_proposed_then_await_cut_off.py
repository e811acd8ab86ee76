"""When a week is first proposed, set the timer of its cut-off; at the cut-off the site's choice decides what happens."""

import logging
from collections.abc import Sequence
from datetime import date, timedelta

from atelier_common.commands import Commands, Request
from atelier_common.commit import RecordedEvent
from atelier_common.errors import NotFound, RuleBroken
from atelier_common.ids import derive_id
from atelier_common.reaction import Issue, Reaction, each
from atelier_common.telemetry import metrics, names
from atelier_common.timers import Timer, TimerHandler, Timers

from atelier_scheduling.domain.plan import PLAN, PublishPlan
from atelier_scheduling.domain.site_description import SiteDescription, minute_of_day
from atelier_scheduling.engine.times import minute_of
from atelier_scheduling.planning.calendar import dates_of
from atelier_scheduling.planning.planner import Planner
from atelier_scheduling.planning.reading import Library

CUT_OFF = "cut-off"
_PLANS = metrics.counter(names.METRIC_PLANS)
_REMEMBERED = 10_000
_log = logging.getLogger("atelier.scheduling")


def cut_off_of(week: str, description: SiteDescription) -> int:
    """The moment, in milliseconds UTC, at which a week's plan is published."""
    first: date = dates_of(week, description)[0]
    day = (first - timedelta(days=description.cut_off.days_before)).isoformat()
    return minute_of(day, minute_of_day(description.cut_off.at), description.time_zone) * 60_000


def when_plan_proposed_then_await_cut_off(timers: Timers, library: Library) -> Reaction:
    """Sets the timer; setting it again moves nothing, so a week that is repaired all day has it set once by each process that leads."""
    awaited: dict[tuple[str, str], int] = {}

    async def react(event: RecordedEvent) -> Sequence[Issue]:
        _PLANS.add(1, {names.PLAN_STEP: "proposed"})
        key = event.stream.partition("/")[2]
        site_id, _, week = key.rpartition(":")
        description = await library.site(event.tenant, site_id)
        due = cut_off_of(week, description)
        if due > event.recorded_at and awaited.get((event.tenant, key)) != due:
            await timers.schedule(event.tenant, derive_id(event.tenant, key, CUT_OFF), due, CUT_OFF, {"key": key})
            if len(awaited) >= _REMEMBERED:
                awaited.clear()
            awaited[event.tenant, key] = due
        return []

    return Reaction(
        "when_plan_proposed_then_await_cut_off", frozenset({"plan.proposed"}), each(react), after=("sites",)
    )


def at_cut_off(commands: Commands, planner: Planner, library: Library) -> TimerHandler:
    """Publishes what is proposed, where the site asks for that by now; else, or where obligations are owed that a person has to
    acknowledge first, the plan goes on waiting.
    """

    async def publish(timer: Timer) -> None:
        site_id = timer.payload["key"].rpartition(":")[0]
        if (await library.site(timer.tenant, site_id)).publishing != "automatic":
            return
        command = PublishPlan("", f"timer:{CUT_OFF}", True, False, timer.due_ms)
        try:
            await planner.must_be_safe(timer.tenant, timer.payload["key"])
            await commands.execute(Request(PLAN, timer.payload["key"], command, timer.context()))
        except NotFound:
            return  # a person was faster: nothing waits
        except RuleBroken as refusal:
            _log.warning("a week was not published at its cut-off: %s", refusal.code)

    return publish
