"""A decision is three pure functions: an initial state, ``decide`` to events, ``evolve`` to the next state."""

import functools
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Generic, TypeVar

import orjson

from atelier_common.events import EventRegistry

CommandT = TypeVar("CommandT")
StateT = TypeVar("StateT")
EventT = TypeVar("EventT")


def no_result(_command: Any, _events: Sequence[Any], _state: Any) -> Any:
    return None


@dataclass(frozen=True)
class Decider(Generic[CommandT, StateT, EventT]):
    """One aggregate type. ``category`` is the first segment of its streams: ``category/key``.

    ``decide(command, state)`` returns the events (none: an accepted no-op) or raises an AtelierError; it reads no clock and draws
    nothing at random: time and ids stand in the command. ``result`` is what a caller gets back, also on a repeated command id;
    it is plain JSON data.
    """

    category: str
    registry: EventRegistry
    initial: Callable[[], StateT]
    decide: Callable[[CommandT, StateT], Sequence[EventT]]
    evolve: Callable[[StateT, EventT], StateT]
    result: Callable[[CommandT, Sequence[EventT], StateT], Any] = no_result
    remembered: bool = True
    """Whether folded states are worth keeping in memory; not for streams that are written once."""


def canonical(value: Any) -> bytes:
    """Canonical JSON bytes of a dataclass or plain data: sorted keys, no space. The form that hashes are taken over."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=_plain)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {spec.name: getattr(value, spec.name) for spec in fields(value)}
    if isinstance(value, frozenset | set):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no canonical form")


@functools.cache
def _hashed(kind: Any) -> tuple[bytes, tuple[str, ...]]:
    left_out = {"now", *getattr(kind, "unhashed", ())}
    return kind.__name__.encode(), tuple(spec.name for spec in fields(kind) if spec.name not in left_out)


def request_hash(command: Any) -> str:
    """SHA-256 over a command's name and fields, without ``now`` and the fields its class lists in ``unhashed``."""
    kind: Any = type(command)
    name, listed = _hashed(kind)
    content = {field: getattr(command, field) for field in listed}
    return hashlib.sha256(name + canonical(content)).hexdigest()[:32]
