"""When a site says how long before its first day a week is planned, plan each week at that moment, whether or not anybody asks.

Each round is a timer that sets the timer of the next one, so that a round which came due while everything was down is made up.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from atelier_common.commands import Commands, Request
from atelier_common.commit import RecordedEvent
from atelier_common.errors import NotFound
from atelier_common.ids import derive_id
from atelier_common.reaction import Issue, Reaction, each
from atelier_common.timers import Timer, TimerHandler, Timers

from atelier_scheduling.domain.plan import plan_key
from atelier_scheduling.domain.planning import PLANNING, AskForPlanning, planning_key
from atelier_scheduling.domain.site_description import SiteDescription, minute_of_day
from atelier_scheduling.engine.times import minute_of
from atelier_scheduling.planning.calendar import dates_of, day_at, week_of
from atelier_scheduling.planning.reading import Library

CADENCE = "cadence"
_WEEKS_AHEAD = 5
_log = logging.getLogger("atelier.scheduling")


def next_round(description: SiteDescription, after_ms: int) -> tuple[str, int] | None:
    """(week, moment in milliseconds UTC) of the first round later than ``after_ms``; None where the site asks for none."""
    cadence = description.cadence
    if cadence is None:
        return None
    today = datetime.fromtimestamp(after_ms / 1000, UTC).date()
    for week in (week_of(today + timedelta(weeks=ahead)) for ahead in range(_WEEKS_AHEAD)):
        day = dates_of(week, description)[0] - timedelta(days=cadence.days_before)
        moment = minute_of(day.isoformat(), minute_of_day(cadence.at), description.time_zone) * 60_000
        if moment > after_ms:
            return week, moment
    return None


async def _await_next(timers: Timers, tenant: str, description: SiteDescription, after_ms: int) -> None:
    following = next_round(description, after_ms)
    if following is not None:
        week, moment = following
        key = plan_key(description.site_id, week)
        await timers.schedule(tenant, derive_id(tenant, key, CADENCE), moment, CADENCE, {"key": key})


def when_site_described_then_plan_in_rounds(timers: Timers, library: Library) -> Reaction:
    """Sets the timer of the site's next round; setting it again moves nothing."""

    async def react(event: RecordedEvent) -> Sequence[Issue]:
        description = await library.site(event.tenant, event.event.site_id)
        await _await_next(timers, event.tenant, description, event.recorded_at)
        return []

    return Reaction(
        "when_site_described_then_plan_in_rounds", frozenset({"site.described"}), each(react), after=("sites",)
    )


def at_cadence(timers: Timers, commands: Commands, library: Library) -> TimerHandler:
    """Asks for the plan of the round's week, then sets the next one. A site that asks for rounds no more is left alone."""

    async def plan(timer: Timer) -> None:
        site_id, _, week = timer.payload["key"].rpartition(":")
        try:
            description = await library.site(timer.tenant, site_id)
            if description.cadence is None:
                return
        except NotFound as missing:
            _log.warning("a week was not planned in its round: %s", missing.code)
            return
        command = AskForPlanning(site_id, week, CADENCE, (), timer.due_ms)
        await commands.execute(Request(PLANNING, planning_key(site_id, day_at(timer.due_ms)), command, timer.context()))
        await _await_next(timers, timer.tenant, description, timer.due_ms)

    return plan
