"""Many guarded replaces as one update of a server of the MongoDB protocol.

A server runs a bulk of replaces one after the other; one update of many documents it runs as one. So the new documents go out as
an array, and the update looks up by ``_id`` which of them each document becomes. Every document is still judged by its own guard
and replaced at once or not at all. Where it is known what is replaced, only the fields that differ go out: the server then takes half
the time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson

from atelier_common.documents.mongo_form import ID, WROTE
from atelier_common.documents.port import Below, Body, Guard, Replace

_DOCUMENTS_AT_ONCE = 100
"""The server looks through the array for each document: twice as many cost more than two updates."""
_DIFFERENCES_AT_ONCE = 250
_BYTES_AT_ONCE = 4_000_000


@dataclass(frozen=True, slots=True)
class Shape:
    """What replaces must have in common to leave in one update."""

    guard: tuple[tuple[str, bool], ...]
    """The fields of the guard, and of each whether it has to be below or equal."""
    changed: frozenset[str] | None
    """The fields that differ from what is known to be there; None: it is not known."""
    gone: frozenset[str]
    """The fields that are there and are not to be."""


@dataclass(frozen=True, slots=True)
class Replacing:
    """One update: the documents at these ``places`` of what was asked for, by a filter and a pipeline."""

    places: tuple[int, ...]
    filter: Body
    pipeline: list[Body]


def shape(write: Replace) -> Shape | None:
    """None where the guard needs a filter of its own."""
    found: list[tuple[str, bool]] = []
    for name, value in write.guard.items():
        if not isinstance(value, Below | str | int):
            return None
        found.append((name, isinstance(value, Below)))
    guard, body, known = tuple(sorted(found)), write.body, write.known
    if known is None or write.upsert:
        return Shape(guard, None, frozenset())
    changed = frozenset([name for name, value in body.items() if name not in known or known[name] != value])
    return Shape(guard, changed, frozenset(known.keys() - body.keys()))


def together(
    stored: Sequence[Body], guards: Sequence[Guard], places: Sequence[int], common: Shape
) -> Iterator[Replacing]:
    """The updates that replace the documents at these places by ``stored``; all of them are of one shape."""
    most = _DOCUMENTS_AT_ONCE if common.changed is None else _DIFFERENCES_AT_ONCE
    some: list[int] = []
    size = 0
    for place in places:
        more = len(orjson.dumps(stored[place]))
        if some and (len(some) == most or size + more > _BYTES_AT_ONCE):
            yield _replacing(stored, guards, some, common)
            some, size = [], 0
        some.append(place)
        size += more
    if some:
        yield _replacing(stored, guards, some, common)


def _replacing(stored: Sequence[Body], guards: Sequence[Guard], places: Sequence[int], common: Shape) -> Replacing:
    ids = [stored[place][ID] for place in places]
    which = {"$indexOfArray": [{"$literal": ids}, "$_id"]}
    wanted: Body = {ID: {"$in": ids}}
    met = []
    for name, below in common.guard:
        bounds = [guards[place][name].value if below else guards[place][name] for place in places]
        bound = {"$arrayElemAt": [{"$literal": bounds}, which]}
        # Where there is no such field the comparison says it is less, as Below asks.
        met.append({"$lt" if below else "$eq": [f"${name}", bound]})
    if met:
        wanted["$expr"] = {"$and": met}
    if common.changed is None:
        documents = {"$literal": [stored[place] for place in places]}
        return Replacing(tuple(places), wanted, [{"$replaceWith": {"$arrayElemAt": [documents, which]}}])
    fields = {
        name: {"$arrayElemAt": [{"$literal": [stored[place][name] for place in places]}, which]}
        for name in sorted(common.changed | {WROTE})
    }
    pipeline: list[Body] = [{"$set": fields}]
    if common.gone:
        pipeline.append({"$unset": sorted(common.gone)})
    return Replacing(tuple(places), wanted, pipeline)
