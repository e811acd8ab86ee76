"""A copy of one service's database made while the service works, on any server of the MongoDB protocol: ``python -m infra.dev.backup``.

Where the server can copy at one moment (``mongodump --oplog``, a snapshot of the volume), that is the better way. Here the order of
reading stands for it. Cursors come first and what is derived from the log next, so that nothing put back is ahead of the log. Then
the commits that wait for a position are noted, then segments are read, then commits: of those only what the segments name and what
was noted, and in each stream only what has no gap before it. Keys and leases come last: a key too many harms nobody. Every commit that
was acknowledged before the copy began is in it. A read model must not be rebuilt meanwhile.
"""

import argparse
import gzip
import itertools
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import bson
from atelier_common.eventstore.layout import LOG, LOGS, PARTS, commit_id
from atelier_common.follower import CURSORS
from atelier_common.lease import LEASES
from atelier_common.privacy.keyring import COLLECTION as KEYS
from pymongo import MongoClient
from pymongo.database import Database

Document = dict[str, Any]
_LAST = (LOG, PARTS, LOGS, LEASES, KEYS)
_SEPARATOR = "\x1f"
_AT_ONCE = 500


def back_up(address: str, database: str, file: Path) -> dict[str, int]:
    """Write ``database`` to ``file``, gzipped BSON; the number of documents of each collection. Raises OSError, PyMongoError."""
    counts: dict[str, int] = {}
    with MongoClient[Document](address) as client, gzip.open(file, "wb") as out:
        source = client[database]
        for collection, documents in _collections(source):
            out.write(bson.encode({"collection": collection, "indexes": _indexes(source, collection)}))
            counts[collection] = 0
            for document in documents:
                out.write(bson.encode({"document": document}))
                counts[collection] += 1
    return counts


def put_back(address: str, database: str, file: Path) -> dict[str, int]:
    """Fill the empty ``database`` from ``file``; the number of documents of each collection.

    Raises ValueError where the database holds anything: a restore never mixes two lives of a log.
    """
    counts: dict[str, int] = {}
    with MongoClient[Document](address, retryWrites=False) as client, gzip.open(file, "rb") as written:
        target = client.get_database(database)
        if target.list_collection_names():
            raise ValueError(f"{database} is not empty")
        collection, waiting = "", list[Document]()

        def flush() -> None:
            if waiting:
                target[collection].insert_many(waiting)
                counts[collection] += len(waiting)
                waiting.clear()

        for entry in bson.decode_file_iter(written):
            if "collection" in entry:
                flush()
                collection = entry["collection"]
                counts[collection] = 0
                for index in entry["indexes"]:
                    target[collection].create_index(list(index.pop("key").items()), **index)
            else:
                waiting.append(entry["document"])
                if len(waiting) == _AT_ONCE:
                    flush()
        flush()
    return counts


def _collections(source: Database[Document]) -> Iterator[tuple[str, Iterable[Document]]]:
    there = set(source.list_collection_names())
    derived = sorted(there - {CURSORS, *_LAST})
    for collection in [CURSORS, *derived]:
        if collection in there:
            yield collection, source[collection].find()
    waiting = {document["_id"] for document in source[LOG].find({"pending": {"$exists": True}}, {"_id": 1})}
    segments = list(source[LOG].find({"number": {"$exists": True}}).sort("_id", 1))
    yield LOG, itertools.chain(segments, _commits(source, segments, waiting))
    for collection in (PARTS, LOGS, LEASES, KEYS):
        if collection in there:
            yield collection, source[collection].find()


def _commits(source: Database[Document], segments: list[Document], waiting: set[str]) -> Iterator[Document]:
    """Commits by tenant, stream and version: what has its position by these segments, and what waited for one before they were read."""
    last = {segment["_tenant"]: segment for segment in segments}
    marked = {
        f"{segment['_tenant']}{_SEPARATOR}{commit_id(stream, version)}"
        for segment in segments
        if segment["number"] > last[segment["_tenant"]]["cleared"]
        for stream, version in segment["commits"]
    }
    kept = ("", "", 0)
    for document in source[LOG].find({"stream": {"$exists": True}}).sort("_id", 1):
        tenant, stream, version = document["_tenant"], document["stream"], document["version"]
        placed = document["_id"] in marked or document.get("position", sys.maxsize) <= _end(last.get(tenant))
        if not placed and document["_id"] not in waiting:
            continue
        if version > 1 and kept != (tenant, stream, version - 1):
            continue
        kept = (tenant, stream, version)
        if not placed and "position" in document:
            # It got its position in a segment that is not in this copy; the restored log's sequencer gives it another.
            del document["position"]
            document["pending"] = 0
        yield document


def _end(segment: Document | None) -> int:
    return segment["last"] if segment else 0


def _indexes(source: Database[Document], collection: str) -> list[Document]:
    kept = ("key", "name", "partialFilterExpression")
    indexes = source[collection].list_indexes()
    return [{name: index[name] for name in kept if name in index} for index in indexes if index["name"] != "_id_"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.dev.backup", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("action", choices=("back-up", "put-back"))
    parser.add_argument("address", help="mongodb://…")
    parser.add_argument("database")
    parser.add_argument("file", type=Path)
    options = parser.parse_args()
    work = back_up if options.action == "back-up" else put_back
    for collection, count in work(options.address, options.database, options.file).items():
        print(f"{count:>9,}  {collection}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
