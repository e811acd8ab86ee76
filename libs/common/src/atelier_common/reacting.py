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
from atelier_common.parking import ParkedKey, Parking
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
        self._parking = Parking(documents)
        self._parked: dict[str, dict[str, int]] = {}
        self._handed_on: dict[str, int] = {}
        self._epoch = 0
        self._alone = asyncio.Lock()
        self.follower = Follower(
            f"reaction:{reaction.name}",
            store,
            documents,
            self._handle,
            wants=partial(self._opener.concerns, reaction.types),
            watch=watch,
        )

    async def run(self, epoch: int) -> None:
        """Follow the log until cancelled or fenced off."""
        self._parked.clear()
        self._handed_on.clear()
        self._epoch = epoch
        await self.follower.run(epoch)

    async def unpark(self, tenant: str, stream: str) -> None:
        """React to what waited on a stream, in order. Raises what still stops it; then it stays parked.

        Raises Unavailable where another process leads.
        """
        async with self._alone:
            # Should this process begin to lead anew meanwhile, it begins further on than this comes to, and the stream stays parked.
            epoch = self._epoch
            # What is stored counts here, also what a leader that is no more has parked.
            self._parked.pop(tenant, None)
            since = (await self._parked_streams(tenant)).get(stream)
            if since is None:
                return
            until = max(self._handed_on.get(tenant, 0), self.follower.position(tenant))
            if until < since:
                raise Unavailable(
                    f"{self.reaction.name} has not come to {stream} in this process; unpark where it is led"
                )
            after = since - 1
            while after < until:
                commits = [commit for commit in await self._store.read_log(tenant, after) if commit.position <= until]
                if not commits:
                    raise Unavailable("the log cannot be read up to where the reaction stands; try again")
                mine = [commit for commit in commits if commit.stream == stream]
                for opened in await self._opener.open(tenant, mine, self.reaction.types):
                    if isinstance(opened, Unreadable):
                        raise opened.error
                    for refusal in (await self._carry_out(tenant, await self.reaction.react([opened]))).values():
                        raise refusal
                after = commits[-1].position
            self._parked.pop(tenant, None)
            if not await self._parking.release(tenant, ParkedKey(self.follower.name, stream, "", since), epoch):
                raise Unavailable(f"{stream} is watched over by a later leader; unpark where it is led")

    async def _carry_out(self, tenant: str, issues: Sequence[Issue]) -> Refusals:
        return await carry_out(self._commands, tenant, self.follower.name, self.reaction.name, issues)

    async def _parked_streams(self, tenant: str) -> dict[str, int]:
        while tenant not in self._parked:
            epoch = self._epoch
            found = await self._parking.take_over(tenant, self.follower.name, epoch)
            if epoch == self._epoch:  # else it was taken over for a tenure that is past
                self._parked[tenant] = {entry.key: entry.since for entry in found}
        return self._parked[tenant]

    async def _handle(self, tenant: str, commits: Sequence[Commit]) -> Handled:
        async with self._alone:
            await self._react_to(tenant, commits)
            self._handed_on[tenant] = commits[-1].position
            return Handled(commits[-1].position)

    async def _react_to(self, tenant: str, commits: Sequence[Commit]) -> None:
        parked = await self._parked_streams(tenant)
        events: list[RecordedEvent] = []
        for opened in await self._opener.open(tenant, commits, self.reaction.types):
            if isinstance(opened, Unreadable):
                await self._park(tenant, opened.commit.stream, opened.error, opened.commit.position)
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
        for event, refusal in stopped.items():
            await self._park(tenant, event[0], refusal, event[1])

    async def _park(self, tenant: str, stream: str, error: Exception, position: int) -> None:
        parked = await self._parked_streams(tenant)
        if stream not in parked:
            reason = f"{type(error).__name__} in {self.reaction.name}"
            await self._parking.park(tenant, ParkedKey(self.follower.name, stream, reason, position), self._epoch)
            parked[stream] = position

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
