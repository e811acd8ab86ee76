"""Commands: look the command id up, decide, append, remember; again at most three times when another writer was first."""

import asyncio
import functools
import hashlib
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from typing import Any

from atelier_common.commit import Commit, Context
from atelier_common.decider import Decider, canonical
from atelier_common.errors import (
    AtelierError,
    CommandIdReused,
    ConcurrencyConflict,
    InvalidInput,
    PreconditionFailed,
    Unavailable,
)
from atelier_common.eventstore.port import Appended, EventStore
from atelier_common.telemetry import names, tracing

_TRIES = 4
_LONGEST_TURN_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Accepted:
    """The command is durable. ``repeated`` says that this command id had been accepted before; then ``events`` is empty."""

    stream: str
    version: int
    position: int
    result: Any
    repeated: bool
    events: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """One command for one aggregate. ``expected_version`` is what the caller read (If-Match); None accepts any."""

    decider: Decider[Any, Any, Any]
    key: str
    command: Any
    context: Context
    expected_version: int | None = None

    @property
    def stream(self) -> str:
        return f"{self.decider.category}/{self.key}"


@dataclass(slots=True)
class _Held:
    """A folded stream: immutable state, version, and what every *durable* command id in it was answered.

    ``answers`` is shared by the successive states of one stream and only grows when a commit is acknowledged.
    """

    version: int
    state: Any
    answers: dict[str, tuple[int, str, Any, int]]


Lane = tuple[str, int]
"""What a command belongs to, and how far along it stands there: commands of one lane have to keep their order."""


def _refused(
    lanes: Sequence[Lane], outcomes: Sequence[Accepted | AtelierError | None]
) -> dict[str, tuple[int, AtelierError]]:
    """Where each lane was stopped first, and by what. A command id that is known says that the work is done, not refused."""
    refused: dict[str, tuple[int, AtelierError]] = {}
    for (lane, step), outcome in zip(lanes, outcomes, strict=False):
        if isinstance(outcome, AtelierError) and not isinstance(outcome, CommandIdReused):
            refused.setdefault(lane, (step, outcome))
    return refused


@functools.cache
def _hashed_fields(kind: Any) -> tuple[str, ...]:
    left_out = {"now", *getattr(kind, "unhashed", ())}
    return tuple(spec.name for spec in fields(kind) if spec.name not in left_out)


def request_hash(command: Any) -> str:
    """SHA-256 over a command's name and fields, without ``now`` and the fields its class lists in ``unhashed``."""
    kind: Any = type(command)
    content = {name: getattr(command, name) for name in _hashed_fields(kind)}
    return hashlib.sha256(kind.__name__.encode() + canonical(content)).hexdigest()[:32]


