"""When each proposed plan was durable in scheduling's log, and which posted results had caused it."""

import time
from typing import Any

from atelier_common.commit import Commit
from atelier_common.eventstore.port import EventStore
from atelier_common.ids import event_id


class Proposals:
    """Follows the log of scheduling as its doorbell rings, and looks ``every`` so many seconds where it cannot ring.

    Times are of the machine's monotonic clock, the same in every process.
    """

    def __init__(self, store: EventStore, every: float = 1.0) -> None:
        self._store = store
        self._every = every
        self._posts: dict[str, tuple[str, str, float]] = {}
        self._found: list[dict[str, Any]] = []
        self._incarnations: dict[str, str] = {}
        self._positions: dict[str, int] = {}

    async def watch(self) -> None:
        """Until cancelled."""
        while True:
            rung = self._store.changed.listen()
            at = time.monotonic()
            for tenant in await self._store.tenants():
                self._incarnations[tenant] = await self._store.incarnation(tenant)
                while commits := await self._store.read_log(tenant, self._positions.get(tenant, 0)):
                    for commit in commits:
                        self._note(tenant, commit, at)
                    self._positions[tenant] = commits[-1].position
            await self._store.changed.wait(rung, self._every)

    def _note(self, tenant: str, commit: Commit, at: float) -> None:
        for ordinal, stored in enumerate(commit.events):
            if stored.type.startswith("atelier.pathing.path."):
                identity = event_id(self._incarnations[tenant], commit.stream, commit.version, ordinal)
                learner = commit.stream.rpartition("/")[2].partition(":")[0]
                self._posts[identity] = (commit.correlation_id, learner, at)
            elif stored.type == "plan.proposed":
                causes = [self._posts[cause] for cause in stored.data["causes"] if cause in self._posts]
                moved = {move["learner_id"] for move in stored.data["moves"]}
                self._found.append(
                    {
                        "at": at,
                        "posts": [correlation for correlation, _, _ in causes],
                        "moving": [correlation for correlation, learner, _ in causes if learner in moved],
                        "moved": len(moved),
                        "heard": {correlation: heard for correlation, _, heard in causes},
                    }
                )

    def taken(self) -> list[dict[str, Any]]:
        """Every proposal since the last call."""
        found, self._found = self._found, []
        return found
