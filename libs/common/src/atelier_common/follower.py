"""Followers of a service's log, one per purpose, each with a durable cursor under a lease's epoch."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple

from atelier_common.commit import Commit
from atelier_common.documents.port import Below, Documents, Replace, Write
from atelier_common.doorbell import Doorbell
from atelier_common.eventstore.port import EventStore
from atelier_common.late_cursors import DURABLE_WITHIN
from atelier_common.watching import LogWatch

CURSORS = "cursors"
_log = logging.getLogger("atelier.follower")


class LeadershipLost(Exception):
    """Another replica took over; whatever this one still does is fenced off."""


@dataclass(frozen=True, slots=True)
class Handled:
    """A handler is done up to and including ``position``; ``writes`` go out before the cursor moves."""

    position: int
    writes: tuple[Write, ...] = ()


class Rest(NamedTuple):
    """How long a follower rests after work, so that under load more comes at once."""

    for_work: float
    """Times as long as the work took."""
    longest: float
    """Seconds at most."""


SHORT_REST = Rest(2.0, 0.02)
Handle = Callable[[str, Sequence[Commit]], Awaitable[Handled]]
Wants = Callable[[Set[str]], bool]
"""Whether commits with events of these stored types and no others have to be handled."""


def _everything(_present: Set[str]) -> bool:
    return True


class Follower:
    """Reads each tenant's log in order from its own cursor and hands it on in batches.

    At least once: after a crash, the commits between the last durable cursor and the crash come again. The cursor moves forward
    only, after the handler's writes, and only while ``epoch`` is the newest that has claimed it. A handler that raises is tried again
    from the cursor after a pause that grows to ``slowest`` seconds; it blocks nobody but itself.

    Commits that ``wants`` has no use for are passed over unseen. The position counts in memory as soon as everything up to it is
    done. The durable cursor is written with work that comes after a pause, and else by :class:`LateCursors` together with those of the
    others: it never leads, it lags by at most ``DURABLE_WITHIN``, and a follower that was replaced can only for so long still do what
    its successor does too. Every follower of the kernel bears that: documents carry watermarks, commands the id of their cause,
    messages their identity.

    After work a follower takes its ``rest``; the first commit after a pause is handled at once. Whoever waits for it ends its rest
    (:meth:`hurry`).
    """

    def __init__(
        self,
        name: str,
        store: EventStore,
        documents: Documents,
        handle: Handle,
        *,
        batch: int = 500,
        slowest: float = 5.0,
        rest: Rest = SHORT_REST,
        advanced: Callable[[str, int], None] | None = None,
        wants: Wants = _everything,
        watch: LogWatch | None = None,
    ) -> None:
        self.name = name
        self._store = store
        self._documents = documents
        self._handle = handle
        self._batch = batch
        self._slowest = slowest
        self._rest = rest
        self._advanced = advanced
        self._wants = wants
        self._watch = watch or LogWatch(store, documents)
        self._bell = Doorbell()
        self._waited_for = Doorbell()
        self._looking = False
        self._positions: dict[str, int] = {}
        self._saved: dict[str, tuple[int, float]] = {}
        self._lost = False
        self._epoch = 0
        self.last_error: str | None = None

    def position(self, tenant: str) -> int:
        """How far this process has followed the tenant's log."""
        return self._positions.get(tenant, 0)

    def wake(self) -> None:
        """Look for what is new."""
        self._bell.ring()

    def hurry(self) -> None:
        """Somebody waits: go on without a rest."""
        self._waited_for.ring()

    def told(self, tenant: str, before: int, last: int, present: Set[str]) -> None:
        """What came after ``before``: passed over where it does not concern this follower and nothing before it is left."""
        position = self._positions.get(tenant, -1)
        if position >= last:
            return
        if self._looking or position < before or self._wants(present):
            self.wake()
        else:
            self._move(tenant, last)

    def reminded(self, tenant: str, seen: int) -> None:
        """Looks again where it stands before ``seen`` and does nothing about it."""
        if not self._looking and self._positions.get(tenant, -1) < seen:
            self.wake()

    async def run(self, epoch: int) -> None:
        """Follow until cancelled or, with LeadershipLost, until a newer epoch has claimed a cursor."""
        self._epoch = epoch
        self._positions.clear()
        self._saved.clear()
        self._lost = False
        time = asyncio.get_running_loop().time
        pause = 0.05
        with self._watch.telling(self):
            while True:
                rung, waited_for, began = self._bell.listen(), self._waited_for.listen(), time()
                self._looking = True
                try:
                    worked, more = await self._once()
                    pause, self.last_error = 0.05, None
                except LeadershipLost:
                    raise
                except Exception as error:
                    if self.last_error != repr(error):
                        _log.warning("%s will try again: %s", self.name, type(error).__name__, exc_info=True)
                    self.last_error = repr(error)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, self._slowest)
                    continue
                finally:
                    self._looking = False
                if more:
                    continue
                if worked:
                    await Doorbell.wait(waited_for, min(self._rest.for_work * (time() - began), self._rest.longest))
                await rung.wait()

    async def _once(self) -> tuple[bool, bool]:
        """Whether something was handled, and whether there is more to be had at once."""
        worked = more = False
        if self._lost:
            raise LeadershipLost(self.name)
        for tenant in await self._store.tenants():
            after = self._positions.get(tenant)
            if after is None:
                after = await self._claim(tenant)
            # How far the log is known to reach the watch sees to.
            known = self._store.known_head(tenant) - after
            wanted = min(known, self._batch)
            commits = await self._store.read_log(tenant, after, wanted) if wanted > 0 else []
            if not commits:
                continue
            last = commits[-1].position
            more = more or known > len(commits) == wanted
            if not self._wants({stored.type for commit in commits for stored in commit.events}):
                self._move(tenant, last)
                continue
            handled = await self._handle(tenant, commits)
            if handled.position > after:
                await self._advance(tenant, handled)
                worked, more = True, more or handled.position < last
        return worked, more

    async def _claim(self, tenant: str) -> int:
        found = await self._documents.find(tenant, CURSORS, self.name)
        position = 0 if found is None else int(found["position"])
        claim = Replace(
            tenant,
            CURSORS,
            self.name,
            {"position": position, "epoch": self._epoch},
            {"epoch": Below(self._epoch + 1), "position": position},
            upsert=True,
        )
        if not (await self._documents.write([claim]))[0]:
            raise LeadershipLost(self.name)
        self._positions[tenant] = position
        self._saved[tenant] = (position, -DURABLE_WITHIN)
        return position

    async def _advance(self, tenant: str, handled: Handled) -> None:
        saved, when = self._saved[tenant]
        now = asyncio.get_running_loop().time()
        # A cursor that is late is written with the others; so two writes of one cursor never overtake each other.
        if saved < self._positions[tenant] or now < when + DURABLE_WITHIN:
            if handled.writes:
                await self._documents.write(handled.writes)
        else:
            cursor = self._cursor(tenant, handled.position)
            outcomes = await self._documents.write([*handled.writes, cursor])
            self.saved([cursor], outcomes[-1:])
            if self._lost:
                raise LeadershipLost(self.name)
        self._move(tenant, handled.position)

    def _cursor(self, tenant: str, position: int) -> Replace:
        body = {"position": position, "epoch": self._epoch}
        return Replace(tenant, CURSORS, self.name, body, {"epoch": self._epoch})

    def _move(self, tenant: str, position: int) -> None:
        self._positions[tenant] = position
        if self._saved[tenant][0] < position:
            self._watch.cursors.later(self)
        if self._advanced is not None:
            self._advanced(tenant, position)

    def unsaved(self) -> list[Replace]:
        """What makes the cursors durable where they stand."""
        behind = [(tenant, at) for tenant, at in self._positions.items() if self._saved[tenant][0] < at]
        return [self._cursor(tenant, position) for tenant, position in behind]

    def saved(self, written: Sequence[Replace], outcomes: Sequence[bool]) -> None:
        """These cursors were written; one that was not is a newer epoch's, and this follower is fenced off."""
        now = asyncio.get_running_loop().time()
        for cursor, outcome in zip(written, outcomes, strict=True):
            if cursor.body["epoch"] != self._epoch:
                continue
            if outcome:
                self._saved[cursor.tenant] = (cursor.body["position"], now)
            else:
                self._lost = True
                self.wake()

    async def save(self) -> None:
        """Make the cursors durable now. Raises LeadershipLost where a newer epoch has claimed one."""
        await self._watch.cursors.save()
        if self._lost:
            raise LeadershipLost(self.name)