class Commands:
    """Executes commands against one service's event store.

    Several commands in one call are one durable write; each is accepted or refused on its own, in the order given. Folded states
    are kept in memory (least recently used go first); a state that turns out to be old costs one lost race and a reload.
    """

    def __init__(self, store: EventStore, *, remembered: int = 8_192) -> None:
        self._store = store
        self._remembered = remembered
        self._memory: OrderedDict[tuple[str, str], _Held] = OrderedDict()
        self._busy: dict[tuple[str, str], asyncio.Future[None]] = {}

    async def execute(self, request: Request) -> Accepted:
        """One command. Raises the AtelierError that refused it."""
        outcome = (await self.execute_many([request]))[0]
        if isinstance(outcome, AtelierError):
            raise outcome
        return outcome

    async def execute_many(
        self, requests: Sequence[Request], lanes: Sequence[Lane] = ()
    ) -> list[Accepted | AtelierError]:
        """The outcome of each command, in order. Raises only what is nobody's single fault (a broken store).

        With ``lanes``, one for each request, what comes later in a lane than a refusal is not decided but refused alike.
        """
        if not requests:
            return []
        outcomes: list[Accepted | AtelierError | None] = [None] * len(requests)
        tenants = {request.context.tenant for request in requests}
        attributes: tracing.Attributes = {names.COMMIT_COUNT: len(requests), names.TENANT: ",".join(sorted(tenants))}
        traces = {request.context.trace for request in requests}
        with tracing.batch_span(names.SPAN_COMMAND, traces, attributes):
            here = tracing.current_traceparent() if len(traces) == 1 else None
            return await self._execute_alone(requests, outcomes, here, lanes)

    async def _execute_alone(
        self,
        requests: Sequence[Request],
        outcomes: list[Accepted | AtelierError | None],
        trace: str | None,
        lanes: Sequence[Lane],
    ) -> list[Accepted | AtelierError]:
        async with self._alone({(request.context.tenant, request.stream) for request in requests}):
            left = list(range(len(requests)))
            for attempt in range(_TRIES):
                left = await self._try(requests, left, outcomes, trace, lanes)
                if not left:
                    break
                await asyncio.sleep(0.002 * attempt)
        for place in left:
            outcomes[place] = ConcurrencyConflict(
                f"{requests[place].stream} was changed by others {_TRIES} times in a row"
            )
        return [outcome for outcome in outcomes if outcome is not None]

    async def load(self, decider: Decider[Any, Any, Any], tenant: str, key: str) -> tuple[Any, int]:
        """The present state of an aggregate and its version (0: it does not exist)."""
        held = await self._held(decider, tenant, f"{decider.category}/{key}")
        return held.state, held.version

    async def _try(
        self,
        requests: Sequence[Request],
        places: list[int],
        outcomes: list[Accepted | AtelierError | None],
        trace: str | None,
        lanes: Sequence[Lane],
    ) -> list[int]:
        """Decide and append once; returns the places to try again."""
        refused = _refused(lanes, outcomes)
        folded: dict[tuple[str, str], _Held] = {}
        proposals: list[tuple[int, Commit, _Held, tuple[Any, ...]]] = []
        decided_here: dict[tuple[str, str, str], tuple[int, str]] = {}
        repeats: list[tuple[int, int]] = []
        until = time.perf_counter() + _LONGEST_TURN_SECONDS
        for place in places:
            if time.perf_counter() > until:
                # Hundreds of decisions may take seconds; leases, timers and callers must have their turn meanwhile.
                await asyncio.sleep(0)
                until = time.perf_counter() + _LONGEST_TURN_SECONDS
            request = requests[place]
            if lanes and (stopped := refused.get(lanes[place][0])) is not None and stopped[0] < lanes[place][1]:
                outcomes[place] = stopped[1]
                continue
            slot = (request.context.tenant, request.stream)
            twin = decided_here.get((*slot, request.context.command_id))
            if twin is not None:  # its commit must be durable before it is an answer
                if twin[1] == request_hash(request.command):
                    repeats.append((place, twin[0]))
                else:
                    outcomes[place] = CommandIdReused(
                        f"command {request.context.command_id} stands twice in one batch with different content"
                    )
                continue
            try:
                held = folded.get(slot) or await self._held(request.decider, *slot)
                decided = self._decide(request, held, trace)
            except AtelierError as refusal:
                outcomes[place] = refusal
                if lanes and not isinstance(refusal, CommandIdReused):
                    refused.setdefault(lanes[place][0], (lanes[place][1], refusal))
                continue
            if isinstance(decided, Accepted):
                outcomes[place] = decided
                continue
            commit, after, events = decided
            folded[slot] = after
            decided_here[(*slot, commit.command_id)] = (place, commit.request_hash)
            proposals.append((place, commit, after, events))
        if not proposals:
            return []
        again = await self._append(requests, proposals, outcomes)
        for place, first in repeats:
            answer = outcomes[first]
            if isinstance(answer, Accepted):
                outcomes[place] = Accepted(answer.stream, answer.version, answer.position, answer.result, True)
            elif answer is None:
                again.append(place)
            else:
                outcomes[place] = answer
        return again

    async def _append(
        self,
        requests: Sequence[Request],
        proposals: list[tuple[int, Commit, _Held, tuple[Any, ...]]],
        outcomes: list[Accepted | AtelierError | None],
    ) -> list[int]:
        try:
            results = await self._store.append([commit for _, commit, _, _ in proposals])
        except InvalidInput as refusal:
            if len(proposals) == 1:
                outcomes[proposals[0][0]] = refusal
                return []
            again: list[int] = []
            for proposal in proposals:  # one is too large; the others must not suffer for it
                again += await self._append(requests, [proposal], outcomes)
            return again
        except Exception as unknown:
            # The outcome is unknown: forget what we held; the next try looks each command id up before it decides.
            for _, commit, _, _ in proposals:
                self._memory.pop((commit.tenant, commit.stream), None)
            await self._settle(requests, proposals, outcomes, unknown)
            return [place for place, *_ in proposals if outcomes[place] is None]
        lost: list[int] = []
        for (place, commit, after, events), result in zip(proposals, results, strict=True):
            slot = (commit.tenant, commit.stream)
            if isinstance(result, Appended):
                outcomes[place] = Accepted(
                    commit.stream, commit.version, result.commit.position, commit.result, False, events
                )
                if requests[place].decider.remembered:
                    after.answers[commit.command_id] = (
                        commit.version,
                        commit.request_hash,
                        commit.result,
                        result.commit.position,
                    )
                    self._memory[slot] = after
                    self._memory.move_to_end(slot)
            else:
                self._memory.pop(slot, None)
                lost.append(place)
        while len(self._memory) > self._remembered:
            self._memory.popitem(last=False)
        return lost

    async def _settle(
        self,
        requests: Sequence[Request],
        proposals: list[tuple[int, Commit, _Held, tuple[Any, ...]]],
        outcomes: list[Accepted | AtelierError | None],
        unknown: Exception,
    ) -> None:
        for place, commit, _, events in proposals:
            try:
                found = await self._store.find_command(commit.tenant, commit.stream, commit.command_id)
            except Exception:
                outcomes[place] = Unavailable(f"the outcome for {requests[place].stream} is not known yet: {unknown}")
                continue
            if found is not None:
                outcomes[place] = Accepted(found.stream, found.version, found.position, found.result, False, events)

    def _decide(
        self, request: Request, held: _Held, trace: str | None
    ) -> Accepted | tuple[Commit, _Held, tuple[Any, ...]]:
        context, decider = request.context, request.decider
        hashed = request_hash(request.command)
        answer = held.answers.get(context.command_id)
        if answer is not None:
            version, earlier, result, position = answer
            if earlier != hashed:
                raise CommandIdReused(f"command {context.command_id} was given before with other content")
            return Accepted(request.stream, version, position, result, True)
        if request.expected_version is not None and request.expected_version != held.version:
            raise PreconditionFailed(
                f"{request.stream} is at version {held.version}, not {request.expected_version}", version=held.version
            )
        events = tuple(decider.decide(request.command, held.state))
        state = held.state
        for event in events:
            state = decider.evolve(state, event)
        result = decider.result(request.command, events, state)
        commit = Commit(
            tenant=context.tenant,
            stream=request.stream,
            version=held.version + 1,
            events=tuple(decider.registry.encode(event) for event in events),
            command_id=context.command_id,
            request_hash=hashed,
            result=result,
            actor=context.actor,
            recorded_at=context.now,
            correlation_id=context.correlation_id or context.command_id,
            causation_ids=context.causation_ids,
            trace=trace or context.trace,
        )
        return commit, _Held(commit.version, state, held.answers), events

    async def _held(self, decider: Decider[Any, Any, Any], tenant: str, stream: str) -> _Held:
        slot = (tenant, stream)
        held = self._memory.get(slot)
        if held is not None:
            self._memory.move_to_end(slot)
            return held
        state, version = decider.initial(), 0
        answers: dict[str, tuple[int, str, Any, int]] = {}
        for commit in await self._store.read_stream(tenant, stream):
            for stored in commit.events:
                state = decider.evolve(state, decider.registry.decode(stored))
            version = commit.version
            answers[commit.command_id] = (version, commit.request_hash, commit.result, commit.position)
        held = _Held(version, state, answers)
        if decider.remembered and version:
            self._memory[slot] = held
        return held

    @asynccontextmanager
    async def _alone(self, slots: Iterable[tuple[str, str]]) -> AsyncIterator[None]:
        """Within this process one caller at a time decides on a stream; between processes the store's versions judge."""
        slots = list(slots)
        while taken := next((self._busy[slot] for slot in slots if slot in self._busy), None):
            await asyncio.shield(taken)
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for slot in slots:
            self._busy[slot] = mine
        try:
            yield
        finally:
            for slot in slots:
                del self._busy[slot]
            mine.set_result(None)
