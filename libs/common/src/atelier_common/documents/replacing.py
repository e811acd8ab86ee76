"""Many guarded replaces as one update of a server of the MongoDB protocol.

A server runs a bulk of replaces one after the other; one update of many documents it runs as one. So the new documents go out as
an array, and the update looks up by ``_id`` which of them each document becomes. Every document is still judged by its own guard
and replaced at once or not at all.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson

from atelier_common.documents.port import Below, Body, Guard

_DOCUMENTS_AT_ONCE = 100
"""The server looks through the array for each document: twice as many cost more than two updates."""
_BYTES_AT_ONCE = 4_000_000
Shape = tuple[tuple[str, bool], ...]
"""The fields of a guard, and of each whether it has to be below or equal."""


@dataclass(frozen=True, slots=True)
class Replacing:
    """One update: the documents at these ``places`` of what was asked for, by a filter and a pipeline."""

    places: tuple[int, ...]
    filter: Body
    pipeline: list[Body]


def shape(guard: Guard) -> Shape | None:
    """What guards must have in common to be judged by one expression; None where a guard needs a filter of its own."""
    found: list[tuple[str, bool]] = []
    for name, value in guard.items():
        if not isinstance(value, Below | str | int):
            return None
        found.append((name, isinstance(value, Below)))
    return tuple(sorted(found))


def together(stored: Sequence[Body], guards: Sequence[Guard], places: Sequence[int]) -> Iterator[Replacing]:
    """The updates that replace the documents at these places by ``stored``, whose guards are of one shape."""
    some: list[int] = []
    size = 0
    for place in places:
        more = len(orjson.dumps(stored[place]))
        if some and (len(some) == _DOCUMENTS_AT_ONCE or size + more > _BYTES_AT_ONCE):
            yield _replacing(stored, guards, some)
            some, size = [], 0
        some.append(place)
        size += more
    if some:
        yield _replacing(stored, guards, some)


def _replacing(stored: Sequence[Body], guards: Sequence[Guard], places: Sequence[int]) -> Replacing:
    ids = [stored[place]["_id"] for place in places]
    which = {"$indexOfArray": [{"$literal": ids}, "$_id"]}
    wanted: Body = {"_id": {"$in": ids}}
    met = []
    for name, below in shape(guards[places[0]]) or ():
        bounds = [guards[place][name].value if below else guards[place][name] for place in places]
        bound = {"$arrayElemAt": [{"$literal": bounds}, which]}
        # Where there is no such field the comparison says it is less, as Below asks.
        met.append({"$lt" if below else "$eq": [f"${name}", bound]})
    if met:
        wanted["$expr"] = {"$and": met}
    documents = {"$literal": [stored[place] for place in places]}
    return Replacing(tuple(places), wanted, [{"$replaceWith": {"$arrayElemAt": [documents, which]}}])
