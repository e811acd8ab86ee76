"""Published timetables in a local file, so that they can be read while engine, bus and database are down.

One JSON file for each tenant, site and week, replaced whole and only by a newer publication; it holds ids and titles of work,
never names, and is readable by its owner alone.
"""

import asyncio
import os
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
from atelier_common.errors import NotFound

from atelier_scheduling.domain.site_description import SiteDescription
from atelier_scheduling.engine.plan import Plan
from atelier_scheduling.planning.views import PlanView

_SAFE = re.compile(r"[^A-Za-z0-9._-]")
Titles = Callable[[str, Plan], Awaitable[dict[str, str]]]


class PublishedTimetables:
    """The folder of published timetables. Reading needs nothing but the folder."""

    def __init__(self, folder: Path, titles: Titles | None = None) -> None:
        self._folder = folder
        self._titles = titles
        self._alone = asyncio.Lock()

    async def keep(
        self, tenant: str, description: SiteDescription, plan: Plan, plan_id: str, published_at: int
    ) -> None:
        """Write the published week; durable and whole when it returns. What was published later stays."""
        async with self._alone:
            path = self._path(tenant, description.site_id, plan.week)
            if not await asyncio.to_thread(_settles, path, plan_id, published_at):
                await self._keep(tenant, description, plan, plan_id, published_at)

    async def _keep(
        self, tenant: str, description: SiteDescription, plan: Plan, plan_id: str, published_at: int
    ) -> None:
        titles = await self._titles(tenant, plan) if self._titles else {}
        view = PlanView(plan, description, titles)
        content = {
            "tenant": tenant,
            "site_id": description.site_id,
            "site": description.title,
            "week": plan.week,
            "time_zone": description.time_zone,
            "plan_id": plan_id,
            "published_at_ms": published_at,
            "learners": {learner: view.week_of(learner) for learner in view.learners},
            "days": {date: view.day(date) for date in view.dates},
        }
        await asyncio.to_thread(self._write, self._path(tenant, description.site_id, plan.week), orjson.dumps(content))

    def _write(self, path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = path.with_suffix(".new")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        fresh.replace(path)

    def weeks(self, tenant: str) -> list[tuple[str, str]]:
        """(site, week) of everything published, newest week first."""
        found = [(path.parent.name, path.stem) for path in (self._folder / _name(tenant)).glob("*/*.json")]
        return sorted(found, key=lambda one: one[1], reverse=True)

    def read(self, tenant: str, site_id: str, week: str) -> dict[str, Any]:
        """A published week. Raises NotFound."""
        path = self._path(tenant, site_id, week)
        if not path.is_file():
            raise NotFound(f"no timetable of {site_id} is published for {week}")
        content: dict[str, Any] = orjson.loads(path.read_bytes())
        return content

    def of_learner(self, tenant: str, learner: str, week: str = "") -> dict[str, Any]:
        """The learner's published week, the newest where none is named. Raises NotFound."""
        for site_id, published in self.weeks(tenant):
            if week in ("", published):
                content = self.read(tenant, site_id, published)
                if learner in content["learners"]:
                    return {**content, "learners": {}, "days": {}, "blocks": content["learners"][learner]}
        raise NotFound(f"no timetable is published for {learner}" + (f" in {week}" if week else ""))

    def _path(self, tenant: str, site_id: str, week: str) -> Path:
        return self._folder / _name(tenant) / _name(site_id) / f"{_name(week)}.json"


def _settles(path: Path, plan_id: str, published_at: int) -> bool:
    """Whether the file holds this plan already, or one that was published after it."""
    if not path.is_file():
        return False
    held = orjson.loads(path.read_bytes())
    return bool(held["plan_id"] == plan_id or held["published_at_ms"] > published_at)


def _name(text: str) -> str:
    return _SAFE.sub("_", text)
