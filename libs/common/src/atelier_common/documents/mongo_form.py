"""How a document of the port stands on a server of the MongoDB protocol, and how a guard is asked there: plain data, no driver.

A document is stored as it is, with ``_id`` = tenant and id, its ``_tenant``, and ``_wrote``, which names the write that made it.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from atelier_common.documents.port import Below, Body, Delete, Guard, Insert, Past, Replace, ServerTime, Write

ID, TENANT, WROTE = "_id", "_tenant", "_wrote"
SEPARATOR = "\x1f"
BEHIND_SEPARATOR = "\x20"
WRITES_AT_ONCE = 500
_NOW = {"$toLong": "$$NOW"}
"""The server's clock in milliseconds UTC."""


def key_of(tenant: str, id: str) -> str:
    return f"{tenant}{SEPARATOR}{id}"


def id_of(key: str) -> str:
    return key.partition(SEPARATOR)[2]


def body_of(document: Body) -> Body:
    """What the kernel stored, from a document that is nobody else's."""
    for name in (ID, TENANT, WROTE):
        document.pop(name, None)
    return document


def stored(write: Insert | Replace, wrote: str) -> Body:
    """The document as it is stored by the write of this name."""
    return {**write.body, ID: key_of(write.tenant, write.id), TENANT: write.tenant, WROTE: wrote}


def timed(write: Insert | Replace, document: Body) -> dict[str, Any]:
    """The stored document as an expression in which the server fills in its own time."""
    times = {name: value.plus for name, value in write.body.items() if isinstance(value, ServerTime)}
    said = {name: value for name, value in document.items() if name not in times}
    return {"$mergeObjects": [{"$literal": said}, {name: {"$add": [_NOW, plus]} for name, plus in times.items()}]}


def filter_of(key: str, guard: Guard) -> dict[str, Any]:
    """The document of this key, if it meets the guard."""
    wanted: dict[str, Any] = {ID: key}
    past: list[Any] = []
    for name, value in guard.items():
        if isinstance(value, Below):
            wanted[name] = {"$not": {"$gte": value.value}}
        elif isinstance(value, Past):
            wanted[name] = {"$exists": True, "$ne": None}
            past.append({"$lt": [f"${name}", _NOW]})
        else:
            wanted[name] = value
    if past:
        wanted["$expr"] = {"$and": past}
    return wanted


def asks_the_time(write: Write) -> bool:
    """Whether the server has to fill in its clock: then the write is an update by pipeline."""
    return not isinstance(write, Delete) and ServerTime in map(type, write.body.values())


def apart(writes: Sequence[Write]) -> Iterator[list[Write]]:
    """In order, in runs that may go out at once: one collection, one kind of outcome, each document once."""
    run: list[Write] = []
    ids: set[tuple[str, str]] = set()
    for write in writes:
        mixed = run and (
            write.collection != run[0].collection or isinstance(write, Delete) != isinstance(run[0], Delete)
        )
        if run and (mixed or (write.tenant, write.id) in ids or len(run) == WRITES_AT_ONCE):
            yield run
            run, ids = [], set()
        run.append(write)
        ids.add((write.tenant, write.id))
    if run:
        yield run
