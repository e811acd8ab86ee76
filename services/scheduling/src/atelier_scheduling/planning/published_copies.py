"""Every replica's own copy of what is published: also of one that did not lead when it was, or whose folder was new."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from atelier_common.clock import Clock
from atelier_common.eventstore.port import EventStore
from atelier_common.projection import ReadModel

from atelier_scheduling.planning.published_file import PublishedTimetables
from atelier_scheduling.planning.reading import Library

_LOOKS_EVERY_SECONDS = 3.0
_log = logging.getLogger("atelier.scheduling")


class PublishedCopies:
    """Brings the folder to the published plans of last week and of every later one. While it cannot look, what is kept stays."""

    def __init__(
        self, store: EventStore, library: Library, publications: ReadModel, files: PublishedTimetables, clock: Clock
    ) -> None:
        self._store = store
        self._library = library
        self._publications = publications
        self._files = files
        self._clock = clock
        self._kept: dict[tuple[str, str], str] = {}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.look()
            except Exception as error:
                _log.info("published plans cannot be looked at now: %s", type(error).__name__)
            await asyncio.sleep(_LOOKS_EVERY_SECONDS)

    async def look(self) -> None:
        """Once. Raises what stands in the way."""
        last_week = datetime.fromtimestamp(self._clock.now() / 1000, UTC) - timedelta(weeks=1)
        for tenant in await self._store.tenants():
            for key, found in await self._publications.all(tenant, "week", low=f"{last_week:%G-W%V}"):
                if self._kept.get((tenant, key)) != found["plan_id"]:
                    plan = (await self._library.plan(tenant, found["plan_digest"])).plan
                    description = await self._library.site(tenant, found["site"])
                    await self._files.keep(tenant, description, plan, found["plan_id"], found["published_at"])
                    self._kept[(tenant, key)] = found["plan_id"]
