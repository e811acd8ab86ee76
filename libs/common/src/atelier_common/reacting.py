"""The runner of one reaction: events of the log in, commands executed, cursor moved."""

import asyncio
from collections.abc import Sequence
from functools import partial

from atelier_common.carrying_out import Refusals, carry_out
from atelier_common.commands import Commands
from atelier_common.commit import Commit, RecordedEvent
from atelier_common.documents.port import Documents
from atelier_common.errors import ConcurrencyConflict, Unavailable
from atelier_common.events import EventRegistry
from atelier_common.eventstore.port import EventStore
from atelier_common.follower import Follower, Handled
from atelier_common.opening import Opener, Unreadable
from atelier_common.parked_keys import ParkedKeys
from atelier_common.projection import ReadModel
from atelier_common.reaction import Issue, Reaction
from atelier_common.telemetry import names, tracing
from atelier_common.watching import LogWatch


class ReactionRunner:
    """Runs one reaction. Commands carry ids made from their cause, so that what runs again after a crash is answered,
    not repeated.

    A stream whose event makes the reaction fail, or whose command the domain refuses, is parked whole; other streams go
    on. Only Unavailable and lost races are tried again.
    """

    def __init__(
        self,
        reaction: Reaction,
        store: EventStore,
        documents: Documents,
        registry: EventRegistry,
        commands: Commands,
        models: Sequence[ReadModel],
        watch: LogWatch | None = None,
    ) -> None:
        self.reaction = reaction
        self._store = store
        self._commands = commands
        self._models = models
        self._opener = Opener(store, registry)
        self._handed_on: dict[str, int] = {}
        self._alone = asyncio.Lock()
        name = f"reaction:{reaction.name}"
        self._parked = ParkedKeys(name, reaction.name, store, documents)
        self.follower = Follower(
            name,
            store,
            documents,
            self._handle,
            wants=partial(self._opener.concerns, reaction.types),
            watch=watch,
        )

    async def run(self, epoch: int) -> None:
        """Follow the log until cancelled or fenced off."""
        self._parked.begin(epoch)
        self._handed_on.clear()
        await self.follower.run(epoch)

    async def unpark(self, tenant: str, stream: str) -> None:
        """React to what waited on a stream, in order. Raises what still stops it; then it stays parked.

        Raises Unavailable where another process leads.
        """
        async with self._alone:

            async def redo(commits: Sequence[Commit]) -> None:
                mine = [commit for commit in commits if commit.stream == stream]
                for opened in await self._opener.open(tenant, mine, self.reaction.types):
                    if isinstance(opened, Unreadable):
                        raise opened.error
                    for refusal in (await self._carry_out(tenant, await self.reaction.react([opened]))).values():
                        raise refusal

            await self._parked.catch_up(tenant, stream, lambda: self._reached(tenant), redo)

    def _reached(self, tenant: str) -> int:
        """Up to where all is done or parked, though the follower may not have moved there yet."""
        return max(self._handed_on.get(tenant, 0), self.follower.position(tenant))

    async def _carry_out(self, tenant: str, issues: Sequence[Issue]) -> Refusals:
        return await carry_out(self._commands, tenant, self.follower.name, self.reaction.name, issues)

    async def _handle(self, tenant: str, commits: Sequence[Commit]) -> Handled:
        async with self._alone:
            await self._react_to(tenant, commits)
            self._handed_on[tenant] = commits[-1].position
            return Handled(commits[-1].position)

    async def _react_to(self, tenant: str, commits: Sequence[Commit]) -> None:
        parked = await self._parked.of(tenant)
        events: list[RecordedEvent] = []
        for opened in await self._opener.open(tenant, commits, self.reaction.types):
            if isinstance(opened, Unreadable):
                await self._parked.park(tenant, opened.commit.stream, opened.error, opened.commit.position)
            elif opened.position < parked.get(opened.stream, opened.position + 1):
                # Also what stands before the event that parked a stream: if the batch comes again, it may not be done
                # yet.
                events.append(opened)
        if not events:
            return
        for model in self._models:
            while not await model.reached(tenant, events[-1].position, timeout=5.0):
                await asyncio.sleep(0)
        attributes: tracing.Attributes = {names.REACTION: self.reaction.name, names.EVENT_COUNT: len(events)}
        with tracing.batch_span(names.SPAN_REACT, (event.trace for event in events), attributes):
            stopped = await self._react(tenant, events)
        for (stream, position), refusal in stopped.items():
            await self._parked.park(tenant, stream, refusal, position)

    async def _react(self, tenant: str, events: Sequence[RecordedEvent]) -> Refusals:
        """What stopped which stream at which position."""
        try:
            issues = await self.reaction.react(events)
        except (Unavailable, ConcurrencyConflict):
            raise
        except Exception as error:
            if len(events) == 1:
                return {(events[0].stream, events[0].position): error}
            stopped: Refusals = {}
            for event in events:  # find the one that fails; the rest must not wait for it
                if not any(stream == event.stream for stream, _ in stopped):
                    stopped.update(await self._react(tenant, [event]))
            return stopped
        return await self._carry_out(tenant, issues)
