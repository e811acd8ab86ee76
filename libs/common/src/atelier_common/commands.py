"""Commands: look the command id up, decide, append, remember; again at most three times when another writer was first."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from atelier_common.commit import Commit, Context
from atelier_common.decider import Decider, request_hash
from atelier_common.errors import (
    AtelierError,
    CommandIdReused,
    ConcurrencyConflict,
    InvalidInput,
    PreconditionFailed,
    Unavailable,
)
from atelier_common.eventstore.port import Appended, EventStore
from atelier_common.folded import Folded, FoldedStreams, Slot
from atelier_common.lanes import Lane, Stale, stopped_lanes
from atelier_common.telemetry import metrics, names, tracing
from atelier_common.turns import Turns

_TRIES = 4
_LONGEST_TURN_SECONDS = 0.01
_APPEND_SECONDS = metrics.histogram(names.METRIC_APPEND_SECONDS)


class Accepted(NamedTuple):
    """The command is durable. ``repeated`` says that this command id had been accepted before; then ``events`` is empty."""

    stream: str
    version: int
    position: int
    result: Any
    repeated: bool
    events: tuple[Any, ...] = ()


class Request(NamedTuple):
    """One command for one aggregate. ``expected_version`` is what the caller read (If-Match); None accepts any.

    ``opening``: most likely the stream does not exist yet. Then the command is decided without looking, and the store refuses it where
    that is wrong; a repeat, which seldom comes, costs one write more.
    """

    decider: Decider[Any, Any, Any]
    key: str
    command: Any
    context: Context
    expected_version: int | None = None
    opening: bool = False

    @property
    def stream(self) -> str:
        return f"{self.decider.category}/{self.key}"


@dataclass(slots=True)
class _Batch:
    """The commands of one call, in order: ``slots``, ``lanes`` (where given) and ``outcomes`` are by the same places.

    ``broken`` says of a place that the store failed it when it was tried last, and how.
    """

    requests: Sequence[Request]
    slots: list[Slot]
    lanes: Sequence[Lane]
    trace: str | None
    together: bool
    outcomes: list[Accepted | AtelierError | None]
    broken: dict[int, Exception] = field(default_factory=dict)


@dataclass(slots=True)
class _Proposal:
    """What was decided for one command and is not durable yet."""

    place: int
    commit: Commit
    after: Folded
    events: tuple[Any, ...]


class Commands:
    """Executes commands against one service's event store.

    Several commands in one call are one durable write; each is accepted or refused on its own, in the order given. Folded states
    are kept in memory (least recently used go first). One that turns out to be old, because another process wrote to the stream,
    costs one lost race and a reload; a refusal stands only once the log was asked whether there is anything newer.
    """

    def __init__(self, store: EventStore, *, remembered: int = 8_192) -> None:
        self._store = store
        self._streams = FoldedStreams(store, remembered)
        self._turns = Turns()

    async def execute(self, request: Request) -> Accepted:
        """One command. Raises the AtelierError that refused it."""
        outcome = (await self._execute((request,), (), False))[0]
        if isinstance(outcome, Accepted):
            return outcome
        assert outcome is not None
        raise outcome

    async def execute_many(
        self, requests: Sequence[Request], lanes: Sequence[Lane] = ()
    ) -> list[Accepted | AtelierError]:
        """The outcome of each command, in order. Raises only what is nobody's single fault (a broken store).

        With ``lanes``, one for each request, what comes later in a lane than a refusal is not decided but refused alike.
        """
        return [outcome for outcome in await self._execute(requests, lanes, False) if outcome is not None]

    async def execute_together(self, requests: Sequence[Request]) -> list[Accepted | AtelierError | None]:
        """The outcome of each command, in order; where one is refused, none is appended, and None says that it was not tried.

        They are decided together and appended together, but they are streams of their own: what another process does at the same
        moment, or a store that breaks, is reported for the command that it met, while others of the call may be durable.
        """
        return await self._execute(requests, (), True)

    async def _execute(
        self, requests: Sequence[Request], lanes: Sequence[Lane], together: bool
    ) -> list[Accepted | AtelierError | None]:
        if not requests:
            return []
        slots = [(request.context.tenant, request.stream) for request in requests]
        batch = _Batch(requests, slots, lanes, None, together, [None] * len(requests))
        if tracing.is_recording():
            traces = {request.context.trace for request in requests}
            with _span(slots, traces):
                batch.trace = tracing.current_traceparent() if len(traces) == 1 else None
                await self._in_turn(batch)
        else:
            await self._in_turn(batch)
        return batch.outcomes

    async def load(
        self, decider: Decider[Any, Any, Any], tenant: str, key: str, *, within: float = 0.0
    ) -> tuple[Any, int]:
        """The present state of an aggregate and its version (0: it does not exist), also where another process changed it.

        ``within``: what other processes wrote in the last so many seconds may be missing; what this one wrote never is.
        """
        (found,) = await self.load_many(tenant, [(decider, key)], within=within)
        return found

    async def load_many(
        self, tenant: str, asked: Sequence[tuple[Decider[Any, Any, Any], str]], *, within: float = 0.0
    ) -> list[tuple[Any, int]]:
        """As :meth:`load`, of several aggregates; those that are not in memory in one look-up."""
        wanted = [(decider, (tenant, f"{decider.category}/{key}")) for decider, key in asked]
        return [(folded.state, folded.version) for folded in await self._streams.newest(wanted, within)]

    async def _in_turn(self, batch: _Batch) -> None:
        mine = set(batch.slots)
        left = list(range(len(batch.requests)))
        await self._turns.take(mine)
        try:
            for number in range(_TRIES):
                # Again without a pause: who was first comes with the next command at once, and would be first again.
                left = await self._try(batch, left, guessing=number == 0)
                if not left:
                    return
        finally:
            self._turns.give_back(mine)
        for place in left:
            stream, broken = batch.slots[place][1], batch.broken.get(place)
            if broken is None:
                batch.outcomes[place] = ConcurrencyConflict(f"{stream} was changed by others {_TRIES} times in a row")
            else:
                batch.outcomes[place] = Unavailable(f"{stream} cannot be written now: {broken}")

    def _guessed(self, batch: _Batch) -> dict[Slot, Folded]:
        """Streams that are taken not to exist: where all that is asked of them says so, and nothing else of the call depends on whether
        that is true.
        """
        if batch.lanes or (batch.together and len(batch.requests) > 1):
            return {}
        others = {slot for slot, request in zip(batch.slots, batch.requests, strict=True) if not request.opening}
        return {
            slot: Folded(0, request.decider.initial(), {})
            for slot, request in zip(batch.slots, batch.requests, strict=True)
            if request.opening and slot not in others and not self._streams.remembers(slot)
        }

    async def _try(self, batch: _Batch, places: list[int], *, guessing: bool) -> list[int]:
        """Decide and append once; returns the places to try again."""
        outcomes, lanes = batch.outcomes, batch.lanes
        refused = stopped_lanes(lanes, outcomes) if lanes else {}
        guessed = self._guessed(batch) if guessing else {}
        folded, histories = await self._streams.find(
            dict.fromkeys(slot for place in places if (slot := batch.slots[place]) not in guessed)
        )
        folded |= guessed
        remembered, stale = dict(folded), Stale()
        proposals: list[_Proposal] = []
        decided_here: dict[tuple[Slot, str], _Proposal] = {}
        repeats: list[tuple[int, int]] = []
        until = time.perf_counter() + _LONGEST_TURN_SECONDS
        for place in places:
            if time.perf_counter() > until:
                # Hundreds of decisions may take seconds; leases, timers and callers must have their turn meanwhile.
                await asyncio.sleep(0)
                until = time.perf_counter() + _LONGEST_TURN_SECONDS
            request, slot = batch.requests[place], batch.slots[place]
            if lanes and (stopped := refused.get(lanes[place][0])) is not None and stopped[0] < lanes[place][1]:
                outcomes[place] = stopped[1]
                continue
            if stale.holds_back(slot, lanes[place] if lanes else None):
                stale.places.append(place)
                continue
            identity = (slot, request.context.command_id)
            twin = decided_here.get(identity)
            if twin is not None:  # its commit must be durable before it is an answer
                if twin.commit.request_hash == request_hash(request.command):
                    repeats.append((place, twin.place))
                else:
                    outcomes[place] = CommandIdReused(
                        f"command {request.context.command_id} stands twice in one batch with different content"
                    )
                continue
            try:
                held = folded.get(slot)
                if held is None:
                    held = folded[slot] = self._streams.fold(request.decider, slot, histories[slot])
                decided = _decide(request, slot, held, place, batch.trace)
            except AtelierError as refusal:
                if slot in remembered and await self._streams.newer(slot, remembered.pop(slot)):
                    self._streams.forget(slot)
                    stale.note(slot, lanes[place] if lanes else None)
                    stale.places.append(place)
                    continue
                outcomes[place] = refusal
                if lanes and not isinstance(refusal, CommandIdReused):
                    refused.setdefault(lanes[place][0], (lanes[place][1], refusal))
                continue
            if isinstance(decided, Accepted):
                outcomes[place] = decided
                continue
            folded[slot] = decided.after
            decided_here[identity] = decided
            proposals.append(decided)
        if batch.together and stale.places:
            return places
        if batch.together and any(isinstance(outcome, AtelierError) for outcome in outcomes):
            return []
        again = stale.places + (await self._append(batch, proposals) if proposals else [])
        for place, first in repeats:
            answer = outcomes[first]
            if isinstance(answer, Accepted):
                outcomes[place] = Accepted(answer.stream, answer.version, answer.position, answer.result, True)
            elif answer is None:
                again.append(place)
            else:
                outcomes[place] = answer
        return sorted(again)

    async def _append(self, batch: _Batch, proposals: list[_Proposal]) -> list[int]:
        outcomes = batch.outcomes
        began = time.perf_counter()
        try:
            results = await self._store.append([proposal.commit for proposal in proposals])
        except InvalidInput as refusal:
            if len(proposals) == 1:
                outcomes[proposals[0].place] = refusal
                return []
            again: list[int] = []
            for proposal in proposals:  # one is too large; the others must not suffer for it
                again += await self._append(batch, [proposal])
            return again
        except Exception as unknown:
            # The outcome is unknown: forget what we held; the next try looks each command id up before it decides.
            for proposal in proposals:
                self._streams.forget(batch.slots[proposal.place])
            await self._look_up(batch, proposals, unknown)
            return [proposal.place for proposal in proposals if outcomes[proposal.place] is None]
        _APPEND_SECONDS.record(time.perf_counter() - began)
        lost: list[int] = []
        for proposal, result in zip(proposals, results, strict=True):
            place, commit, slot = proposal.place, proposal.commit, batch.slots[proposal.place]
            if isinstance(result, Appended):
                position = result.commit.position
                outcomes[place] = Accepted(
                    commit.stream, commit.version, position, commit.result, False, proposal.events
                )
                if batch.requests[place].decider.remembered:
                    answer = (commit.version, commit.request_hash, commit.result, position)
                    proposal.after.answers[commit.command_id] = answer
                    self._streams.keep(slot, proposal.after)
            else:
                self._streams.forget(slot)
                batch.broken.pop(place, None)
                lost.append(place)
        return lost

    async def _look_up(self, batch: _Batch, proposals: list[_Proposal], unknown: Exception) -> None:
        """Settle what was found to be durable after all."""
        for proposal in proposals:
            place, commit = proposal.place, proposal.commit
            try:
                found = await self._store.find_command(commit.tenant, commit.stream, commit.command_id)
            except Exception:
                batch.outcomes[place] = Unavailable(f"the outcome for {commit.stream} is not known yet: {unknown}")
                continue
            if found is not None:
                batch.outcomes[place] = Accepted(
                    found.stream, found.version, found.position, found.result, False, proposal.events
                )
            else:
                batch.broken[place] = unknown


def _span(slots: Sequence[Slot], traces: set[str | None]) -> AbstractContextManager[Any]:
    tenants = sorted({tenant for tenant, _ in slots})
    attributes: tracing.Attributes = {names.COMMIT_COUNT: len(slots), names.TENANT: ",".join(tenants)}
    return tracing.batch_span(names.SPAN_COMMAND, traces, attributes)


def _decide(request: Request, slot: Slot, held: Folded, place: int, trace: str | None) -> Accepted | _Proposal:
    context, decider, (tenant, stream) = request.context, request.decider, slot
    hashed = request_hash(request.command)
    answer = held.answers.get(context.command_id)
    if answer is not None:
        version, earlier, result, position = answer
        if earlier != hashed:
            raise CommandIdReused(f"command {context.command_id} was given before with other content")
        return Accepted(stream, version, position, result, True)
    if request.expected_version is not None and request.expected_version != held.version:
        raise PreconditionFailed(
            f"{stream} is at version {held.version}, not {request.expected_version}", version=held.version
        )
    events, state = tuple(decider.decide(request.command, held.state)), held.state
    for event in events:
        state = decider.evolve(state, event)
    commit = Commit(
        tenant=tenant,
        stream=stream,
        version=held.version + 1,
        events=tuple(map(decider.registry.encode, events)),
        command_id=context.command_id,
        request_hash=hashed,
        result=decider.result(request.command, events, state),
        actor=context.actor,
        recorded_at=context.now,
        correlation_id=context.correlation_id or context.command_id,
        causation_ids=context.causation_ids,
        trace=trace or context.trace,
    )
    return _Proposal(place, commit, Folded(commit.version, state, held.answers), events)
